"""Settings: flag over ``ASSAY_*`` variable over one TOML file over default; an unknown key is an error.

Everything is checked here, before a port or a database opens. Reading a file that a setting names (PEM
roots, a model) is left to the part that needs it. docs/settings.md lists the rows; a test ties the two.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from authn.core.errors import SettingsError
from authn.core.setting_rows import ROWS, SETTINGS, SIGNER_USAGES, Setting, Value

PREFIX = "ASSAY_"
# Variables that are no settings: where the file is, where tests find their material, what errors show.
OTHER_VARIABLES = ("ASSAY_CONFIG", "ASSAY_DATA", "ASSAY_DEBUG", "ASSAY_REQUIRE_PROGRAMS", "ASSAY_SUITES")
MASK = "********"
MIN_TOKEN_CHARACTERS = 16
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_PASSWORD_IN_URL = re.compile(r"(://[^/@:]*:)[^@]*(@)")
POSTGRESQL = "postgresql+psycopg://"
ATTESTATION_FORMATS = ("android-key", "apple", "none", "packed", "tpm2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One attribute per row of ``SETTINGS``; ``origin`` says where each value came from."""

    home: Path
    database_url: str
    host: str
    port: int
    workers: int
    examiners: int
    public_url: str
    service_url: str
    tsa_url: str
    signer_roots: tuple[Path, ...]
    tsa_roots: tuple[Path, ...]
    signer_usages: str
    crls: tuple[Path, ...]
    max_media_bytes: int
    max_pixels: int
    max_request_seconds: int
    worker_memory_bytes: int
    certificate_days: int
    enrolment_token: str = field(repr=False)
    attestation_formats: str
    android_signatures: str
    android_packages: str
    android_status: tuple[Path, ...]
    android_status_hours: int
    android_roots: tuple[Path, ...]
    webauthn_hardware_roots: tuple[Path, ...]
    webauthn_roots: tuple[Path, ...]
    tpm_roots: tuple[Path, ...]
    access: str
    oidc_issuer: str
    oidc_audience: str
    oidc_jwks: str
    oidc_scopes: str
    requests_per_minute: int
    heuristics: bool
    forensics: bool
    recovery: str
    recovery_devices: str
    report_days: int
    job_workers: int
    job_attempts: int
    job_lease_seconds: int
    job_hours: int
    jobs_waiting: int
    jobs_bytes: int
    webhook_workers: int
    webhook_networks: str
    metrics_bind: str
    log_format: str
    log_level: str
    detector: str
    semantic_encoder: tuple[Path, ...]
    face_models: tuple[Path, ...]
    recapture_weights: tuple[Path, ...]
    calibration: tuple[Path, ...]
    policy: str
    witness_policy: tuple[Path, ...]
    witness_interval_seconds: int
    require_clock_sync: bool
    origins: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)

    def origin(self, name: str) -> str:
        """``default``, ``flag``, ``environment ASSAY_X`` or ``file PATH``."""
        return dict(self.origins)[name]

    def shown(self, name: str) -> str:
        """The value as text for people; secrets are masked."""
        value = getattr(self, name)
        if ROWS[name].secret and value:
            return MASK
        if isinstance(value, tuple):
            return os.pathsep.join(str(path) for path in value)
        if name == "database_url":
            return _PASSWORD_IN_URL.sub(rf"\1{MASK}\2", str(value))
        return str(value).lower() if isinstance(value, bool) else str(value)

    @property
    def database(self) -> str:
        """The database's address with the default filled in."""
        return self.database_url or f"sqlite:///{self.home / 'assay.db'}"


