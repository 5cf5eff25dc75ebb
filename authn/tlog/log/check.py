"""The whole log, derived again from its stored bytes. After every fault, in every test, and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Engine, Row, Select, func, select

from authn.core.errors import LogInconsistent, NoteError, NotFound
from authn.store.engine import paged, reading
from authn.store.schema import log_checkpoint, log_entry, log_opening, log_state, log_tile
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.entry import leaf_bytes, parse_leaf
from authn.tlog.format.merkle import Frontier, leaf_hash
from authn.tlog.format.note import Verifier, verify
from authn.tlog.format.tiles import LEVEL_BITS, WIDTH

PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLog:
    """What was found to be in order. ``openings`` counts the leaves whose salts still exist."""

    origin: str
    size: int
    root: bytes
    checkpoints: int
    openings: int


def check_log(engine: Engine, key: Verifier) -> CheckedLog:
    """Every invariant of the log, in one snapshot and bounded memory:

    entries have no gap and hash to what is stored beside them; every checkpoint has the root of the entries
    before it and the log's signature; the newest is the head; tiles are exactly those of the tree; salts that
    exist open their leaves. Raises ``LogInconsistent`` naming the first that fails, ``NotFound`` where there
    is no log, ``Unavailable``.
    """
    with reading(_snapshots(engine)) as connection:
        head = connection.execute(select(log_state)).one_or_none()
        if head is None:
            raise NotFound("there is no log yet")
        _note_says(head.note, key, head.origin, head.size, bytes(head.root))
        frontier, checkpoints = _grow(connection, key, head.origin)
        _ensure(frontier.size == head.size, f"{frontier.size} entries for a head of {head.size}")
        _ensure(frontier.root() == bytes(head.root), "the entries do not have the head's root")
        newest = connection.execute(
            select(log_checkpoint.c.note).where(log_checkpoint.c.size == head.size)
        ).scalar()
        _ensure(newest == head.note, "the head is not the newest checkpoint")
        openings = _openings(connection)
    return CheckedLog(
        origin=head.origin,
        size=head.size,
        root=bytes(head.root),
        checkpoints=checkpoints,
        openings=openings,
    )


def _snapshots(engine: Engine) -> Engine:
    """SQLite's transactions see one state anyhow."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _grow(connection: Connection, key: Verifier, origin: str) -> tuple[Frontier, int]:
    """The tree from its entries; each checkpoint is met at its size, each tile when the next begins."""
    frontier, tiles = Frontier(), _Tiles(connection)
    checkpoints = _checkpoint_at(connection, frontier, key, origin)
    for index, stored_hash, leaf in _entries(connection):
        _ensure(index == frontier.size, f"entry {frontier.size} is missing")
        _ensure(leaf_hash(leaf) == stored_hash, f"entry {index} does not have the hash stored beside it")
        frontier.append(stored_hash, tiles.emit)
        checkpoints += _checkpoint_at(connection, frontier, key, origin)
    stored = connection.execute(select(func.count()).select_from(log_checkpoint)).scalar()
    _ensure(stored == checkpoints, "there is a checkpoint beyond the tree")
    tiles.end()
    return frontier, checkpoints


def _entries(connection: Connection) -> Iterator[tuple[int, bytes, bytes]]:
    columns = select(log_entry.c.idx, log_entry.c.leaf_hash, log_entry.c.leaf)
    for row in _paged(connection, columns, log_entry.c.idx):
        yield row.idx, bytes(row.leaf_hash), bytes(row.leaf)


def _paged(connection: Connection, query: Select[Any], key: Column[int]) -> Iterator[Row[Any]]:
    return paged(lambda page: connection.execute(page).all(), query, key, size=PAGE)


def _checkpoint_at(connection: Connection, frontier: Frontier, key: Verifier, origin: str) -> int:
    query = select(log_checkpoint.c.root, log_checkpoint.c.note).where(log_checkpoint.c.size == frontier.size)
    row = connection.execute(query).one_or_none()
    if row is None:
        return 0
    root = frontier.root()
    _ensure(bytes(row.root) == root, f"checkpoint {frontier.size} has another root than its entries")
    _note_says(row.note, key, origin, frontier.size, root)
    return 1


def _note_says(note: str, key: Verifier, origin: str, size: int, root: bytes) -> None:
    try:
        said = parse_checkpoint(verify(note, (key,)).text)
    except NoteError as e:
        raise LogInconsistent(f"checkpoint {size} is not signed by the log's key: {e.detail}") from e
    _ensure(
        (said.origin, said.size, said.root) == (origin, size, root), f"checkpoint {size} says something else"
    )


class _Tiles:
    """Holds one unfinished tile for each level, and compares every tile with the stored one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: dict[int, tuple[int, bytearray]] = {}
        self._seen = 0

    def emit(self, level: int, index: int, hash_: bytes) -> None:
        if level % LEVEL_BITS:
            return
        number, tile = self._open.setdefault(level // LEVEL_BITS, (index // WIDTH, bytearray()))
        tile += hash_
        if index % WIDTH == WIDTH - 1:
            del self._open[level // LEVEL_BITS]
            self._compare(level // LEVEL_BITS, number, tile)

    def end(self) -> None:
        for level, (number, tile) in self._open.items():
            self._compare(level, number, tile)
        stored = self._connection.execute(select(func.count()).select_from(log_tile)).scalar()
        _ensure(stored == self._seen, "there is a tile that the tree does not have")

    def _compare(self, level: int, number: int, tile: bytearray) -> None:
        query = select(log_tile.c.hashes).where(log_tile.c.level == level, log_tile.c.idx == number)
        stored = self._connection.execute(query).scalar()
        _ensure(stored is not None and bytes(stored) == tile, f"tile {level}/{number} is not the tree's")
        self._seen += 1


def _openings(connection: Connection) -> int:
    joined = select(log_opening, log_entry.c.leaf).outerjoin(log_entry, log_entry.c.idx == log_opening.c.idx)
    count = 0
    for row in _paged(connection, joined, log_opening.c.idx):
        _ensure(row.leaf is not None, f"a salt for entry {row.idx}, which does not exist")
        _ensure(_opens(row), f"the salt of entry {row.idx} does not open it")
        count += 1
    return count


def _opens(row: Row[Any]) -> bool:
    try:
        version = parse_leaf(bytes(row.leaf)).version
        return leaf_bytes(row.kind, bytes(row.salt), bytes(row.record), version) == bytes(row.leaf)
    except ValueError:
        return False


def _ensure(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LogInconsistent(otherwise)
