"""Enrolling a device of this machine: key, request with proof of possession, certificate, folder.

The order survives a crash at any step: the key comes first, the registry second, the device's record last.
Run again, an interrupted enrolment finds its key and gets a new certificate for the same device.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from authn.config import Settings
from authn.devices.registry import parse_name
from authn.errors import DeviceExists, SettingsError, UnknownDevice
from signer.client import Client
from signer.device import DeviceIdentity, open_identity, save_identity
from signer.errors import KeyAbsent, ServiceRefused
from signer.keys import create_key, open_key
from signer.keys.software import file_key_uri

CLIENT_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What an enrolment gives a device, whichever way it went."""

    device_id: str
    chain_pem: bytes
    tsa_url: str
    tsa_roots_pem: bytes


def device_folder(settings: Settings, name: str) -> Path:
    """Raises ``BadRequest`` for what cannot be a device's name."""
    return settings.home / "devices" / parse_name(name)


def enrol_device(
    settings: Settings, name: str, *, key_uri: str | None = None, now: datetime
) -> DeviceIdentity:
    """Enrol with ``settings.service_url``, or with this home. A key that does not exist is made.

    Raises ``DeviceExists`` for a name that is enrolled here, ``SettingsError`` for a missing token, what the
    registry raises, and ``SignerError`` for the key or the way to the service.
    """
    folder = device_folder(settings, name)
    if (folder / "device.json").exists():
        raise DeviceExists(f"{name} is enrolled here already; `assay device renew {name}` renews it")
    uri = key_uri or file_key_uri(folder.absolute() / "key.pem", folder.absolute() / "key.pin")
    key = _open_or_create(uri)
    certified = _certify(settings, name, settings.service_url, make_csr(key, name), now)
    _verify_chain(certified.chain_pem, key)
    return _save(folder, name, uri, settings.service_url, certified)


def renew_device(settings: Settings, name: str, *, now: datetime) -> DeviceIdentity:
    """A new certificate for the key of an enrolled device, from where it was enrolled.

    Raises ``UnknownDevice``, and as ``enrol_device``.
    """
    folder = device_folder(settings, name)
    if not (folder / "device.json").exists():
        raise UnknownDevice(f"no device named {name} is enrolled on this machine")
    identity = open_identity(folder)
    key = open_key(identity.key_uri)
    certified = _certify(settings, name, identity.service_url, make_csr(key, name), now)
    _verify_chain(certified.chain_pem, key)
    return _save(folder, name, identity.key_uri, identity.service_url, certified)


def make_csr(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """A PKCS#10 request (PEM); its signature proves possession of the key, its subject is a courtesy."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def _open_or_create(uri: str) -> ec.EllipticCurvePrivateKey:
    """Creates only where the key is known to be absent: a second try with a wrong PIN may lock a token."""
    try:
        return open_key(uri)
    except KeyAbsent:
        return create_key(uri)


def _certify(settings: Settings, name: str, service_url: str, csr: bytes, now: datetime) -> Certified:
    if not service_url:
        return _certify_here(settings, name, csr, now)
    if not settings.enrolment_token:
        raise SettingsError("enrolling over HTTP needs --token or ASSAY_ENROLMENT_TOKEN")
    enrolment = Client(service_url=service_url, timeout_s=CLIENT_TIMEOUT_S).enrol(
        name, csr, settings.enrolment_token
    )
    return Certified(
        device_id=enrolment.device_id,
        chain_pem=enrolment.chain_pem,
        tsa_url=settings.tsa_url or enrolment.tsa_url,
        tsa_roots_pem=enrolment.tsa_roots_pem,
    )


def _certify_here(settings: Settings, name: str, csr: bytes, now: datetime) -> Certified:
    from authn.pki.authority import own_roots
    from authn.provenance.roots import load_roots
    from authn.wiring import open_intake

    enrolled = open_intake(settings).enrol(name, csr, now)
    return Certified(
        device_id=enrolled.device.device_id,
        chain_pem=_pem(enrolled.chain),
        tsa_url=settings.tsa_url,
        tsa_roots_pem=_pem((*own_roots(settings.home).tsa, *load_roots(settings.tsa_roots))),
    )


def _pem(certificates: tuple[x509.Certificate, ...]) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


def _verify_chain(chain_pem: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """A service that answers with somebody else's certificate would make every signature worthless."""
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem)[0]
        fits = leaf.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm) as e:
        raise ServiceRefused("the service answered with no certificate") from e
    if not fits:
        raise ServiceRefused("the service answered with a certificate for another key")


def _save(folder: Path, name: str, key_uri: str, service_url: str, certified: Certified) -> DeviceIdentity:
    return save_identity(
        folder,
        device_id=certified.device_id,
        name=name,
        key_uri=key_uri,
        chain_pem=certified.chain_pem,
        service_url=service_url,
        tsa_url=certified.tsa_url,
        tsa_roots_pem=certified.tsa_roots_pem,
    )
