"""``assay device``: enrol this machine's devices, and keep the registry of this home."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

import click

from authn.cli.fingerprint import fingerprint
from authn.cli.held import list_held, show_held
from authn.cli.out import say, say_json
from authn.core.config import Settings, load_settings
from authn.core.errors import BadRequest
from authn.core.homes import devices_of, has_registry, refuse_device_home, require_registry
from authn.core.instants import parse_instant, utc_now
from authn.devices import ASSURANCE_LEVELS, ASSURANCE_LIMITS, DeviceRecord
from authn.devices.view import device_view
from authn.pki.crl import Cause

if TYPE_CHECKING:
    from authn.devices.registry import Registry
    from authn.devices.revocation import Revocations


@click.group()
def device() -> None:
    """Enrol, list and revoke devices."""


device.add_command(fingerprint)


@device.command()
@click.argument("name")
@click.option("--key", "key_uri", help="Key URI: file:, pkcs11: or tpm2:; made if it does not exist.")
@click.option("--service", "service_url", help="Enrol with the service at this URL instead of this home.")
@click.option("--token", help="The service's enrolment token (better: ASSAY_ENROLMENT_TOKEN).")
@click.pass_obj
def enrol(
    config_file: str | None, name: str, key_uri: str | None, service_url: str | None, token: str | None
) -> None:
    """Make a key, get a certificate for it, register the device.

    The default key is an encrypted file whose passphrase lies beside it: whoever reads the folder has the
    key (assurance level 0). A token (pkcs11:) or a TPM (tpm2:) does not give its key
    away, and a TPM says so to a service that takes its word (docs/formats/tpm.md).
    """
    from authn.home.enrolment import enrol_device

    settings = load_settings(config_file, service_url=service_url, enrolment_token=token)
    if not settings.service_url:
        refuse_device_home(settings, "name its service with --service, or another home with ASSAY_HOME")
    levels: list[int] = []
    done = enrol_device(settings, name, key_uri=key_uri, now=utc_now(), tell_level=levels.append)
    say(f"enrolled {done.name} as {done.device_id}")
    for level in levels:
        say(f"assurance level {level}: {ASSURANCE_LEVELS[level]}", err=True)
    say(f"its folder: {done.folder}", err=True)


@device.command()
@click.argument("name")
@click.option("--token", help="The service's enrolment token, if the device is enrolled over HTTP.")
@click.pass_obj
def renew(config_file: str | None, name: str, token: str | None) -> None:
    """Get a new certificate for the same key."""
    from authn.home.enrolment import renew_device

    settings = load_settings(config_file, enrolment_token=token)
    done = renew_device(settings, name, now=utc_now())
    say(f"renewed {done.name} ({done.device_id})")


@device.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_obj
def list_(config_file: str | None, as_json: bool) -> None:
    """List the devices in this home's registry; in a home without one, those that it holds."""
    settings = load_settings(config_file)
    if not has_registry(settings):
        list_held(settings, as_json=as_json)
        return
    records = _registry(settings).list()
    for record in records:
        if as_json:
            say_json(_fields(record))
        else:
            say(f"{record.name:24} {record.device_id}  {_status(record)}")
    if not records:
        say("no device is in the registry of this home", err=True)


@device.command()
@click.argument("name")
@click.pass_obj
def show(config_file: str | None, name: str) -> None:
    """Show one device of this home's registry, with its certificates; or one that this home holds."""
    settings = load_settings(config_file)
    if not has_registry(settings) and name in devices_of(settings):
        show_held(settings, name)
        return
    registry = _registry(settings)
    record = registry.find(name)
    for label, value in _fields(record).items():
        say(f"{label:18} {'-' if value is None else value}")
    say(f"{'assurance':18} {ASSURANCE_LEVELS[record.assurance_level]}")
    say(f"{'left open':18} {ASSURANCE_LIMITS[record.assurance_level]}")
    for attestation in registry.attestations_of(record.device_id):
        facts = ", ".join(f"{k} {v}" for k, v in json.loads(attestation.facts).items())
        say(f"{'attestation':18} {attestation.fmt}, level {attestation.level}: {facts}")
    revoked = {c.serial: c for c in record.revoked_certificates}
    for certificate in registry.certificates_of(record.device_id):
        days = f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
        single = revoked.get(certificate.serial)
        status = f" revoked, invalid since {single.invalid_since:%Y-%m-%d %H:%M:%S}Z" if single else ""
        say(f"{'certificate':18} {certificate.serial} {days}{status}")


