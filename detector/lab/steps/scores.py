"""Score tables: what a detector says of every picture in every view, in the form that calibration reads.

One row is one picture in one view. The logit is of a head or network that saw neither the picture's generator
nor its source, else nothing that is computed from the table holds. Written as CSV with a header, so that
anybody can look at it, join it with another detector's and go back from a number to the pictures behind it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from detector.core.errors import CorpusError
from detector.core.files import read_file, write_whole
from detector.models.condition import Condition
from detector.models.kinds import Kind

STORED = "stored"  # the view of a file as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """``kind`` is what the picture is known to be, None where nobody said; ``predicted`` is what the content
    head takes it for, with ``kind_probability``; None where a detector has no content head. ``generator`` is
    empty for what was not generated. ``side`` and ``quality`` are those of the view (``Condition``);
    ``distance`` is in deviations per feature from the pictures that the detector was fitted on."""

    sha256: str
    fake: bool
    kind: Kind | None
    generator: str
    source: str
    view: str
    side: int
    quality: int | None
    media_type: str
    logit: float
    predicted: Kind | None
    kind_probability: float | None
    distance: float

    @property
    def condition(self) -> Condition:
        return Condition(side=self.side, quality=self.quality, media_type=self.media_type)


COLUMNS = tuple(f.name for f in fields(ScoreRow))


def write_scores(rows: Iterable[ScoreRow], path: Path) -> None:
    """Whole, rows in the order given; equal rows give equal bytes. Raises ``FileFailed``."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)
    write_whole(path, out.getvalue().encode())


def read_scores(path: Path) -> tuple[ScoreRow, ...]:
    """Raises ``FileFailed`` for a file that cannot be read, and ``CorpusError`` with the line for a table
    that lacks columns, holds a value that is none, or one picture twice in a view."""
    try:
        text = read_file(path, path.name).decode()
        table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if missing := set(COLUMNS) - set(table.fieldnames or ()):
            raise CorpusError(f"{path.name} lacks the columns {', '.join(sorted(missing))}")
        rows = tuple(_row(raw, path.name, n) for n, raw in enumerate(table, 2))
    except (UnicodeDecodeError, csv.Error) as e:
        raise CorpusError(f"{path.name} is no table of scores: {e}") from e
    seen: set[tuple[str, str]] = set()
    for n, row in enumerate(rows, 2):
        if (row.sha256, row.view) in seen:
            raise CorpusError(f"{path.name}, line {n}: the same picture stands twice in view {row.view!r}")
        seen.add((row.sha256, row.view))
    return rows


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _row(raw: dict[str, str], name: str, line: int) -> ScoreRow:
    try:
        return ScoreRow(
            sha256=_some(raw["sha256"]), fake={"0": False, "1": True}[raw["fake"]],
            kind=Kind(raw["kind"]) if raw["kind"] else None, generator=raw["generator"],
            source=_some(raw["source"]), view=_some(raw["view"]), side=_side(raw["side"]),
            quality=int(raw["quality"]) if raw["quality"] else None, media_type=raw["media_type"],
            logit=_number(raw["logit"]), predicted=Kind(raw["predicted"]) if raw["predicted"] else None,
            kind_probability=_number(raw["kind_probability"]) if raw["kind_probability"] else None,
            distance=_number(raw["distance"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as e:
        raise CorpusError(f"{name}, line {line}: not a row of scores ({e})") from e


def _some(text: str) -> str:
    if not text:
        raise ValueError("an empty name")
    return text


def _side(text: str) -> int:
    if (side := int(text)) < 1:
        raise ValueError(f"a side of {side} pixels")
    return side


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no number")
    return value
