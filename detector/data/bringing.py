"""Bring the pictures of a manifest: out of git snapshots and clones, and out of folders of unpacked packages.

A picture is what its digest says, wherever it lies and whatever it is called. It is kept as
``LABEL/SHA256.SUFFIX`` and is there whole or not at all, so that the same call goes on where another was
interrupted.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from detector.core.errors import FileFailed, SnapshotFailed
from detector.core.files import read_file, write_whole
from detector.core.progress import Report, silent
from detector.data.licences import may_learn
from detector.data.manifest import Row
from detector.data.snapshots import (
    clone,
    deepen,
    fetch_pictures,
    objects_of,
    read_objects,
    snapshot_of,
)

REPORT_NAME = "brought.csv"


class State(StrEnum):
    """What became of a picture."""

    THERE = "there"
    BROUGHT = "brought"
    WRONG = "wrong digest"  # a file of its name holds other bytes, and the right ones were not found
    MISSING = "missing"
    NO_SNAPSHOT = "no snapshot"
    FAILED = "snapshot failed"
    MADE_HERE = "no original"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look. ``mirrors``: a folder of git repositories named ``owner+name``. ``clone_from``: the
    address that ``owner/name`` is appended to where a repository is in no mirror, or None: nothing is
    cloned."""

    mirrors: Path | None = None
    folders: tuple[Path, ...] = ()
    clone_from: str | None = None


@dataclass(slots=True)
class Brought:
    """What is known of every row so far, by digest; ``why`` a repository gave nothing, by its name."""

    rows: tuple[Row, ...]
    states: dict[str, State] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def left(self) -> dict[str, Row]:
        """What is still to be found."""
        return {r.sha256: r for r in self.rows if self.state(r) not in {State.THERE, State.BROUGHT}}

    def state(self, row: Row) -> State:
        return self.states.get(row.sha256, State.NOT_REACHED)

    def counts(self) -> dict[str, Counter[State]]:
        """States per repository, or per origin where there is none."""
        table: dict[str, Counter[State]] = defaultdict(Counter)
        for row in self.rows:
            table[row.repository or row.origin][self.state(row)] += 1
        return dict(sorted(table.items()))


def chosen(rows: Iterable[Row], *, source: str = "", learnable: bool = False) -> tuple[Row, ...]:
    """Rows whose source or origin holds a text, whatever its case; ``learnable``: whose licence teaches."""
    text = source.lower()
    return tuple(
        r
        for r in rows
        if (text in r.source.lower() or text in r.origin.lower()) and (not learnable or may_learn(r.licence))
    )


def bring(rows: Sequence[Row], out: Path, places: Places, report: Report = silent) -> Brought:
    """Bring what is not there yet; ``out/brought.csv`` says at the end, and after an interruption too,
    what became of each picture. A repository that cannot be read costs its own pictures only. Raises
    ``FileFailed`` where ``out`` cannot be written."""
    done = Brought(tuple(rows))
    try:
        _look_at(out, done, report)
        for folder in places.folders:
            _from_folder(folder, out, done)
        per_repository: dict[str, list[Row]] = defaultdict(list)
        for row in done.left().values():
            per_repository[row.repository].append(row)
        elsewhere = per_repository.pop("", [])
        for name, lacking in sorted(per_repository.items(), key=lambda p: (-len(p[1]), p[0])):
            _from_repository(name, lacking, out, places, done)
            found = sum(done.state(r) is State.BROUGHT for r in lacking)
            report(f"{name}: {found} of {len(lacking)} brought{_because(done, name)}", 1, 1)
        for row in elsewhere:
            _miss(row, State.MISSING if places.folders else State.NO_SNAPSHOT, done)
    finally:
        write_whole(out / REPORT_NAME, _table(done))
    return done


def _look_at(out: Path, done: Brought, report: Report) -> None:
    """What is there and right already, and what is there and is not."""
    for n, row in enumerate(done.rows):
        report("files that are there compared with their digests", n, len(done.rows))
        path = out / row.file
        if path.is_file():
            right = hashlib.sha256(read_file(path, str(path))).hexdigest() == row.sha256
            done.states[row.sha256] = State.THERE if right else State.WRONG
    report("files that are there compared with their digests", len(done.rows), len(done.rows))


def _from_folder(folder: Path, out: Path, done: Brought) -> None:
    left = done.left()
    sizes = Counter(r.size for r in left.values())
    for path in files_under(folder):
        try:
            if path.stat().st_size in sizes:
                _take(path.read_bytes(), left, out, done)
        except OSError:  # gone, or not ours to read: then it is missing
            continue


def files_under(folder: Path) -> Iterator[Path]:
    """Plain files, no link among them, in an order of their own. Raises ``FileFailed`` for no folder."""
    if not folder.is_dir():
        raise FileFailed(f"{folder} is no folder")
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(at, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _from_repository(name: str, lacking: list[Row], out: Path, places: Places, done: Brought) -> None:
    """Out of its mirror, else out of a clone, whose older commits are asked last."""
    git = snapshot_of(places.mirrors, name) if places.mirrors else None
    state = State.NO_SNAPSHOT
    try:
        if git is None and places.clone_from and any(not r.made_here for r in lacking):
            git = clone(name, places.mirrors or out / "mirrors", host=places.clone_from)
        if git is not None:
            state = State.MISSING
            _from_git(git, lacking, out, done, cloned=places.clone_from is not None)
    except SnapshotFailed as e:
        state = State.FAILED
        done.why[name] = e.detail
    for row in lacking:
        _miss(row, state, done)


def _from_git(git: Path, lacking: list[Row], out: Path, done: Brought, *, cloned: bool) -> None:
    """Everything that the repository holds is looked at, older commits too where it has them."""

    def look() -> bool:
        left = {r.sha256: r for r in lacking if r.sha256 in done.left()}
        objects = objects_of(git, {r.size for r in left.values()}) if left else []
        for data in read_objects(git, objects):
            _take(data, left, out, done)
        return any(not r.made_here for r in left.values())

    if look() and cloned:
        fetch_pictures(git)
        if look() and deepen(git):
            fetch_pictures(git)
            look()


def _take(data: bytes, left: dict[str, Row], out: Path, done: Brought) -> None:
    row = left.pop(hashlib.sha256(data).hexdigest(), None)
    if row is not None:
        write_whole(out / row.file, data)
        done.states[row.sha256] = State.BROUGHT


def _miss(row: Row, state: State, done: Brought) -> None:
    if done.state(row) is State.NOT_REACHED:
        done.states[row.sha256] = State.MADE_HERE if row.made_here else state


def _because(done: Brought, name: str) -> str:
    return f" ({done.why[name]})" if name in done.why else ""


def _table(done: Brought) -> bytes:
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["sha256", "label", "source", "origin", "state", "file", "why"])
    for row in done.rows:
        state = done.state(row)
        file = row.file if state in {State.THERE, State.BROUGHT, State.WRONG} else ""
        table.writerow(
            [row.sha256, row.label, row.source, row.origin, state, file, done.why.get(row.repository, "")]
        )
    return out.getvalue().encode()
