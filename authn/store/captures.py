"""Which captures were taken in, under which salt they are logged, and the numbers that devices gave them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select, update

from authn.store.engine import upsert, writing
from authn.store.schema import captures

MAX_REPEATED = 1000


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
        same = captures.c.record_sha256 == capture.record_sha256
        others = (
            (captures.c.device_id == capture.device_id)
            & (captures.c.counter == capture.counter)
            & (captures.c.claim_sha256 != capture.claim_sha256)
            & captures.c.idx.is_not(None)
        )
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, captures).values(row).on_conflict_do_nothing())
            salt = connection.execute(select(captures.c.salt).where(same)).scalar_one()
            found = select(captures.c.idx).where(others).order_by(captures.c.idx).limit(MAX_REPEATED)
            return Remembered(salt=bytes(salt), others=tuple(connection.execute(found).scalars()))

    def placed(self, record_sha256: str, index: int) -> None:
        """The record is this entry of the log."""
        row = update(captures).where(captures.c.record_sha256 == record_sha256)
        with writing(self._engine) as connection:
            connection.execute(row.where(captures.c.idx.is_(None)).values(idx=index))


def repeated_counters(
    connection: Connection, device_ids: Collection[str] | None
) -> dict[str, tuple[int, ...]]:
    """By device: the numbers that several of its captures bear, the newest ``MAX_REPEATED``."""
    columns = captures.c.device_id, captures.c.counter
    query = select(*columns).where(captures.c.counter.is_not(None), captures.c.idx.is_not(None))
    if device_ids is not None:
        query = query.where(captures.c.device_id.in_(device_ids))
    several = func.count(captures.c.claim_sha256.distinct()) > 1
    query = query.group_by(*columns).having(several).order_by(captures.c.counter.desc())
    found: dict[str, list[int]] = {}
    for device_id, counter in connection.execute(query):
        numbers = found.setdefault(device_id, [])
        if len(numbers) < MAX_REPEATED:
            numbers.append(counter)
    return {device_id: tuple(sorted(numbers)) for device_id, numbers in found.items()}