def load_settings(
    config_file: str | None = None, environ: Mapping[str, str] | None = None, **flags: object
) -> Settings:
    """Raises ``SettingsError`` for an unknown key, a wrong type, a value out of range, an unreadable file.

    A flag that is None was not given. ``environ`` defaults to the process environment.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Value] = {row.name: row.default for row in SETTINGS}
    origins = dict.fromkeys(values, "default")
    layers = (
        _from_file(config_file or environ.get("ASSAY_CONFIG")),
        _from_environment(environ),
        {name: (value, "flag") for name, value in flags.items() if value is not None},
    )
    for layer in layers:
        for name, (raw, origin) in layer.items():
            if name not in ROWS:
                raise SettingsError(f"{name} is not a setting ({origin}); `assay config show` lists them")
            values[name] = _parsed(ROWS[name], raw, origin)
            origins[name] = origin
    values["home"] = _absolute(values["home"], Path.cwd())
    if origins["require_clock_sync"] == "default":
        # Who serves others vouches for the time to them; on a machine of one's own nobody else relies on it.
        values["require_clock_sync"] = bool(values["public_url"]) or not is_loopback(str(values["host"]))
    settings = Settings(origins=tuple(origins.items()), **values)  # type: ignore[arg-type]
    _check(settings)
    return settings


def _from_file(config_file: str | None) -> dict[str, tuple[object, str]]:
    if not config_file:
        return {}
    path = Path(config_file)
    origin = f"file {path}"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise SettingsError(f"the settings file {path} cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise SettingsError(f"the settings file {path} is not TOML: {e}") from e
    for name, value in table.items():
        row = ROWS.get(name)
        wanted = type(value) if row is None else str if row.type in (Path, tuple) else row.type
        if type(value) is not wanted:
            raise SettingsError(f"{name} in {path} must be a TOML {wanted.__name__}")
    folder = path.absolute().parent
    return {name: (_beside(ROWS.get(name), value, folder), origin) for name, value in table.items()}


def _beside(row: Setting | None, value: object, folder: Path) -> object:
    """Paths in a file count from the file's folder, so that it means the same from everywhere."""
    if row is None or not value:
        return value
    if row.type is Path:
        return _absolute(value, folder)
    if row.type is tuple:
        return tuple(_absolute(part, folder) for part in str(value).split(os.pathsep) if part)
    return value


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    found: dict[str, tuple[object, str]] = {}
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable not in OTHER_VARIABLES:
            name = variable.removeprefix(PREFIX).lower()
            if name not in ROWS or variable != variable.upper():
                raise SettingsError(f"the variable {variable} is not a setting of Assay")
            found[name] = (value, f"environment {variable}")
    return found


def _parsed(row: Setting, raw: object, origin: str) -> Value:
    if row.type is bool:
        return _boolean(row, raw, origin)
    if row.type is int:
        return _integer(row, raw, origin)
    if row.type is tuple:
        parts = raw if isinstance(raw, tuple) else str(raw).split(os.pathsep)
        return tuple(_absolute(part, Path.cwd()) for part in parts if part)
    text = str(raw)
    if "\0" in text or "\n" in text:
        raise SettingsError(f"{row.name} ({origin}) holds a control character")
    return Path(text) if row.type is Path else text


def _boolean(row: Setting, raw: object, origin: str) -> bool:
    text = str(raw).strip().lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise SettingsError(f"{row.name} ({origin}) must be true or false")


def _integer(row: Setting, raw: object, origin: str) -> int:
    try:
        value = int(str(raw))
    except ValueError as e:
        raise SettingsError(f"{row.name} ({origin}) must be a whole number") from e
    if not row.minimum <= value <= row.maximum:
        raise SettingsError(f"{row.name} ({origin}) must lie between {row.minimum} and {row.maximum}")
    return value


def _absolute(path: object, base: Path) -> Path:
    try:
        return base / Path(str(path)).expanduser()
    except RuntimeError as e:  # no home folder for "~"
        raise SettingsError(f"{path} cannot be resolved: {e}") from e


