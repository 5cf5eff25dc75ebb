"""Pictures that a finished generator is asked about: a named set, a folder of photos, or an ``.npz``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.core.errors import CorpusError, LabError
from detector.core.files import TORN_ARCHIVE
from detector.data.splits import Split
from detector.generators.spec import ImageSource, joined_groups
from detector.zoo.making import Report
from detector.zoo.runs import Data
from detector.zoo.sources import open_named, tiles_of

HELD_OUT = (Split.CALIBRATION, Split.TEST)


def given_pictures(
    data: Data, side: int, count: int, *, splits: Sequence[Split], seed: int, report: Report
) -> ImageSource:
    """At most ``count`` pictures, chosen by ``seed``, in their order: the published test part of a named set,
    tiles of the photos of ``splits``, or the array ``images`` of an ``.npz`` as it is. ``groups`` numbers the
    photo that a tile was cut from. Raises ``CorpusError``."""
    source = _opened(data, side, splits, seed, report)
    chosen = np.sort(np.random.default_rng([seed, 13]).permutation(len(source.images))[:count])
    groups = None if source.groups is None else source.groups[chosen]
    return ImageSource(name=source.name, images=source.images[chosen], groups=groups)


def _opened(data: Data, side: int, splits: Sequence[Split], seed: int, report: Report) -> ImageSource:
    if data.name.endswith(".npz"):
        return _stored(Path(data.name))
    index = data.index(report)
    if index is None:
        return open_named(data.name, side, split=Split.TEST, corpus=data.corpus)
    parts, reason = [], ""
    for split in splits:
        try:
            parts.append(tiles_of(index, side, seed=seed, split=split, report=report))
        except LabError as e:
            reason = e.detail
    if not parts:
        raise CorpusError(f"there is no picture to ask about: {reason}")
    return ImageSource(
        name=f"{index.folder.name}/held out" if tuple(splits) == HELD_OUT else index.folder.name,
        images=np.concatenate([p.images for p in parts]),
        groups=joined_groups(parts),
    )


def _stored(path: Path) -> ImageSource:
    try:
        with path.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            images = stored["images"]
    # A plain array is no context manager, and a torn archive has errors of its own.
    except (OSError, *TORN_ARCHIVE) as e:
        raise CorpusError(f"{path.name} holds no readable array images") from e
    return ImageSource(name=path.name, images=images)
