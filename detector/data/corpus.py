"""Which images may be used for what: the index, the licence allow list, and splits that cannot leak.

A set is trained on only if it stands in ``SETS`` with ``TRAIN`` **and** the licence text of its rows in
``INDEX.csv`` is the one that was read when it was allowed. Every other set is evaluated on and never
trained on. The unit of a split is the source (a photo, a sheet of one style, a camera model), never a crop
or a tile, so that two views of one thing cannot stand on both sides.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from detector.core.errors import CorpusError, FileFailed
from detector.pixels.decode import Pixels, decode

SPLIT_SEED = "assay-split-1"


class Split(StrEnum):
    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRule:
    """One folder of the corpus. ``shares`` are the parts of its units per split, in the order of
    ``Split``."""

    folder: str
    name: str
    fake: bool
    licence: str
    shares: tuple[float, float, float]
    why: str
    grid: bool = False  # four independent pictures in one 2 x 2 sheet


_MOST = (0.7, 0.2, 0.1)
_NEVER_TRAINED = (0.0, 0.0, 1.0)

SETS = (
    SetRule(folder="train/photos_openimages", name="openimages", fake=False, licence="CC BY 2.0 (OpenImages)",
            shares=_MOST, why="Attribution licence; photos are measured, none is shipped."),
    SetRule(folder="train/photos_pexels", name="pexels", fake=False, licence="Pexels licence (free use)",
            shares=_MOST, why="Pexels licence allows free use."),
    SetRule(folder="camera/crops768", name="camera_crops", fake=False,
            licence='"free to use however you wish" (README)', shares=_MOST,
            why="Contributors gave the files free for any use."),
    SetRule(folder="camera/exif_samples", name="camera_samples", fake=False,
            licence='"You are free to use these media files however you wish" (README)', shares=_MOST,
            why="Contributors gave the files free for any use."),
    SetRule(folder="fakes_train/sd15_art_grid", name="sd15", fake=True, licence="MIT", shares=_MOST,
            grid=True, why="MIT."),
    SetRule(folder="fakes_train/flux1_dev_grid", name="flux1_dev", fake=True, licence="MIT",
            shares=(0.5, 0.25, 0.25), grid=True, why="MIT."),
    SetRule(folder="fakes_train/midjourney_2025", name="midjourney", fake=True, licence="MIT (repo)",
            shares=(0.0, 0.5, 0.5),
            why="MIT; out of training, so that the calibration describes a generator never trained on."),
    SetRule(folder="train/photos_coco", name="coco", fake=False, licence="", shares=_NEVER_TRAINED,
            why="Licences differ per photo: evaluation only."),
    SetRule(folder="train/photos_bsds", name="bsds", fake=False, licence="", shares=_NEVER_TRAINED,
            why="Non-commercial: evaluation only."),
    SetRule(folder="train/faces256_ffhq", name="ffhq", fake=False, licence="", shares=_NEVER_TRAINED,
            why="Non-commercial: evaluation only."),
    SetRule(folder="camera/prnu_nikon_d70", name="nikon_d70", fake=False, licence="",
            shares=_NEVER_TRAINED, why="Research licence: evaluation only."),
    SetRule(folder="fakes_train/stylegan1_faces", name="stylegan1", fake=True, licence="",
            shares=_NEVER_TRAINED, why="No licence stated: evaluation only."),
    SetRule(folder="fakes_train/stylegan2_tiles", name="stylegan2", fake=True, licence="",
            shares=_NEVER_TRAINED, why="Nvidia non-commercial: evaluation only."),
)  # fmt: skip


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


def split_units(units: Iterable[str], shares: tuple[float, float, float]) -> dict[str, Split]:
    """Assign units to splits by a digest, so that the answer depends neither on order nor on a generator.

    A unit that occurs in two sets with equal shares falls into the same split in both: its place is a
    threshold on its own digest, not its rank.
    """
    train, calibration, _ = shares
    out = {}
    for unit in units:
        digest = hashlib.sha256(f"{SPLIT_SEED}:{unit}".encode()).digest()
        at = int.from_bytes(digest[:8], "big") / 2**64
        out[unit] = (
            Split.TRAIN if at < train else Split.CALIBRATION if at < train + calibration else Split.TEST
        )
    return out


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
    try:
        data = (root / item.path).read_bytes()
    except OSError as e:
        raise FileFailed(f"{item.path} cannot be read: {e.strerror}") from e
    if hashlib.sha256(data).hexdigest() != item.sha256:
        raise CorpusError(f"{item.path} is not the file that the index names")
    return data


def pictures(root: Path, item: Item) -> tuple[Pixels, ...]:
    """The picture of an item, or the four of a sheet."""
    whole = decode(read_item(root, item), item.media_type)
    if not item.grid:
        return (whole,)
    h, w = whole.shape[0] // 2, whole.shape[1] // 2
    return tuple(np.ascontiguousarray(whole[y : y + h, x : x + w]) for y in (0, h) for x in (0, w))


def corpus_digest(items: Iterable[Item]) -> str:
    """One digest over what was used and where it was placed."""
    lines = sorted(f"{i.sha256} {i.set_name} {i.split.value}" for i in items)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
