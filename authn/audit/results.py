"""The rows of an audit: append-only JSON lines, one per input, written by one writer.

A row is a report or what stands in its place. A line that was torn by a crash is dropped and its input done
again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from authn.core.errors import AuditError, UnsupportedMedia
from authn.core.media import SIDECAR_SUFFIX, claimed_type
from authn.tlog.format.text import RECEIPT_SUFFIX

RESULTS_FILE = "results.jsonl"
SYNC_EVERY_ROWS = 64

Row = dict[str, Any]


class ResultsWriter:
    """Appends whole lines. A crash loses at most the rows since the last sync, and they are done again."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as e:
            raise AuditError(f"{path} cannot be written: {e.strerror or e}") from e
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _drop_torn_line(path)
        except OSError as e:
            self._file.close()
            busy = isinstance(e, BlockingIOError)
            raise AuditError(
                f"another audit is writing to {path}" if busy else f"{path} cannot be written: {e.strerror}"
            ) from e
        self._unsynced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.sync()
        self._file.close()

    @property
    def end(self) -> int:
        """Bytes that are written."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, lines: Iterable[str]) -> None:
        """Raises ``AuditError`` when the disk is full or gone: a row that is not kept must not be claimed."""
        rows = [line.encode() + b"\n" for line in lines]
        data = b"".join(rows)
        try:
            self._write(data)
            self._unsynced += len(rows)
            if self._unsynced >= SYNC_EVERY_ROWS:
                self.sync()
        except OSError as e:
            raise AuditError(f"{self._file.name} cannot be written: {e.strerror or e}") from e

    def _write(self, data: bytes) -> None:
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """What was appended is on the disk when this returns."""
        os.fsync(self._file.fileno())
        self._unsynced = 0


def read_rows(path: Path) -> Iterator[Row]:
    """Every whole row. Raises ``AuditError`` for a line that is complete but is no row."""
    return (row for row, _, _ in placed_rows(path))


def placed_rows(path: Path, start: int = 0) -> Iterator[tuple[Row, int, int]]:
    """As ``read_rows``, from a place on, each with the place and the length of its line."""
    if not path.exists():
        return
    with path.open("rb") as f:
        f.seek(start)
        at = start
        for line in f:
            if not line.endswith(b"\n"):
                return
            yield _row_of(line, path, at), at, len(line)
            at += len(line)


def row_at(path: Path, at: int, size: int) -> Row:
    """One row by its place. Raises ``AuditError``."""
    with path.open("rb") as f:
        f.seek(at)
        return _row_of(f.read(size), path, at)


def _row_of(line: bytes, path: Path, at: int) -> Row:
    try:
        row: Row = json.loads(line)
        row["subject"]["name"]
    except (ValueError, KeyError, TypeError) as e:
        raise AuditError(f"{path} holds no report at byte {at}; was it edited?") from e
    return row


def row_line(row: Row) -> str:
    """One line; non-ASCII stays escaped, so that no reader can split it at an exotic line break."""
    return json.dumps(row, separators=(",", ":"))


def is_not_media(row: Row) -> bool:
    """A README or a key beside photos: not examined, and nothing that somebody should look at. A file that is
    named as media and holds none is another matter."""
    unsupported: bool = row["error"]["code"] == UnsupportedMedia.code
    return unsupported and claimed_type(row["subject"]["name"]) is None


def lies_beside(row: Row) -> bool:
    """A receipt or a manifest store, which verify takes in and an audit does not."""
    name: str = row["subject"]["name"]
    return name.endswith((RECEIPT_SUFFIX, SIDECAR_SUFFIX))


def file_sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def row_digest(row: Row) -> bytes:
    """SHA-256 over the row without its ``run`` part, in one fixed form."""
    kept = {key: value for key, value in row.items() if key != "run"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).digest()


def _drop_torn_line(path: Path) -> None:
    """Cut the file after its last line break."""
    with path.open("r+b") as f:
        end = f.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            f.seek(start)
            at = f.read(end - start).rfind(b"\n")
            if at != -1:
                f.truncate(start + at + 1)
                return
            end = start
        f.truncate(0)
