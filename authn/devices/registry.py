"""The registry of devices in the database: a device is a name, a key, and a status over time.

Decides which enrolments and revocations are possible. Leaves proof of possession and certificates to
``authn.service.enrolment``. A device keeps its one key for life; another key is another device.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Engine, Select, bindparam, insert, or_, select, update

from authn.core.errors import BadRequest, DeviceExists, EnrolmentRefused, RegistryError, UnknownDevice
from authn.core.names import parse_name
from authn.devices import DeviceRecord, RevokedCertificate
from authn.store.captures import repeated_counters
from authn.store.engine import open_engine, reading, writing
from authn.store.schema import attestations, certificates, devices, revocations
from authn.tlog.format.entry import LogEntry
from authn.tlog.format.records import certificate_issued, revoked
from authn.tlog.log.queue import enqueue

if TYPE_CHECKING:
    from authn.devices.attestation.attested import Attested  # with every format of every maker

MAX_REASON_CHARACTERS = 200

# Made once: every verification asks for one device, and putting a statement together costs as much as
# running it.
_BY_KEY = select(devices).where(devices.c.spki_sha256 == bindparam("key"))
_REVOKED = select(revocations).where(revocations.c.serial.is_not(None)).order_by(revocations.c.id)
_REVOKED_OF = _REVOKED.where(revocations.c.device_id == bindparam("device"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledDevice:
    """``chain`` is leaf first; ``renewed`` when the key was registered before."""

    device: DeviceRecord
    chain: tuple[x509.Certificate, ...]
    renewed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``statement`` is what the device sent, ``attested`` what was read in it, for this ``challenge``."""

    attested: Attested
    statement: bytes
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationRecord:
    """``facts`` is a JSON object."""

    fmt: str
    level: int
    facts: str
    statement: bytes
    examined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord:
    serial: str
    not_before: datetime
    not_after: datetime


def parse_since(invalid_since: datetime | None, now: datetime) -> datetime:
    """From when on a revocation counts. Raises ``BadRequest`` for a time in the future."""
    since = now if invalid_since is None else invalid_since
    if since > now:
        raise BadRequest("invalid-since lies in the future; a revocation looks back")
    return since


def parse_reason(reason: str) -> str:
    """One line for whoever reads a report later. Raises ``BadRequest``."""
    if not reason.strip() or not reason.isprintable() or len(reason) > MAX_REASON_CHARACTERS:
        raise BadRequest(f"a reason is one printable line of at most {MAX_REASON_CHARACTERS} characters")
    return reason.strip()


class Registry:
    """Implements ``RegistryView``. Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enrol(
        self,
        *,
        name: str,
        spki_sha256: str,
        now: datetime,
        issue: Callable[[str], tuple[x509.Certificate, ...]],
        evidence: Evidence | None = None,
        admit: Callable[[Connection, DeviceRecord | None], None] = lambda _connection, _known: None,
    ) -> EnrolledDevice:
        """Device, certificate and evidence together or nothing. ``issue`` gets the device's id and returns
        its chain; ``admit`` gets the device where the key is known already, and may refuse by raising.

        The same name with the same key is a renewal: it keeps the level that the key has, and new evidence
        can only raise it. Raises ``BadRequest`` for the name, ``DeviceExists`` when name or key belongs to
        another device, ``EnrolmentRefused`` when the device was revoked.
        """
        parse_name(name)
        with writing(self._engine) as connection:
            known = _known(connection, name, spki_sha256)
            admit(connection, known)
            device = known or DeviceRecord(
                device_id=secrets.token_hex(16), name=name, spki_sha256=spki_sha256, enrolled_at=now
            )
            if known is None:
                row = {c.name: getattr(device, c.name) for c in devices.c}
                connection.execute(insert(devices).values(row))
            if evidence is not None:
                device = _attest(connection, device, evidence, now)
            chain = issue(device.device_id)
            _insert_certificate(connection, device.device_id, chain[0])
            enqueue(connection, _issued(device, chain[0], evidence))
        return EnrolledDevice(device=device, chain=chain, renewed=known is not None)

    def list(self) -> tuple[DeviceRecord, ...]:
        """All devices, revoked ones too, by name."""
        with reading(self._engine) as connection:
            return _records(connection, select(devices).order_by(devices.c.name))

    def find(self, name_or_id: str) -> DeviceRecord:
        """Raises ``UnknownDevice``."""
        with reading(self._engine) as connection:
            return _find(connection, name_or_id)

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        """The device with this key, whatever its status; or None."""
        with reading(self._engine) as connection:
            found = _records(connection, _BY_KEY, {"key": spki_sha256})
        return found[0] if found else None

    def certificates_of(self, device_id: str) -> tuple[CertificateRecord, ...]:
        """Every certificate that was issued to the device, oldest first."""
        columns = (certificates.c.serial, certificates.c.not_before, certificates.c.not_after)
        query = select(*columns).where(certificates.c.device_id == device_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(certificates.c.not_before)).mappings().all()
        return tuple(CertificateRecord(**row) for row in rows)

    def attestations_of(self, device_id: str) -> tuple[AttestationRecord, ...]:
        """Everything that vouched for the device's key, oldest first."""
        names = ("fmt", "level", "facts", "statement", "examined_at")
        query = select(*(attestations.c[n] for n in names)).where(attestations.c.device_id == device_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(attestations.c.id)).mappings().all()
        return tuple(AttestationRecord(**row) for row in rows)

    def newest_certificate(self, device_id: str) -> x509.Certificate | None:
        """The one that was issued last."""
        query = select(certificates.c.der).where(certificates.c.device_id == device_id)
        with reading(self._engine) as connection:
            der = connection.execute(
                query.order_by(certificates.c.not_before.desc()).limit(1)
            ).scalar_one_or_none()
        return None if der is None else x509.load_der_x509_certificate(der)

    def revoke(
        self,
        name_or_id: str,
        *,
        reason: str,
        now: datetime,
        invalid_since: datetime | None = None,
        cause: str = "unspecified",
    ) -> DeviceRecord:
        """What the key signs from ``invalid_since`` (default: now) on is not to be believed. ``cause`` is one
        of RFC 5280's reasons (``authn.pki.crl.Cause``), for revocation lists.

        A second call can only move ``invalid_since`` back. Raises ``UnknownDevice``, ``BadRequest`` for a
        time in the future or an unusable reason, ``RegistryError`` when nothing would change.
        """
        since, text = parse_since(invalid_since, now), parse_reason(reason)
        with writing(self._engine) as connection:
            device = _find(connection, name_or_id)
            if device.invalid_since is not None and since >= device.invalid_since:
                raise RegistryError(f"{device.name} is revoked already, from that time or an earlier one")
            connection.execute(
                update(devices)
                .where(devices.c.device_id == device.device_id)
                .values(
                    revoked_at=device.revoked_at or now,
                    invalid_since=since,
                    revocation_reason=text,
                )
            )
            row = {"device_id": device.device_id, "cause": cause, "reason": text}
            connection.execute(insert(revocations).values(revoked_at=now, invalid_since=since, **row))
            said = revoked(device.device_id, serial=None, cause=cause, revoked_at=now, invalid_since=since)
            enqueue(connection, said)
            return _find(connection, device.device_id)


