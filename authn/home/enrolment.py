"""Enrolling a device of this machine: key, request with proof of possession, certificate, folder.

The order survives a crash at any step: the key comes first, the registry second, the device's record last.
Run again, an interrupted enrolment finds its key and gets a new certificate for the same device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, NameOID

from authn.core.config import Settings
from authn.core.errors import DeviceExists, NoteError, SettingsError, UnknownDevice
from authn.core.names import parse_name
from authn.pki.own_roots import own_roots
from authn.pki.roots import load_roots
from authn.service.enrolment.challenged import Enrolling, Enrolments
from authn.service.enrolment.challenges import decode
from authn.service.enrolment.terms import origin_of
from authn.tlog.format.note import parse_vkey
from signer.client import Client, Enrolment, EnrolmentChallenge
from signer.core.errors import KeyAbsent, ServiceRefused
from signer.device import DeviceIdentity, open_identity, save_identity
from signer.keys import create_key, open_key
from signer.keys.attesting import AttestingKey
from signer.keys.software import file_key_uri
from signer.proof.certificates import Certificate, read_certificate, read_pem

CLIENT_TIMEOUT_S = 30.0
THIS_HOME = "this home"  # what challenges are bound to where no token is asked for


class Enroller(Protocol):
    """A service, or this home. ``origin`` is where the device reaches it; empty for a home without one."""

    @property
    def origin(self) -> str: ...

    def ask(self, request: Mapping[str, object]) -> EnrolmentChallenge: ...

    def enrol(
        self, name: str, csr: bytes, challenge: str, attestation: Mapping[str, object]
    ) -> Enrolment: ...


def device_folder(settings: Settings, name: str) -> Path:
    """Raises ``BadRequest`` for what cannot be a device's name."""
    return settings.home / "devices" / parse_name(name)


def enrol_device(
    settings: Settings,
    name: str,
    *,
    key_uri: str | None = None,
    now: datetime,
    tell_level: Callable[[int], None] = lambda _level: None,
) -> DeviceIdentity:
    """Enrol with ``settings.service_url``, or with this home. A key that does not exist is made; one that can
    say where it is does so where the service takes its format.

    Raises ``DeviceExists`` for a name that is enrolled here, ``SettingsError`` for a missing token, what the
    registry raises, and ``SignerError`` for the key or the way to the service.
    """
    folder = device_folder(settings, name)
    if (folder / "device.json").exists():
        raise DeviceExists(f"{name} is enrolled here already; `assay device renew {name}` renews it")
    uri = key_uri or file_key_uri(folder.absolute() / "key.pem", folder.absolute() / "key.pin")
    enroller = _enroller(settings, settings.service_url, now)
    # A service that is away, or does not know the token, leaves no key behind.
    asked = enroller.ask({}) if settings.service_url else None
    key = _open_or_create(uri)
    certified = _certify(name, key, enroller, asked or enroller.ask({}))
    _verify_chain(certified.chain_pem, key)
    _verify_trust(certified)
    identity = _save(folder, name, uri, settings.service_url, certified)
    tell_level(certified.assurance_level)
    return identity


def renew_device(settings: Settings, name: str, *, now: datetime) -> DeviceIdentity:
    """A new certificate for the key of an enrolled device, from where it was enrolled.

    Raises ``UnknownDevice``, and as ``enrol_device``.
    """
    folder = device_folder(settings, name)
    if not (folder / "device.json").exists():
        raise UnknownDevice(f"no device named {name} is enrolled on this machine")
    identity = open_identity(folder)
    key = open_key(identity.key_uri)
    enroller = _enroller(settings, identity.service_url, now)
    certified = _certify(name, key, enroller, enroller.ask({}))
    _verify_chain(certified.chain_pem, key)
    _verify_trust(certified)
    return _save(folder, name, identity.key_uri, identity.service_url, certified)


def make_csr(key: ec.EllipticCurvePrivateKey, name: str, challenge: str, origin: str = "") -> bytes:
    """A PKCS#10 request (PEM); its signature proves possession of the key now, its subject is a courtesy.

    It names the service by its ``origin``, so that no other can have passed its own challenge on.
    """
    answer = f"{challenge} {origin}" if origin else challenge
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_attribute(AttributeOID.CHALLENGE_PASSWORD, answer.encode())
    )
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _open_or_create(uri: str) -> ec.EllipticCurvePrivateKey:
    """Creates only where the key is known to be absent: a second try with a wrong PIN may lock a token."""
    try:
        return open_key(uri)
    except KeyAbsent:
        return create_key(uri)