@device.command()
@click.argument("name")
@click.option("--reason", required=True, help="One line for whoever reads a report later.")
@click.option("--invalid-since", help="RFC 3339; what the key signed from then on is not to be believed.")
@click.option(
    "--cause",
    type=click.Choice([cause.value for cause in Cause]),
    default=Cause.UNSPECIFIED.value,
    show_default=True,
    help="The kind of reason (RFC 5280) that revocation lists and OCSP name.",
)
@click.option("--certificate", "serial", help="Revoke this certificate of the device alone (serial, hex).")
@click.pass_obj
def revoke(
    config_file: str | None,
    name: str,
    reason: str,
    invalid_since: str | None,
    cause: str,
    serial: str | None,
) -> None:
    """Revoke a device in this home's registry, or one of its certificates. It cannot be undone.

    A running service sees it at once: in reports, in its revocation list and in its OCSP answers.
    """
    settings = load_settings(config_file)
    since = parse_instant(invalid_since) if invalid_since else None
    revocations = _revocations(settings)
    how: _How = {"reason": reason, "cause": Cause(cause), "now": utc_now(), "invalid_since": since}
    if serial is None:
        record = revocations.revoke_device(name, **how)
        say(f"{record.name}: {_status(record)}")
        return
    number = _serial_of(settings, name, serial)
    done = revocations.revoke_certificate(number, **how)
    say(f"certificate {number:x}: revoked, invalid since {done.invalid_since:%Y-%m-%d %H:%M:%S}Z")


@device.command()
@click.pass_context
def recheck(ctx: click.Context) -> None:
    """Find devices that a revoked Android key vouched for.

    Looks up the attestations of this home's devices in the list android_status, prints the devices that rest
    on a listed key, and exits with 1 if there are any. It revokes nothing: that is for you to decide.
    """
    from authn.devices.attestation.android_status import read_status
    from authn.devices.recheck import recheck_android

    settings = load_settings(ctx.obj)
    status = read_status(settings.android_status, now=utc_now(), hours=settings.android_status_hours)
    found = recheck_android(_registry(settings), status)
    for device in found:
        say(f"{device.name}: the certificate {device.serial} of its attestation is {device.status}")
    ctx.exit(1 if found else 0)


class _How(TypedDict):
    reason: str
    cause: Cause
    now: datetime
    invalid_since: datetime | None


def _serial_of(settings: Settings, name: str, serial: str) -> int:
    """Raises ``UnknownDevice``, and ``BadRequest`` for a certificate that is not this device's."""
    registry = _registry(settings)
    device = registry.find(name)
    wanted = serial.strip().lower().removeprefix("0x").replace(":", "").lstrip("0")
    if wanted not in {c.serial for c in registry.certificates_of(device.device_id)}:
        raise BadRequest(f"{device.name} has no certificate with the serial number {serial}")
    return int(wanted, 16)


def _revocations(settings: Settings) -> Revocations:
    from authn.service.wiring import open_revocations

    require_registry(settings)
    return open_revocations(settings)


def _registry(settings: Settings) -> Registry:
    from authn.devices.registry import open_registry

    require_registry(settings)
    return open_registry(settings.database)


def _fields(record: DeviceRecord) -> dict[str, str | int | None]:
    return {k: v for k, v in device_view(record).items() if k not in ("assurance", "assurance_limit")}


def _status(record: DeviceRecord) -> str:
    if record.revoked_at is None:
        return f"enrolled {record.enrolled_at:%Y-%m-%d}, level {record.assurance_level}"
    return f"revoked, invalid since {record.invalid_since:%Y-%m-%d %H:%M:%S}Z: {record.revocation_reason}"
