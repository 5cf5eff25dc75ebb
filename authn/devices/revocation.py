"""What was revoked, from when on and why, and the signed list of it; all in the database.

Every revocation is a row that is never changed: a later one for the same key can only reach further back.
A revoked device takes all its certificates with it. The list is made when somebody asks and it is older than
ten minutes or than the newest revocation, by one process while the others wait.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Engine, Row, and_, delete, func, insert, or_, select

from authn.core.errors import NotFound, RegistryError, Unavailable
from authn.devices import DeviceRecord
from authn.devices.registry import Registry, parse_reason, parse_since
from authn.pki.crl import Cause, RevokedEntry, build_crl
from authn.pki.profile import Issuer
from authn.store.engine import Turn, alone, reading, writing
from authn.store.schema import certificates, crls, revocations
from authn.tlog.format.records import revoked as log_record
from authn.tlog.log.queue import enqueue

REGENERATE_AFTER = timedelta(minutes=10)
LIST_LIFETIME = timedelta(hours=24)
KEPT_LISTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Of one serial number: unknown when we issued no such certificate, good when ``entry`` is None."""

    known: bool
    entry: RevokedEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCrl:
    number: int
    der: bytes
    this_update: datetime
    next_update: datetime


class Revocations:
    """Revokes devices and certificates, and publishes. Every method raises ``Unavailable`` when the database
    cannot be used. ``log_queued`` is ``Log.append_queued``, called after the commit: a revocation stands
    whether or not the log can take it now, and waits in the log's queue until then."""

    def __init__(self, engine: Engine, registry: Registry, log_queued: Callable[[], int] = lambda: 0) -> None:
        self._engine = engine
        self._registry = registry
        self._log_queued = log_queued

    def revoke_device(
        self,
        name_or_id: str,
        *,
        reason: str,
        cause: Cause = Cause.UNSPECIFIED,
        now: datetime,
        invalid_since: datetime | None = None,
    ) -> DeviceRecord:
        """Raises as ``Registry.revoke``."""
        device = self._registry.revoke(
            name_or_id, reason=reason, cause=cause, now=now, invalid_since=invalid_since
        )
        self._tell_log()
        return device

    def revoke_certificate(
        self,
        serial: int,
        *,
        reason: str,
        cause: Cause = Cause.UNSPECIFIED,
        now: datetime,
        invalid_since: datetime | None = None,
    ) -> RevokedEntry:
        """One certificate; the device and its other certificates stay good. Raises ``NotFound`` for one that
        was not issued here, ``BadRequest`` and ``RegistryError`` as ``Registry.revoke``."""
        since, text = parse_since(invalid_since, now), parse_reason(reason)
        with writing(self._engine) as connection:
            query = select(certificates.c.device_id).where(certificates.c.serial == f"{serial:x}")
            device_id = connection.execute(query).scalar_one_or_none()
            if device_id is None:
                raise NotFound("no certificate with this serial number was issued here")
            known = _entries(connection, serial)
            if known and since >= known[0].invalid_since:
                raise RegistryError("it is revoked already, from that time or an earlier one")
            row = {"device_id": device_id, "serial": f"{serial:x}", "cause": cause.value, "reason": text}
            connection.execute(insert(revocations).values(revoked_at=now, invalid_since=since, **row))
            said = log_record(
                device_id, serial=f"{serial:x}", cause=cause.value, revoked_at=now, invalid_since=since
            )
            enqueue(connection, said)
        self._tell_log()
        return RevokedEntry(serial=serial, revoked_at=now, invalid_since=since, cause=cause)

    def _tell_log(self) -> None:
        with suppress(Unavailable):
            self._log_queued()

    def entries(self) -> tuple[RevokedEntry, ...]:
        """Every revoked certificate, expired ones too."""
        with reading(self._engine) as connection:
            return _entries(connection)

    def status(self, serial: int) -> Status:
        """Of one certificate, now."""
        with reading(self._engine) as connection:
            query = select(certificates.c.serial).where(certificates.c.serial == f"{serial:x}")
            known = connection.execute(query).scalar_one_or_none() is not None
            found = _entries(connection, serial) if known else ()
        return Status(known=known, entry=found[0] if found else None)

    def current_crl(self, issuer: Issuer, now: datetime) -> PublishedCrl:
        """The list that stands, or a new one with a higher number."""
        key_id = _key_id(issuer)
        with reading(self._engine) as connection:
            standing = _standing(connection, key_id, now)
        if standing is not None:
            return standing
        with writing(self._engine) as connection:  # whoever waited here finds the list made
            alone(connection, Turn.PUBLISHING)
            return _standing(connection, key_id, now) or _publish(connection, issuer, now)


