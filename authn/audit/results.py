"""The rows of an audit: append-only JSON lines, one per input, written by one writer.

A row is a report or what stands in its place. A line that was torn by a crash is dropped and its input done
again. ``content_sha256`` is over the rows without their ``run`` part and in no order, so that it is the same
whether the audit ran in one go or in ten, with one worker or with eight.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from authn.core.errors import AuditError, UnsupportedMedia
from authn.core.evidence import HeuristicOutcome, Outcome
from authn.core.media import SIDECAR_SUFFIX, claimed_type
from authn.report.vouching import joint_of
from authn.tlog.format.receipt import RECEIPT_SUFFIX

RESULTS_FILE = "results.jsonl"
SYNC_EVERY_ROWS = 64

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the rows say, counted; nothing here is added up across axes or detectors."""

    reported: int
    not_reported: int
    not_media: int  # of those: what neither says nor is a kind of media
    beside: int  # of those: receipts and manifest stores, which verify takes in and an audit does not
    refuted: int  # reports with at least one refuted axis
    outside_lists: int  # reports with at least one axis outside the reader's lists
    contradictory: int  # reports with at least one contradiction
    axes: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    # by detector and question: one detector may answer several
    detectors: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    content_sha256: str


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
        self._sync()
        self._file.close()

    def append(self, lines: Iterable[str]) -> None:
        """Raises ``AuditError`` when the disk is full or gone: a row that is not kept must not be claimed."""
        rows = [line.encode() + b"\n" for line in lines]
        data = b"".join(rows)
        try:
            self._write(data)
            self._unsynced += len(rows)
            if self._unsynced >= SYNC_EVERY_ROWS:
                self._sync()
        except OSError as e:
            raise AuditError(f"{self._file.name} cannot be written: {e.strerror or e}") from e

    def _write(self, data: bytes) -> None:
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._unsynced = 0


def read_rows(path: Path) -> Iterator[Row]:
    """Every whole row. Raises ``AuditError`` for a line that is complete but is no row."""
    if not path.exists():
        return
    with path.open("rb") as f:
        for number, line in enumerate(f, 1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
                row["subject"]["name"]
            except (ValueError, KeyError, TypeError) as e:
                raise AuditError(f"{path} line {number} is not a report; was it edited?") from e
            yield row


def row_line(row: Row) -> str:
    """One line; non-ASCII stays escaped, so that no reader can split it at an exotic line break."""
    return json.dumps(row, separators=(",", ":"))


def tally(rows: Iterable[Row]) -> Tally:
    """Count the rows once, in whatever order they come."""
    reported = not_reported = not_media = beside = refuted = outside = contradictory = 0
    axes: dict[str, Counter[str]] = {}
    detectors: dict[str, Counter[str]] = {}
    digests: list[bytes] = []
    for row in rows:
        digests.append(_row_digest(row))
        if "error" in row:
            not_reported += 1
            not_media += is_not_media(row)
            beside += is_not_media(row) and _lies_beside(row)
            continue
        reported += 1
        outcomes = {name: axis["outcome"] for name, axis in row["cryptographic"]["axes"].items()}
        refuted += Outcome.REFUTED in outcomes.values()
        outside += Outcome.OUTSIDE_LISTS in outcomes.values()
        contradictory += bool(row["contradictions"])
        for name, outcome in outcomes.items():
            axes.setdefault(name, Counter())[outcome] += 1
        for detector in row["heuristic"]["detectors"]:
            if joint_of(detector) is not None:
                continue
            name = f"{detector['id']} ({detector['question'].replace('_', ' ')})"
            detectors.setdefault(name, Counter())[detector["outcome"]] += 1
    return Tally(
        reported=reported,
        not_reported=not_reported,
        not_media=not_media,
        beside=beside,
        refuted=refuted,
        outside_lists=outside,
        contradictory=contradictory,
        axes=_counts(axes, [o.value for o in Outcome]),
        detectors=_counts(dict(sorted(detectors.items())), [o.value for o in HeuristicOutcome]),
        content_sha256=hashlib.sha256(b"".join(sorted(digests))).hexdigest(),
    )


def is_not_media(row: Row) -> bool:
    """A README or a key beside photos: not examined, and nothing that somebody should look at. A file that is
    named as media and holds none is another matter."""
    unsupported: bool = row["error"]["code"] == UnsupportedMedia.code
    return unsupported and claimed_type(row["subject"]["name"]) is None


def _lies_beside(row: Row) -> bool:
    name: str = row["subject"]["name"]
    return name.endswith((RECEIPT_SUFFIX, SIDECAR_SUFFIX))


def file_sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _row_digest(row: Row) -> bytes:
    kept = {key: value for key, value in row.items() if key != "run"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).digest()


def _counts(
    found: dict[str, Counter[str]], order: list[str]
) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    return tuple((name, tuple((o, count[o]) for o in order)) for name, count in found.items())


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
