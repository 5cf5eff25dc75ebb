"""Which real pictures a question means: those that a run is fitted on, those that it is judged by, those that
it is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detector.core.errors import CorpusError, LabError, TooFewPictures
from detector.core.files import TORN_ARCHIVE
from detector.core.progress import Report, silent
from detector.data.splits import Split
from detector.generators.source import ImageSource, chosen_of, joined, keep_labels, unpaired
from detector.zoo.sources.clusters import clustered
from detector.zoo.sources.named import NAMED, open_named
from detector.zoo.sources.photos import PhotoIndex, index_photos, tiles_of

HELD_OUT = (Split.CALIBRATION, Split.TEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where real pictures come from: a named set below ``corpus``, or a folder of photos; ``other`` is the
    second source of a family that translates, a set or a folder too."""

    name: str
    corpus: Path | None = None
    other: str | None = None

    def index(self, report: Report) -> PhotoIndex | None:
        return None if self.name in NAMED else index_photos(Path(self.name), report=report)

    def second(self) -> Data | None:
        return None if self.other is None else Data(name=self.other, corpus=self.corpus)


def open_source(
    data: str | Path,
    side: int,
    *,
    seed: int,
    split: Split,
    corpus: Path | None = None,
    report: Report = silent,
) -> ImageSource:
    """Pictures of a named set (below ``corpus``, or below the folder itself) or tiles of a folder of photos.
    ``seed`` decides the tiles. Raises ``LabError``."""
    if str(data) in NAMED:
        return open_named(str(data), side, split=split, corpus=corpus)
    return tiles_of(index_photos(Path(data), report=report), side, seed=seed, split=split, report=report)


def train_source(
    data: Data,
    index: PhotoIndex | None,
    side: int,
    *,
    classes: int,
    seed: int,
    report: Report,
    tiles: ImageSource | None = None,
    labels_kept: float = 1.0,
) -> ImageSource:
    """The pictures to fit on; where a family learns ``classes`` and nobody named any, groups of like
    pictures stand for them, and of two sources each is a class. ``tiles``: those of the training photos,
    where they were cut before. Raises ``LabError``."""
    if (other := data.second()) is not None:
        first = replace(data, other=None)
        a = train_source(first, index, side, classes=0, seed=seed, report=report, tiles=tiles)
        b = train_source(other, other.index(report), side, classes=0, seed=seed, report=report)
        return unpaired(a, b)
    if index is None:
        named = open_named(data.name, side, split=Split.TRAIN, corpus=data.corpus)
        return named if labels_kept == 1 else keep_labels(named, labels_kept, seed)
    source = tiles or tiles_of(index, side, seed=seed, split=Split.TRAIN, report=report)
    return clustered(source, classes, seed=seed) if classes else source


def held_out_source(
    data: Data, index: PhotoIndex | None, side: int, *, seed: int, report: Report
) -> ImageSource:
    """Real pictures that no generator was fitted on: the published test part, or the calibration and test
    photos of a folder; of both sources where there are two. Raises ``LabError`` when there are none."""
    if (other := data.second()) is not None:
        a = held_out_source(replace(data, other=None), index, side, seed=seed, report=report)
        return unpaired(a, held_out_source(other, other.index(report), side, seed=seed, report=report))
    if index is None:
        return open_named(data.name, side, split=Split.TEST, corpus=data.corpus)
    return held_out_of(index, _tiles(index, side, HELD_OUT, seed, report, "no photo was held out"))


def held_out_of(index: PhotoIndex, parts: Sequence[ImageSource]) -> ImageSource:
    """Tiles of calibration and test photos as one source."""
    return joined(f"{index.folder.name}/held out", parts)


def given_pictures(
    data: Data, side: int, count: int, *, splits: Sequence[Split], seed: int, report: Report
) -> ImageSource:
    """At most ``count`` pictures, chosen by ``seed``, in their order: the published test part of a named set,
    tiles of the photos of ``splits``, or the array ``images`` of an ``.npz`` as it is. ``groups`` numbers the
    photo that a tile was cut from. Raises ``LabError``."""
    source = _opened(data, side, splits, seed, report)
    chosen = np.sort(np.random.default_rng([seed, 13]).permutation(len(source.images))[:count])
    return chosen_of(source, chosen)


def _opened(data: Data, side: int, splits: Sequence[Split], seed: int, report: Report) -> ImageSource:
    if data.name.endswith(".npz"):
        return _stored(Path(data.name))
    index = data.index(report)
    if index is None:
        return open_named(data.name, side, split=Split.TEST, corpus=data.corpus)
    parts = _tiles(index, side, splits, seed, report, "there is no picture to ask about")
    return held_out_of(index, parts) if tuple(splits) == HELD_OUT else joined(index.folder.name, parts)


def _tiles(
    index: PhotoIndex, side: int, splits: Sequence[Split], seed: int, report: Report, otherwise: str
) -> list[ImageSource]:
    """Tiles of each split that has any. Raises ``TooFewPictures`` with ``otherwise`` when none has."""
    found, reason = [], ""
    for split in splits:
        try:
            found.append(tiles_of(index, side, seed=seed, split=split, report=report))
        except LabError as e:
            reason = e.detail
    if not found:
        raise TooFewPictures(f"{otherwise}: {reason}")
    return found


def _stored(path: Path) -> ImageSource:
    try:
        with path.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            images = stored["images"]
    # A plain array is no context manager, and a torn archive has errors of its own.
    except (OSError, *TORN_ARCHIVE) as e:
        raise CorpusError(f"{path.name} holds no readable array images") from e
    return ImageSource(name=path.name, images=images)
