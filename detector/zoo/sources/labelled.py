"""Pictures with a class each: a named set, or a folder whose sub-folders, or whose table ``labels.csv``, name
the classes. A label that is missing and a picture in two classes are errors, never guesses."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CorpusError, FileFailed, TooFewPictures
from detector.core.progress import Report, silent
from detector.data.splits import Split
from detector.generators.source import ImageSource, digested
from detector.pixels.decode import open_cv2
from detector.zoo.sources.data import HELD_OUT, Data
from detector.zoo.sources.named import open_named
from detector.zoo.sources.photos import TWIN, Photo, PhotoIndex, named_as_photos, read_photo

TABLE = "labels.csv"  # columns file, class
_COLUMNS = {"file", "class"}
_NAMED_ROWS = 3  # of those that an error is about


def labelled_sources(data: Data, side: int, *, report: Report = silent) -> tuple[ImageSource, ImageSource]:
    """Training and test pictures with labels: the published parts of a named set; of a folder the central
    square of every picture, shrunk to ``side`` by area averaging, split by photo. Raises ``LabError``."""
    index = data.index(report)
    if index is None:
        train, test = (
            open_named(data.name, side, split=s, corpus=data.corpus) for s in (Split.TRAIN, Split.TEST)
        )
        return train, test
    classes = _classes_of(index)
    names = tuple(sorted(set(classes.values())))
    if len(names) < 2:
        raise TooFewPictures(
            f"{index.folder} has pictures of {len(names)} class; two sub-folders, or two classes in {TABLE}, "
            "are needed"
        )
    parts = []
    for splits in ((Split.TRAIN,), HELD_OUT):
        photos = [p for split in splits for p in index.of(split)]
        name = f"{index.folder.name}/{'train' if len(splits) == 1 else 'held out'}"
        parts.append(_squares(name, index.folder, photos, classes, names, side, report))
    return parts[0], parts[1]


def _classes_of(index: PhotoIndex) -> dict[str, str]:
    """The class of each file that can be read, by its path in the folder."""
    table = index.folder / TABLE
    read = [p.path for p in index.photos]
    named = (
        _table(table) if table.is_file() else {p: p.split("/")[0] if "/" in p else "" for p in _files(index)}
    )
    _refuse(f"{TABLE} gives no class to" if table.is_file() else "no sub-folder names the class of", (
        p for p in read if not named.get(p)
    ))  # fmt: skip
    twins = {s.path: s.reason.removeprefix(TWIN) for s in index.skipped if s.reason.startswith(TWIN)}
    _refuse("two classes hold the same picture:", (
        f"{a} and {b}" for a, b in twins.items() if named.get(a) != named.get(b)
    ))  # fmt: skip
    return {p: named[p] for p in read}


def _files(index: PhotoIndex) -> list[str]:
    return [p.relative_to(index.folder).as_posix() for p in named_as_photos(index.folder)[0]]


def _table(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8") as f:
            rows = list(csv.DictReader(f))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise FileFailed(f"{TABLE} cannot be read") from e
    if not rows or not set(rows[0]) >= _COLUMNS:
        raise CorpusError(f"{TABLE} lacks the columns file and class")
    found: dict[str, str] = {}
    for row in rows:
        name, told = (row["file"] or "").strip(), (row["class"] or "").strip()
        if found.setdefault(name, told) != told:
            raise CorpusError(f"{TABLE} gives {name} two classes")
    return found


def _refuse(said: str, places: Iterable[str]) -> None:
    """Raises ``CorpusError`` where there are any."""
    if found := list(places):
        more = f" and {len(found) - _NAMED_ROWS} more" if len(found) > _NAMED_ROWS else ""
        raise CorpusError(f"{said} {', '.join(found[:_NAMED_ROWS])}{more}")


def _squares(
    name: str, folder: Path, photos: list[Photo], classes: dict[str, str], names: tuple[str, ...], side: int,
    report: Report,
) -> ImageSource:  # fmt: skip
    units = {unit: n for n, unit in enumerate(dict.fromkeys(p.unit for p in photos))}
    images, labels, groups = [], [], []
    for n, photo in enumerate(photos):
        square = _square(read_photo(folder, photo), side)
        if square is not None:
            images.append(square)
            labels.append(names.index(classes[photo.path]))
            groups.append(units[photo.unit])
        report(f"reading {name}", n + 1, len(photos))
    if not images:
        raise TooFewPictures(
            f"{name} has {len(photos)} pictures and none with a shorter side of {side} pixels"
        )
    return digested(
        ImageSource(
            name=name, images=np.stack(images), labels=np.array(labels, np.int64), class_names=names,
            groups=np.array(groups, np.int64), mirrors=True,
        )
    )  # fmt: skip


def _square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8] | None:
    height, width = pixels.shape[:2]
    edge = min(height, width)
    if edge < side:
        return None  # nothing is enlarged
    y, x = (height - edge) // 2, (width - edge) // 2
    out: NDArray[np.uint8] = open_cv2().resize(
        pixels[y : y + edge, x : x + edge], (side, side), interpolation=open_cv2().INTER_AREA
    )
    return out
