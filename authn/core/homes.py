"""What a home is: a service's, one of devices enrolled at some service, or nothing yet.

The two kinds look alike to who types commands. A command that only reads must not make a service's database
in a device's home: with it, every report there would ask a registry that knows nobody.
"""

from __future__ import annotations

from pathlib import Path

from authn.core.config import Settings
from authn.core.errors import HomeUnfit

LOG_VKEY = "log.vkey"  # in a service's ``pki``, for verifiers: what a receipt verifies with


def devices_of(settings: Settings) -> tuple[str, ...]:
    """Names of the devices whose keys this home holds."""
    from signer.device import enrolled_names  # and what reads certificates, which is slow to load

    return enrolled_names(settings.home / "devices")


def held(settings: Settings, file_name: str) -> tuple[Path, ...]:
    """What services gave the devices of this home with their certificates: files of this name."""
    folder = settings.home / "devices"
    paths = (folder / name / file_name for name in devices_of(settings))
    return tuple(path for path in paths if path.is_file() and path.stat().st_size)


def has_registry(settings: Settings) -> bool:
    """Whether devices, keys of machines and reports are kept in this home, or in a database that it names."""
    return bool(settings.database_url) or (settings.home / "assay.db").exists()


def has_authorities(settings: Settings) -> bool:
    return (settings.home / "pki").exists()


def own_address(settings: Settings) -> str:
    """Where the service of this home is reached from this machine; empty where there is none, or no port."""
    if settings.public_url or not has_authorities(settings) or not settings.port:
        return settings.public_url
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "localhost") else settings.host  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def require_registry(settings: Settings) -> None:
    """Raises ``Unavailable`` where there is none, which a command that reads must not make."""
    if not has_registry(settings):
        raise HomeUnfit(f"{_what_it_is(settings)}, so there is no registry in it")


def require_authorities(settings: Settings) -> None:
    """Raises ``Unavailable``, as ``require_registry``."""
    if not has_authorities(settings):
        raise HomeUnfit(f"{_what_it_is(settings)}, so it has neither authorities nor a log")


def refuse_device_home(
    settings: Settings, instead: str = "this is for the home of a service; ASSAY_HOME names another"
) -> None:
    """For what makes a service's parts on first use. Raises ``Unavailable`` where only devices live."""
    if devices_of(settings) and not (has_registry(settings) or has_authorities(settings)):
        raise HomeUnfit(f"{_what_it_is(settings)}; {instead}")


def _what_it_is(settings: Settings) -> str:
    names = devices_of(settings)
    if not names:
        return f"{settings.home} is no service's home (`assay serve` makes one; ASSAY_HOME names another)"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{settings.home} is the home of a device ({', '.join(names[:3])}{more}) and of no service"