def open_registry(url: str) -> Registry:
    """Raises ``Unavailable``."""
    return Registry(open_engine(url))


def _known(connection: Connection, name: str, spki_sha256: str) -> DeviceRecord | None:
    query = select(devices).where(or_(devices.c.name == name, devices.c.spki_sha256 == spki_sha256))
    found = _records(connection, query)
    for device in found:
        if device.name != name:
            raise DeviceExists("this key is enrolled already, under another name")
        if device.spki_sha256 != spki_sha256:
            raise DeviceExists(f"a device named {name} is enrolled already, with another key")
        if device.revoked_at is not None:
            raise EnrolmentRefused(f"{name} was revoked; a revoked key gets no new certificate")
    return found[0] if found else None


def _find(connection: Connection, name_or_id: str) -> DeviceRecord:
    query = select(devices).where(or_(devices.c.device_id == name_or_id, devices.c.name == name_or_id))
    # An id wins over a device that was given this id as its name.
    found = sorted(_records(connection, query), key=lambda d: d.device_id == name_or_id, reverse=True)
    if not found:
        raise UnknownDevice("there is no such device")
    return found[0]


def _records(
    connection: Connection, query: Select[tuple[Any, ...]], given: Mapping[str, Any] | None = None
) -> tuple[DeviceRecord, ...]:
    rows = connection.execute(query, given).mappings().all()
    if not rows:
        return ()
    asked = None if len(rows) > 1 else rows[0]["device_id"]
    revoked, repeated = _revoked_certificates(connection, asked), repeated_counters(connection, asked)
    return tuple(
        DeviceRecord(
            **r,
            revoked_certificates=revoked.get(r["device_id"], ()),
            repeated_counters=repeated.get(r["device_id"], ()),
        )
        for r in rows
    )


def _revoked_certificates(
    connection: Connection, device_id: str | None
) -> dict[str, tuple[RevokedCertificate, ...]]:
    """By device, or of this one. Of several rows for one certificate the last reaches back furthest."""
    rows = (
        connection.execute(_REVOKED)
        if device_id is None
        else connection.execute(_REVOKED_OF, {"device": device_id})
    )
    found: dict[str, dict[str, RevokedCertificate]] = {}
    for row in rows:
        found.setdefault(row.device_id, {})[row.serial] = RevokedCertificate(
            serial=row.serial, invalid_since=row.invalid_since, reason=row.reason
        )
    return {device_id: tuple(by_serial.values()) for device_id, by_serial in found.items()}


def _attest(connection: Connection, device: DeviceRecord, evidence: Evidence, now: datetime) -> DeviceRecord:
    """Keep the evidence; the device as it is afterwards."""
    attested = evidence.attested
    connection.execute(
        insert(attestations).values(
            device_id=device.device_id,
            spki_sha256=device.spki_sha256,
            fmt=attested.fmt,
            level=attested.level,
            challenge=evidence.challenge,
            statement=evidence.statement,
            facts=json.dumps(dict(attested.facts)),
            examined_at=now,
        )
    )
    if attested.level == 0:  # the key's own word: kept, and nobody vouched for anything
        return device
    if device.attestation_fmt is not None and attested.level < device.assurance_level:
        return device
    found = {"assurance_level": attested.level, "attestation_fmt": attested.fmt, "attested_at": now}
    connection.execute(update(devices).where(devices.c.device_id == device.device_id).values(**found))
    return replace(device, assurance_level=attested.level, attestation_fmt=attested.fmt, attested_at=now)


def _issued(device: DeviceRecord, certificate: x509.Certificate, evidence: Evidence | None) -> LogEntry:
    statement = None if evidence is None else sha256(evidence.statement).hexdigest()
    return certificate_issued(
        device.device_id,
        certificate,
        assurance_level=device.assurance_level,
        attestation_sha256=statement,
    )


def _insert_certificate(connection: Connection, device_id: str, certificate: x509.Certificate) -> None:
    connection.execute(
        insert(certificates).values(
            serial=f"{certificate.serial_number:x}",
            device_id=device_id,
            der=certificate.public_bytes(Encoding.DER),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )
    )
