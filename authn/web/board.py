"""Numbers that all processes of a service write and any of them can add up: a block of shared memory.

Each worker has a row of its own in it and writes nowhere else, so that no lock is shared and a worker that is
killed in the middle harms nothing. What was counted in a row stays when its worker ends, and the next worker
goes on from there: a counter never goes back. Made before the fork, it needs no file and no name.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from threading import Lock

DOUBLE_BYTES = 8
Labels = tuple[str, ...]


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric. ``series`` are all values that its ``labels`` can have, known before anything is counted;
    ``bounds`` are the upper ends of a histogram's buckets, in its unit."""

    name: str
    kind: Kind
    help: str
    labels: Labels = ()
    series: Sequence[Labels] = ((),)
    bounds: tuple[float, ...] = ()

    @property
    def cells(self) -> int:
        """Of one series: a histogram has its buckets, one without a bound, and the sum."""
        return len(self.bounds) + 2 if self.kind is Kind.HISTOGRAM else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """``values`` are the cells of a series, added up over all processes."""

    family: Family
    labels: Labels
    values: tuple[float, ...]


class Board:
    """``rows`` is how many processes may write at once. Safe to be shared by threads."""

    def __init__(self, families: Sequence[Family], rows: int) -> None:
        self.families = tuple(families)
        self._places: dict[tuple[str, Labels], tuple[Family, int]] = {}
        at = 0
        for family in self.families:
            for labels in family.series:
                self._places[family.name, labels] = (family, at)
                at += family.cells
        self._width, self._rows = at, rows
        self._cells = memoryview(mmap.mmap(-1, max(at, 1) * rows * DOUBLE_BYTES)).cast("d")
        self._start = 0
        self._lock = Lock()

    @property
    def rows(self) -> int:
        return self._rows

    def take(self, row: int) -> None:
        """From now on this process writes to ``row``, which no other living process may have."""
        self._start, self._lock = row * self._width, Lock()
        self.vacate(row)

    def vacate(self, row: int) -> None:
        """Whoever wrote there is gone: what was so at the moment is so no more, what was counted stays."""
        for family, at in self._places.values():
            if family.kind is Kind.GAUGE:
                self._cells[row * self._width + at] = 0.0

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """Count. A series that is not known is passed over: no request may make a new one."""
        if (place := self._places.get((name, labels))) is not None:
            with self._lock:
                self._cells[self._start + place[1]] += by

    def set(self, name: str, *labels: str, to: float) -> None:
        """How it is now, in this process."""
        if (place := self._places.get((name, labels))) is not None:
            self._cells[self._start + place[1]] = to

    def observe(self, name: str, *labels: str, value: float) -> None:
        """Count a value into its bucket."""
        if (place := self._places.get((name, labels))) is not None:
            family, at = place
            with self._lock:
                self._cells[self._start + at + bisect_left(family.bounds, value)] += 1.0
                self._cells[self._start + at + len(family.bounds) + 1] += value

    def read(self, row: int, name: str, *labels: str) -> float:
        """What stands in one row."""
        return self._cells[row * self._width + self._places[name, labels][1]]

    def samples(self) -> Iterator[Sample]:
        """Every series that is not zero, and every one of a family that has one only."""
        for (_, labels), (family, at) in self._places.items():
            rows = range(at, self._width * self._rows, max(self._width, 1))
            values = tuple(sum(self._cells[i + n] for i in rows) for n in range(family.cells))
            if any(values) or len(family.series) == 1:
                yield Sample(family=family, labels=labels, values=values)


def exposition(samples: Iterator[Sample], more: Iterator[Sample]) -> str:
    """As Prometheus reads it: text format 0.0.4, each family once."""
    grouped: dict[str, list[Sample]] = {}
    for sample in chain(samples, more):
        grouped.setdefault(sample.family.name, []).append(sample)
    lines: list[str] = []
    for name, group in grouped.items():
        family = group[0].family
        lines += [f"# HELP {name} {_escaped(family.help)}", f"# TYPE {name} {family.kind}"]
        for sample in group:
            lines += _lines(sample)
    return "\n".join(lines) + "\n"


def _lines(sample: Sample) -> Iterator[str]:
    family, named = sample.family, dict(zip(sample.family.labels, sample.labels, strict=True))
    if family.kind is not Kind.HISTOGRAM:
        yield f"{family.name}{_braces(named)} {_number(sample.values[0])}"
        return
    *buckets, total = sample.values
    count = 0.0
    for bound, value in zip((*map(_number, family.bounds), "+Inf"), buckets, strict=True):
        count += value
        yield f"{family.name}_bucket{_braces({**named, 'le': bound})} {_number(count)}"
    yield f"{family.name}_sum{_braces(named)} {_number(total)}"
    yield f"{family.name}_count{_braces(named)} {_number(count)}"


def _braces(named: dict[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in named.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
