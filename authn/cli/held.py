"""The devices whose keys a home holds, where their registry is somewhere else."""

from __future__ import annotations

from cryptography import x509

from authn.cli.out import say, say_json
from authn.core.config import Settings
from authn.core.errors import FileUnusable
from authn.core.homes import devices_of
from signer.device import DeviceIdentity, open_identity


def list_held(settings: Settings, *, as_json: bool) -> None:
    """One line for each; on stderr, whose home this is."""
    names = devices_of(settings)
    for name in names:
        found = open_identity(settings.home / "devices" / name)
        if as_json:
            say_json(_fields(found))
        else:
            where = found.service_url or "a service of this machine"
            say(f"{found.name:24} {found.device_id}  enrolled at {where}")
    if names:
        say("this home holds keys and no registry: revocations are known at the service", err=True)
    else:
        say("no device is enrolled here; `assay device enrol NAME` enrols one", err=True)


def show_held(settings: Settings, name: str) -> None:
    found = open_identity(settings.home / "devices" / name)
    for label, value in _fields(found).items():
        say(f"{label:18} {value or '-'}")
    try:
        leaf = x509.load_pem_x509_certificates(found.chain_pem)[0]
    except ValueError as e:
        raise FileUnusable(f"{found.folder / 'chain.pem'} holds no certificates") from e
    days = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
    say(f"{'certificate':18} {leaf.serial_number:x} {days}")
    say("revocations and assurance level are known at the service", err=True)


def _fields(found: DeviceIdentity) -> dict[str, str]:
    return {
        "name": found.name,
        "device_id": found.device_id,
        "service_url": found.service_url,
        "key_uri": found.key_uri,
        "folder": str(found.folder),
    }
