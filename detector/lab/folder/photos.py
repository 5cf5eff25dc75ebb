"""Photos of a folder as the detector sees them: whether there are enough, and regions of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.core.errors import NotApplicable, TooFewPictures
from detector.data.splits import Split
from detector.lab.steps.regions import REGION_SIDE, random_regions, sizes_of
from detector.models.calibration import MIN_ITEMS
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import crops_of
from detector.zoo.sources.photos import Photo, PhotoIndex, read_photo

LEAST = {Split.TRAIN: 20, Split.CALIBRATION: MIN_ITEMS, Split.TEST: 10}  # usable photos
MAX_HELD_OUT = 200  # photos of a split that a detector is calibrated or judged on
ENOUGH = 130  # usable photos in a folder that has enough in every part, nine times out of ten


def require_enough(index: PhotoIndex) -> None:
    """Raises ``TooFewPictures`` when a split has fewer usable photos than ``LEAST``, before hours are spent.
    Near copies count as one. Reads no more photos than it must."""
    for split, least in LEAST.items():
        units: set[str] = set()
        for photo in by_digest(index.of(split)):
            if len(units) == least:
                break
            if photo.unit not in units and _usable(read_photo(index.folder, photo)):
                units.add(photo.unit)
        if len(units) < least:
            raise TooFewPictures(
                f"{index.folder} has too few photos: {len(units)} usable ones fell into the {split.value} "
                f"part, and {least} are needed; about {ENOUGH} different photos are enough, in colour, not "
                f"flat, both sides {REGION_SIDE} pixels or more"
            )


def held_out_of(index: PhotoIndex, split: Split, part: float) -> list[Photo]:
    """A part of the photos of a split that a detector is calibrated or judged on, never fewer than
    ``LEAST``."""
    photos = by_digest(index.of(split))[:MAX_HELD_OUT]
    return photos[: max(LEAST[split], round(part * len(photos)))]


def held_out_count(index: PhotoIndex) -> int:
    """Photos that a detector is calibrated and judged on."""
    return sum(min(MAX_HELD_OUT, len(index.of(s))) for s in (Split.CALIBRATION, Split.TEST))


def _usable(picture: Pixels) -> bool:
    try:
        crops_of(picture, max_crops=1)
    except NotApplicable:
        return False
    return bool(min(picture.shape[:2]) >= REGION_SIDE)


def by_digest(photos: Sequence[Photo]) -> list[Photo]:
    return sorted(photos, key=lambda p: p.sha256)


def regions_of(index: PhotoIndex, photo: Photo, count: int, rng: np.random.Generator) -> list[Pixels]:
    """Regions of the photo and of smaller ones of it, at most ``count``."""
    picture = read_photo(index.folder, photo)
    if min(picture.shape[:2]) < REGION_SIDE:
        return []
    sizes = sizes_of(picture, rng)
    out: list[Pixels] = []
    for size in sizes:
        out += random_regions(size, -(-count // len(sizes)), rng)
    return out[:count]
