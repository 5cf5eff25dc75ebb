"""A log of the tests: its key, its way to sign, entries to put into it, and storages that fail on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.entry import EntryKind, LogEntry, new_entry
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.log.queue import Queued
from authn.tlog.log.sequencer import Sequencer, SignCheckpoint
from authn.tlog.log.storage import SqlStorage, Storage, Transaction
from authn.tlog.log.watermark import Watermark

ORIGIN = "log.test/receipts"
KEY = SigningKey.load(ORIGIN, bytes(range(32)))  # the same in every process of a test
STEPS = ("head", "tile", "indices", "add_entries", "put_tiles", "advance", "unqueue", "commit")


def signing(key: SigningKey) -> SignCheckpoint:
    return lambda origin, size, root: sign(Checkpoint(origin, size, root).text(), (key,))


def open_log(
    engine: Engine, key: SigningKey = KEY, origin: str = ORIGIN, watermark: Watermark | None = None
) -> Sequencer:
    log = Sequencer(SqlStorage(engine), origin, signing(key), watermark)
    log.start()
    return log


def entry(number: int) -> LogEntry:
    return new_entry(EntryKind.RECEIPT, {"number": number})


class FaultyWatermark(Watermark):
    """The real mark, and ``fault`` before or after it is kept."""

    def __init__(self, path: Path, after: bool, fault: Callable[[], None]) -> None:
        super().__init__(path)
        self._after, self._fault = after, fault

    def keep(self, reached: Checkpoint) -> None:
        if not self._after:
            self._fault()
        super().keep(reached)
        if self._after:
            self._fault()


class FaultyStorage:
    """The real storage, and ``fault`` before or after one step of each of its transactions."""

    def __init__(self, engine: Engine, step: str, after: bool, fault: Callable[[], None]) -> None:
        self._storage: Storage = SqlStorage(engine)
        self._step, self._after, self._fault = step, after, fault

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._storage.transaction() as transaction:
            yield FaultyTransaction(transaction, self._at)

    def queued(self, limit: int) -> tuple[Queued, ...]:
        return self._storage.queued(limit)

    def close(self) -> None:
        self._storage.close()

    def _at(self, step: str, after: bool) -> None:
        if (step, after) == (self._step, self._after):
            self._fault()


class FaultyTransaction:
    def __init__(self, transaction: Transaction, at: Callable[[str, bool], None]) -> None:
        self._transaction, self._at = transaction, at

    def _do(self, step: str, *arguments: Any) -> Any:
        self._at(step, False)
        result = getattr(self._transaction, step)(*arguments)
        self._at(step, True)
        return result

    def head(self) -> Any:
        return self._do("head")

    def tile(self, level: int, index: int) -> bytes:
        return bytes(self._do("tile", level, index))

    def indices(self, leaf_hashes: Sequence[bytes]) -> Any:
        return self._do("indices", leaf_hashes)

    def add_entries(self, rows: Any) -> None:
        self._do("add_entries", rows)

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        self._do("put_tiles", tiles)

    def advance(self, old: Any, new: Any) -> bool:
        return bool(self._do("advance", old, new))

    def unqueue(self, ids: Sequence[int]) -> None:
        self._do("unqueue", ids)

    def commit(self) -> None:
        self._do("commit")
