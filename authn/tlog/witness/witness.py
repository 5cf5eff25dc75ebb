"""A C2SP tlog-witness: signs a checkpoint only when it continues what it signed before of the same log.

What it will remember is on the disk before its signature leaves. Two notes of a log that cannot both be true
are kept: they are signed by the log's own key, so that they convince anybody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from authn.core.errors import DatabaseUnusable, NoteError
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from authn.tlog.format.note import Verifier, parse, parse_vkey, signature_line, verify
from authn.tlog.format.proof import MAX_HASHES, Proof, proves_consistency
from authn.tlog.format.text import canonical_number, decode, encode

MAX_BODY_BYTES = 64 << 10
MAX_UNPROVEN = (
    256  # notes kept for each log whose proof failed; anybody can send a bad proof with a good note
)
# Logs from before the recommendation, by their keys.
ORIGINS = {
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8": "go.sum database tree",
}
PLAIN = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"
BUSY_TIMEOUT_S = 20
SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS evidence (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
  held TEXT NOT NULL, offered TEXT NOT NULL, UNIQUE (origin, kind, size, root));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Of the HTTP interface."""

    status: int
    body: str
    content_type: str = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``split_view``: two signed roots for one size, which nobody can explain away. Otherwise the log failed
    to prove that ``offered`` continues ``held``, which may be a mistake of whoever asked."""

    origin: str
    split_view: bool
    held: str
    offered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLog:
    """``origin`` is the first line of its checkpoints; empty: the name of its key, as tlog-checkpoint
    recommends. A key signs for no other log than the one it was given for."""

    key: Verifier
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    old: int
    proof: Proof
    checkpoint: Checkpoint
    note: str


def parse_log(text: str) -> KnownLog:
    """A vkey, and after a space the origin where it is not the key's name. Raises ``NoteError``."""
    vkey, _, origin = text.partition(" ")
    return KnownLog(key=parse_vkey(vkey), origin=origin or ORIGINS.get(vkey, ""))


class Witness:
    """Over one SQLite file; several threads and processes may serve the same."""

    def __init__(
        self, database: Path, logs: Sequence[Verifier | KnownLog], signers: Sequence[Cosigner]
    ) -> None:
        """A key alone is of the log that is called as the key. Raises ``NoteError`` for two keys of one log,
        of which only one would count."""
        self._database = database
        known = [log if isinstance(log, KnownLog) else KnownLog(key=log) for log in logs]
        self._logs = {log.origin or log.key.name: log.key for log in known}
        if len(self._logs) != len(set(known)):
            raise NoteError("two keys are given for one log")
        self._signers = tuple(signers)
        with self._connected() as connection:
            connection.executescript(SCHEMA)

    def add_checkpoint(self, body: bytes) -> Answer:
        """tlog-witness "add-checkpoint". Raises ``Unavailable``; then nothing was signed."""
        try:
            asked = _parsed(body)
        except NoteError as e:
            return _said(400, e.detail)
        key = self._logs.get(asked.checkpoint.origin)
        if key is None:
            return _said(404, "this witness does not know that log")
        try:
            verify(asked.note, (key,))
        except NoteError as e:
            return _said(403, e.detail)
        if asked.old > asked.checkpoint.size:
            return _said(400, "the old size is larger than the checkpoint's")
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            answer = self._judge(connection, asked, _log_lines(asked.note, key))
            connection.execute("COMMIT")
        return answer

    def checkpoint(self, origin_sha256: str) -> str | None:
        """The newest checkpoint that was signed of the log whose origin has this hash, with signatures."""
        with self._connected() as connection:
            for origin, note in connection.execute("SELECT origin, note FROM seen"):
                if sha256(origin.encode()).hexdigest() == origin_sha256:
                    return str(note)
        return None

    def evidence(self) -> tuple[Evidence, ...]:
        """Everything that was refused although a log had signed it, oldest first."""
        query = "SELECT origin, kind, held, offered FROM evidence ORDER BY id"
        with self._connected() as connection:
            return tuple(
                Evidence(origin=origin, split_view=kind == "split", held=held, offered=offered)
                for origin, kind, held, offered in connection.execute(query)
            )

    def _judge(self, connection: sqlite3.Connection, asked: _Asked, log_lines: str) -> Answer:
        new = asked.checkpoint
        row = connection.execute(
            "SELECT size, root, note FROM seen WHERE origin = ?", (new.origin,)
        ).fetchone()
        size, root, held = row or (0, EMPTY_ROOT, "")
        if new.size == size and new.root != root:  # kept whatever is answered
            _keep(connection, asked, "split", held)
        if asked.old != size:
            return Answer(status=409, body=f"{size}\n", content_type=SIZE)
        if new.size == size and new.root != root:
            return _said(409, "this witness has signed another root for that size")
        if not proves_consistency(size, new.size, asked.proof, root, new.root):
            if new.size != size:
                _keep(connection, asked, "unproven", held)
            return _said(422, "the checkpoint is not shown to continue what this witness has signed")
        lines = "".join(signature_line(s.cosign(new.text())) for s in self._signers)
        connection.execute(
            "INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
            " SET size = excluded.size, root = excluded.root, note = excluded.note",
            (new.origin, new.size, new.root, f"{new.text()}\n{log_lines}{lines}"),
        )
        return Answer(status=200, body=lines)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Leaving by an exception undoes what was not committed."""
        try:
            connection = sqlite3.connect(self._database, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as e:
            raise DatabaseUnusable(f"the witness's database cannot be used ({type(e).__name__})") from e


def _keep(connection: sqlite3.Connection, asked: _Asked, kind: str, held: str) -> None:
    new = asked.checkpoint
    count = "SELECT count(*) FROM evidence WHERE origin = ? AND kind = 'unproven'"
    if kind == "unproven" and connection.execute(count, (new.origin,)).fetchone()[0] >= MAX_UNPROVEN:
        return
    connection.execute(
        "INSERT OR IGNORE INTO evidence (origin, kind, size, root, held, offered) VALUES (?, ?, ?, ?, ?, ?)",
        (new.origin, kind, new.size, new.root, held, asked.note),
    )


def _parsed(body: bytes) -> _Asked:
    try:
        text = body.decode() if len(body) <= MAX_BODY_BYTES else ""
    except UnicodeDecodeError as e:
        raise NoteError("the request is not text") from e
    head, gap, note = text.partition("\n\n")
    first, *hashes = head.split("\n")
    digits = first.removeprefix("old ")
    if not gap or digits == first or not _is_size(digits) or len(hashes) > MAX_HASHES:
        raise NoteError("the request is no old size, proof and checkpoint")
    return _Asked(
        old=int(digits),
        proof=tuple(map(_hash, hashes)),
        checkpoint=parse_checkpoint(parse(note).text),
        note=note,
    )


def _is_size(digits: str) -> bool:
    try:
        return canonical_number(digits) < MAX_SIZE
    except ValueError:
        return False


def _hash(text: str) -> bytes:
    try:
        raw = decode(text)
    except ValueError as e:
        raise NoteError("the proof is not base64") from e
    if len(raw) != HASH_BYTES or encode(raw) != text:
        raise NoteError("the proof holds something that is no hash")
    return raw


def _log_lines(note: str, key: Verifier) -> str:
    """The log's own signature; those of strangers are not passed on."""
    return "".join(map(signature_line, verify(note, (key,)).signatures))


def _said(status: int, sentence: str) -> Answer:
    return Answer(status=status, body=f"{sentence}\n")
