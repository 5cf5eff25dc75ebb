"""The rows of a run with their index and counts: what is written is kept, and known without reading it again.

Rows go to the disk first, the index follows. Where a crash came between them, the rows that the index lacks
are read once at the next start.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from authn.audit.counts import Counts
from authn.audit.file_row import file_row, urgency_of_refusal
from authn.audit.index import Index, Placed
from authn.audit.looking import Made, twin_of_row
from authn.audit.results import (
    RESULTS_FILE,
    ResultsWriter,
    Row,
    placed_rows,
    row_at,
    row_digest,
    row_line,
)
from authn.audit.thumbnails import Thumbnails

SETTLE_EVERY_ROWS, SETTLE_EVERY_S = 256, 2.0


class Ledger:
    """One writer of a run. Raises ``AuditError`` when the disk is full or gone, or another audit writes."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._path = folder / RESULTS_FILE
        self._index = index
        self._writer = ResultsWriter(self._path)
        self.thumbnails = Thumbnails(folder, index)
        self._unsettled: list[Placed] = []
        self._known: set[str] = set()
        self._settled_s = time.monotonic()
        self.counts = Counts()
        self._catch_up()
        self.rows = self._index.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._writer.__exit__()

    def _catch_up(self) -> None:
        """Take in the rows that the index lacks: all of them, where the file is not the one that it knew."""
        end, counts = self._index.fact("end"), self._index.fact("counts")
        start = end if isinstance(end, int) and end <= self._writer.end else 0
        if start and isinstance(counts, str):
            self.counts = Counts.of(counts)
        else:
            self._index.forget_rows()
        self._end = start
        for row, at, size in placed_rows(self._path, start):
            self._take_in(row, at, size, twin_of_row(row))
            if len(self._unsettled) >= SETTLE_EVERY_ROWS:
                self.settle()
        self.settle()

    def has_row(self, name: str) -> bool:
        return name in self._known or self._index.has_row(name)

    def twin(self, twin: bytes) -> Row | None:
        """Some settled row about the same bytes."""
        place = self._index.twin(twin)
        return None if place is None else row_at(self._path, *place)

    def add(self, made: Iterable[Made]) -> None:
        """Write rows."""
        listed = list(made)
        lines = [row_line(m.row) for m in listed]
        at = self._end
        self._writer.append(lines)
        for m, line in zip(listed, lines, strict=True):
            self._take_in(m.row, at, len(line) + 1, m.twin)
            at += len(line) + 1
            if m.thumbnail_jpeg is not None:
                self.thumbnails.add(m.row["subject"]["sha256"], m.thumbnail_jpeg)
        self.rows += len(listed)
        late = time.monotonic() - self._settled_s > SETTLE_EVERY_S
        if len(self._unsettled) >= SETTLE_EVERY_ROWS or late:
            self.settle()

    def _take_in(self, row: Row, at: int, size: int, twin: bytes | None) -> None:
        if "error" in row:
            urgency = urgency_of_refusal(row)
            self.counts.add(row)
        else:
            shown = file_row(row)
            urgency = shown.urgency
            self.counts.add(row, situation=shown.situation, facets=shown.facets)
        name = row["subject"]["name"]
        self._known.add(name)
        self._unsettled.append(
            Placed(name=name, at=at, size=size, digest=row_digest(row), twin=twin, urgency=urgency)
        )
        self._end = at + size

    def settle(self) -> None:
        """What was added is on the disk and in the index when this returns."""
        self._settled_s = time.monotonic()
        self.thumbnails.settle()
        if self._unsettled:
            self._writer.sync()
            self._index.add(self._unsettled, end=self._end, counts=self.counts.text())
            self._unsettled.clear()
            self._known.clear()

    def content_sha256(self) -> str:
        """Over the rows without their ``run`` part and in no order, so that it is the same whether the audit
        ran in one go or in ten, with one worker or with eight."""
        whole = hashlib.sha256()
        for digest in self._index.digests():
            whole.update(digest)
        return whole.hexdigest()

    def by_urgency(self, *, first: int = 0, below: int = 1 << 30) -> Iterator[Row]:
        """Rows from this urgency on and below the other, what presses first."""
        return (row_at(self._path, at, size) for at, size in self._index.by_urgency(first=first, below=below))