def _certify(
    name: str, key: ec.EllipticCurvePrivateKey, enroller: Enroller, asked: EnrolmentChallenge
) -> Enrolment:
    attestation: Mapping[str, object] = {"fmt": "none"}
    if isinstance(key, AttestingKey) and (request := key.attestation_request()).get("fmt") in asked.formats:
        asked = enroller.ask(request)
        attestation = key.attest(asked.value, asked.answer)
    csr = make_csr(key, name, asked.text, enroller.origin)
    return enroller.enrol(name, csr, asked.text, attestation)


def _enroller(settings: Settings, service_url: str, now: datetime) -> Enroller:
    """Raises ``SettingsError`` for a missing token, ``Unavailable`` for a home that cannot be used."""
    return _There(settings, service_url) if service_url else _Here(settings, now)


class _There:
    def __init__(self, settings: Settings, service_url: str) -> None:
        if not settings.enrolment_token:
            raise SettingsError("enrolling over HTTP needs --token or ASSAY_ENROLMENT_TOKEN")
        self._settings = settings
        self._client = Client(service_url=service_url, timeout_s=CLIENT_TIMEOUT_S)

    @property
    def origin(self) -> str:
        return origin_of(self._client.service_url)[0]

    def ask(self, request: Mapping[str, object]) -> EnrolmentChallenge:
        return self._client.ask_challenge(self._settings.enrolment_token, request)

    def enrol(self, name: str, csr: bytes, challenge: str, attestation: Mapping[str, object]) -> Enrolment:
        token = self._settings.enrolment_token
        done = self._client.enrol(name, csr, token, challenge=challenge, attestation=attestation)
        return replace(done, tsa_url=self._settings.tsa_url or done.tsa_url)


class _Here:
    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now

    @cached_property
    def _enrolments(self) -> Enrolments:
        """Opened when the device's key is there: a key that cannot be had must leave no authorities."""
        from authn.service.wiring import open_enrolments

        return open_enrolments(self._settings)

    @property
    def origin(self) -> str:
        return origin_of(self._settings.public_url)[0]

    def ask(self, request: Mapping[str, object]) -> EnrolmentChallenge:
        asking = self._enrolments.ask(request, THIS_HOME, self._now)
        value = decode(asking.challenge)
        return EnrolmentChallenge(
            text=asking.challenge, value=value, formats=asking.formats, answer=asking.answer
        )

    def enrol(self, name: str, csr: bytes, challenge: str, attestation: Mapping[str, object]) -> Enrolment:
        enrolling = Enrolling(
            name=name, csr=csr, challenge=challenge, attestation=attestation, credential=THIS_HOME
        )
        enrolled = self._enrolments.enrol(enrolling, self._now)
        tsa_roots = (*own_roots(self._settings.home).tsa, *load_roots(self._settings.tsa_roots))
        return Enrolment(
            device_id=enrolled.device.device_id,
            name=name,
            assurance_level=enrolled.device.assurance_level,
            chain_pem=_pem(enrolled.chain),
            tsa_url=self._settings.tsa_url,
            tsa_roots_pem=_pem(tsa_roots),
            signer_roots_pem=b"",  # this home reads its own
        )


def _pem(certificates: tuple[Certificate, ...]) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


def _verify_chain(chain_pem: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """A service that answers with somebody else's certificate would make every signature worthless."""
    try:
        pem = x509.load_pem_x509_certificates(chain_pem)
        leaf, *above = (read_certificate(c.public_bytes(Encoding.DER)) for c in pem)
        fits = leaf.public_key() == key.public_key()
        stray = not all(_is_authority(c) for c in above)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise ServiceRefused("the service answered with no certificate") from e
    if not fits:
        raise ServiceRefused("the service answered with a certificate for another key")
    if stray:  # kept among those that were asked for, it would explain itself to a monitor of the log
        raise ServiceRefused("the service answered with a certificate that nobody asked for")


def _verify_trust(certified: Enrolment) -> None:
    """What later reports of this home are judged by is read before anything of it is kept."""
    try:
        for pem in (certified.signer_roots_pem, certified.tsa_roots_pem):
            read_pem(pem)
        if certified.log_key:
            parse_vkey(certified.log_key)
    except ValueError as e:
        raise ServiceRefused("the service answered with roots that are no certificates") from e
    except NoteError as e:
        raise ServiceRefused("the service answered with a log key that is none") from e


def _is_authority(certificate: x509.Certificate) -> bool:
    return any(isinstance(e.value, x509.BasicConstraints) and e.value.ca for e in certificate.extensions)


def _save(folder: Path, name: str, key_uri: str, service_url: str, certified: Enrolment) -> DeviceIdentity:
    return save_identity(
        folder,
        device_id=certified.device_id,
        name=name,
        key_uri=key_uri,
        chain_pem=certified.chain_pem,
        service_url=service_url,
        tsa_url=certified.tsa_url,
        tsa_roots_pem=certified.tsa_roots_pem,
        signer_roots_pem=certified.signer_roots_pem,
        log_key=certified.log_key,
    )
