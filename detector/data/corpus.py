"""The index of a corpus: which of its files may be used for what, and their bytes as the index names them.

``licences`` says what may be trained on, ``splits`` where a file falls.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import CorpusError
from detector.core.files import read_file
from detector.data.licences import SETS, SetRule
from detector.data.splits import Split, split_units
from detector.pixels.decode import Pixels, decode
from detector.pixels.preprocess import quarter


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of the corpus. ``unit`` is what a split may not separate."""

    path: str
    set_name: str
    fake: bool
    unit: str
    split: Split
    sha256: str
    media_type: str
    grid: bool


_COLUMNS = {"path", "licence", "sha256", "source", "format"}


def index_rows(root: Path) -> list[dict[str, str]]:
    """``INDEX.csv`` of a corpus. Raises ``CorpusError``."""
    index = root / "INDEX.csv"
    try:
        with index.open(newline="", encoding="utf-8") as f:
            table = csv.DictReader(f, restval="")
            rows, columns = list(table), set(table.fieldnames or ())
    except FileNotFoundError as e:
        raise CorpusError(f"{index.name} is missing in {root.name}") from e
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise CorpusError(f"{index.name} in {root.name} cannot be read") from e
    if not columns >= _COLUMNS:
        raise CorpusError(f"{index.name} in {root.name} lacks columns")
    return rows


def load_index(root: Path) -> tuple[Item, ...]:
    """All items of the known sets. Raises ``CorpusError`` for a missing or malformed index, and for a set
    whose licence is no longer the text that was allowed."""
    rows = index_rows(root)
    items = [item for rule in SETS for item in _items_of(rule, rows)]
    check_no_leak(items)
    return tuple(items)


def _items_of(rule: SetRule, rows: list[dict[str, str]]) -> Iterator[Item]:
    # The corpus holds some files twice; one copy is enough, and two would be counted as two.
    mine = {
        r["sha256"]: r
        for r in reversed(rows)
        if r["path"].startswith(rule.folder + "/") and r["format"] in _MEDIA_TYPES
    }.values()
    if rule.licence:
        other = {r["licence"] for r in mine} - {rule.licence}
        if other:
            raise CorpusError(f"{rule.name}: licence {min(other)!r} is not the one that was allowed")
    units = split_units({_unit(rule, r) for r in mine}, rule.shares)
    for r in mine:
        unit = _unit(rule, r)
        yield Item(
            path=r["path"], set_name=rule.name, fake=rule.fake, unit=unit, split=units[unit], grid=rule.grid,
            sha256=r["sha256"], media_type=_MEDIA_TYPES[r["format"]],
        )  # fmt: skip


_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def _unit(rule: SetRule, row: dict[str, str]) -> str:
    """Camera files of one model are one unit, across both camera folders."""
    if rule.name in {"camera_crops", "camera_samples"}:
        model = row["source"].split(": ", 1)[-1].replace("\x00", "")
        return "camera:" + " ".join(sorted(set(model.lower().replace(",", " ").split())))
    return "file:" + row["sha256"]


def check_no_leak(items: Iterable[Item]) -> None:
    """Raise ``CorpusError`` when one unit, or one file by digest, lies in two splits."""
    seen: dict[str, Split] = {}
    for item in items:
        for key in (item.unit, item.sha256):
            if seen.setdefault(key, item.split) is not item.split:
                raise CorpusError(f"{item.path} lies in two splits")


def read_item(root: Path, item: Item) -> bytes:
    """The bytes of a file, checked against the digest in the index. Raises ``FileFailed``
    for one that cannot be read and ``CorpusError`` for another one."""
    data = read_file(root / item.path, item.path)
    if hashlib.sha256(data).hexdigest() != item.sha256:
        raise CorpusError(f"{item.path} is not the file that the index names")
    return data


def pictures(root: Path, item: Item) -> tuple[Pixels, ...]:
    """The picture of an item, or the four of a sheet."""
    whole = decode(read_item(root, item), item.media_type)
    if not item.grid:
        return (whole,)
    return tuple(quarter(whole, which) for which in range(4))


def corpus_digest(items: Iterable[Item]) -> str:
    """One digest over what was used and where it was placed."""
    lines = sorted(f"{i.sha256} {i.set_name} {i.split.value}" for i in items)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