def _key_id(issuer: Issuer) -> str:
    return sha256(issuer.certificate.public_bytes(Encoding.DER)).hexdigest()


def _standing(connection: Connection, key_id: str, now: datetime) -> PublishedCrl | None:
    newest = connection.execute(select(crls).order_by(crls.c.number.desc()).limit(1)).one_or_none()
    if newest is None or newest.issuer_sha256 != key_id or newest.last_revocation != _last(connection):
        return None
    if now - newest.this_update >= REGENERATE_AFTER:
        return None
    return _published(newest)


def _publish(connection: Connection, issuer: Issuer, now: datetime) -> PublishedCrl:
    """The number follows the clock, so that it grows even after a backup was restored."""
    newest = connection.execute(select(func.max(crls.c.number))).scalar_one() or 0
    number = max(newest + 1, int(now.timestamp()))
    der = build_crl(
        issuer,
        _entries(connection),
        number=number,
        this_update=now,
        next_update=now + LIST_LIFETIME,
    )
    row = {"number": number, "issuer_sha256": _key_id(issuer), "last_revocation": _last(connection)}
    times = {"this_update": now, "next_update": now + LIST_LIFETIME}
    connection.execute(insert(crls).values(der=der, **row, **times))
    kept = select(crls.c.number).order_by(crls.c.number.desc()).limit(KEPT_LISTS)
    connection.execute(delete(crls).where(crls.c.number.not_in(kept.scalar_subquery())))
    return PublishedCrl(number=number, der=der, this_update=now, next_update=now + LIST_LIFETIME)


def _published(row: Row[tuple[object, ...]]) -> PublishedCrl:
    return PublishedCrl(
        number=row.number, der=row.der, this_update=row.this_update, next_update=row.next_update
    )


def _last(connection: Connection) -> int:
    return connection.execute(select(func.max(revocations.c.id))).scalar_one() or 0


def _entries(connection: Connection, serial: int | None = None) -> tuple[RevokedEntry, ...]:
    """By serial number: known since its first revocation, invalid since the earliest time named, with the
    newest cause."""
    concerns = or_(
        revocations.c.serial == certificates.c.serial,
        and_(revocations.c.serial.is_(None), revocations.c.device_id == certificates.c.device_id),
    )
    query = select(
        certificates.c.serial,
        revocations.c.revoked_at,
        revocations.c.invalid_since,
        revocations.c.cause,
    ).join(revocations, and_(revocations.c.device_id == certificates.c.device_id, concerns))
    if serial is not None:
        query = query.where(certificates.c.serial == f"{serial:x}")
    found: dict[str, RevokedEntry] = {}
    for row in connection.execute(query.order_by(certificates.c.serial, revocations.c.id)):
        before = found.get(row.serial)
        found[row.serial] = RevokedEntry(
            serial=int(row.serial, 16),
            revoked_at=min(row.revoked_at, before.revoked_at) if before else row.revoked_at,
            invalid_since=min(row.invalid_since, before.invalid_since) if before else row.invalid_since,
            cause=row.cause,
        )
    return tuple(found.values())
