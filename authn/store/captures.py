"""Which captures were taken in, under which salt they are logged, and the numbers that devices gave them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    FromClause,
    Insert,
    Select,
    Table,
    bindparam,
    func,
    select,
    update,
)

from authn.store.engine import upserting, writing
from authn.store.schema import captures
from authn.store.schema import repeated_counters as repeated

MAX_REPEATED = 1000

# Made once: putting a statement together costs as much as running it.
_SALT = select(captures.c.salt).where(captures.c.record_sha256 == bindparam("record"))
_PLACE = (
    update(captures)
    .where(captures.c.record_sha256 == bindparam("record"), captures.c.idx.is_(None))
    .values(idx=bindparam("place"))
)
_OF_THIS_NUMBER = (
    captures.c.device_id == bindparam("device"),
    captures.c.counter == bindparam("number"),
    captures.c.claim_sha256 != bindparam("claim"),
)
_OTHERS = (
    select(captures.c.idx)
    .where(*_OF_THIS_NUMBER, captures.c.idx.is_not(None))
    .order_by(captures.c.idx)
    .limit(MAX_REPEATED)
)
_ANOTHER = select(captures.c.record_sha256).where(*_OF_THIS_NUMBER).limit(1)


def _repeated(among: FromClause) -> Select[Any]:
    """Those of ``among`` that several captures bear which are in the log now."""
    same = (captures.c.device_id == among.c.device_id) & (captures.c.counter == among.c.counter)
    return (
        select(captures.c.device_id, captures.c.counter)
        .join(among, same)
        .where(captures.c.idx.is_not(None))
        .group_by(captures.c.device_id, captures.c.counter)
        .having(func.count(captures.c.claim_sha256.distinct()) > 1)
        .order_by(captures.c.counter.desc())
    )


_REPEATED = _repeated(repeated)
_REPEATED_OF = _repeated(
    select(repeated)
    .where(repeated.c.device_id == bindparam("device"))
    .order_by(repeated.c.counter.desc())
    .limit(MAX_REPEATED)
    .subquery()
)


@cache
def _add(dialect: str, table: Table) -> Insert:
    return upserting(dialect, table).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """``record_sha256`` is of what is logged, ``claim_sha256`` of what the device signed: a capture that is
    stamped anew is another record and the same capture."""

    record_sha256: str
    claim_sha256: str
    device_id: str
    counter: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """``others``: the entries of other captures of this device that bear the same number."""

    salt: bytes
    others: tuple[int, ...]


class TakenCaptures:
    """Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remember(self, capture: Capture, fresh_salt: bytes, now: datetime) -> Remembered:
        """The same salt for the same record, whoever asks first: so that it has one leaf, and one place."""
        row = {**asdict(capture), "salt": fresh_salt, "taken_at": now}
        with writing(self._engine) as connection:
            salt = None
            while salt is None:  # PostgreSQL: one that was there may have been forgotten just now
                connection.execute(_add(connection.dialect.name, captures), row)
                salt = connection.execute(_SALT, {"record": capture.record_sha256}).scalar()
            others: tuple[int, ...] = ()
            if capture.counter is not None:
                others = tuple(connection.execute(_OTHERS, _number_of(capture)).scalars())
            return Remembered(salt=bytes(salt), others=others)

    def placed(self, capture: Capture, index: int) -> None:
        """The record is this entry of the log. Of two captures of one number at least the one that was
        remembered later finds the other here, however they overlap: each is remembered before."""
        with writing(self._engine) as connection:
            connection.execute(_PLACE, {"record": capture.record_sha256, "place": index})
            if capture.counter is None or connection.execute(_ANOTHER, _number_of(capture)).first() is None:
                return
            row = {"device_id": capture.device_id, "counter": capture.counter}
            connection.execute(_add(connection.dialect.name, repeated), row)


def _number_of(capture: Capture) -> dict[str, object]:
    return {"device": capture.device_id, "number": capture.counter, "claim": capture.claim_sha256}


def repeated_counters(connection: Connection, device_id: str | None) -> dict[str, tuple[int, ...]]:
    """By device, or of this one: the numbers that several of its captures bear, the newest
    ``MAX_REPEATED``."""
    rows = (
        connection.execute(_REPEATED)
        if device_id is None
        else connection.execute(_REPEATED_OF, {"device": device_id})
    )
    found: dict[str, list[int]] = {}
    for device_id, counter in rows:
        numbers = found.setdefault(device_id, [])
        if len(numbers) < MAX_REPEATED:
            numbers.append(counter)
    return {device_id: tuple(sorted(numbers)) for device_id, numbers in found.items()}