def _check(settings: Settings) -> None:
    for name in ("public_url", "service_url", "tsa_url"):
        _check_url(name, getattr(settings, name))
    _check_database(settings.database_url)
    _check_watching(settings)
    _check_access(settings)
    _check_attestation(settings)
    if settings.signer_usages != SIGNER_USAGES:
        from signer.proof.usages import parse_usages

        try:
            parse_usages(settings.signer_usages)
        except ValueError as e:
            raise SettingsError(f"signer_usages: {e}") from e
    if settings.recovery not in ("off", "hashes", "manifests"):
        raise SettingsError("recovery must be off, hashes or manifests")
    if settings.webhook_networks:
        from authn.core.outward import parse_networks

        try:
            parse_networks(settings.webhook_networks)
        except ValueError as e:
            raise SettingsError(f"webhook_networks: {e}") from e
    if len(settings.calibration) > 1:
        raise SettingsError("calibration names one file")
    if len(settings.witness_policy) > 1:
        raise SettingsError("witness_policy names one file: groups and quorum stand in it")
    if not settings.host or any(c.isspace() or c == "/" for c in settings.host):
        raise SettingsError("host must be a name or an IP address")
    token = settings.enrolment_token
    if token and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable()):
        raise SettingsError(
            f"enrolment_token needs {MIN_TOKEN_CHARACTERS} printable ASCII characters or more"
        )


def _check_watching(settings: Settings) -> None:
    if settings.log_format not in ("text", "json"):
        raise SettingsError("log_format must be text or json")
    if settings.log_level not in ("error", "warning", "info"):
        raise SettingsError("log_level must be error, warning or info")
    host, _, port = settings.metrics_bind.rpartition(":")
    if settings.metrics_bind and not (host and port.isdigit() and int(port) < 1 << 16):
        raise SettingsError("metrics_bind must be an address and a port, as in 127.0.0.1:9318")


def _check_access(settings: Settings) -> None:
    if settings.access not in ("open", "required"):
        raise SettingsError("access must be open or required")
    if settings.access == "required" and not settings.public_url and not is_loopback(settings.host):
        raise SettingsError("access = required needs public_url: devices sign the address they call")
    if settings.oidc_issuer and not (settings.oidc_audience and settings.oidc_jwks):
        raise SettingsError("oidc_issuer needs oidc_audience and oidc_jwks too")


def _check_attestation(settings: Settings) -> None:
    formats = settings.attestation_formats.split()
    if not formats or not set(formats) <= set(ATTESTATION_FORMATS):
        raise SettingsError(f"attestation_formats names some of {', '.join(ATTESTATION_FORMATS)}")
    if not all(_SHA256.fullmatch(s) for s in settings.android_signatures.split()):
        raise SettingsError("android_signatures are SHA-256 values of 64 hex digits, separated by spaces")
    if "android-key" in formats and not (settings.android_signatures and settings.android_status):
        raise SettingsError("the format android-key needs android_signatures and android_status")
    if "tpm2" in formats and not settings.tpm_roots:
        raise SettingsError("the format tpm2 needs tpm_roots: the makers whose TPMs are believed")
    if {"apple", "packed"} & set(formats) and not settings.public_url:
        raise SettingsError("the formats apple and packed need public_url: keys are made for a site")


def _check_url(name: str, value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as e:
        raise SettingsError(f"{name} is not a URL: {e}") from e
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        raise SettingsError(f"{name} must be an http or https URL")
    if parts.username or parts.password or parts.fragment or (parts.query and name != "tsa_url"):
        raise SettingsError(f"{name} must not carry credentials, a query or a fragment")


def _check_database(value: str) -> None:
    if not value or (value.startswith(POSTGRESQL) and len(value) > len(POSTGRESQL)):
        return
    path = value.removeprefix("sqlite:///")
    if path == value or path in ("", ":memory:") or "?" in path:
        raise SettingsError(
            "database_url must name an SQLite file (sqlite:////folder/assay.db) or PostgreSQL "
            f"({POSTGRESQL}user@host/name)"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
