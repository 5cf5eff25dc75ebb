"""The pictures of a manifest, as far as they were brought."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.core.files import read_file
from detector.data.manifest import Row
from detector.models.condition import Condition, condition_of
from detector.pixels.decode import Pixels, decode
from detector.pixels.preprocess import quarter as one_of_four

_FORMATS = frozenset({"JPEG", "MPO", "PNG", "WEBP"})  # whose compression the recipe knows


def brought(rows: Iterable[Row], folders: Sequence[Path]) -> dict[str, Path]:
    """Where the file of each row lies, by digest; rows without one, or of a format that the detector does not
    decode, are left out."""
    out: dict[str, Path] = {}
    for row in rows:
        if row.format in _FORMATS:
            there = next((p for f in folders if (p := f / row.file).is_file()), None)
            if there is not None:
                out[row.sha256] = there
    return out


def at_most(rows: Iterable[Row], most: int) -> tuple[Row, ...]:
    """No more than ``most`` of one source and generator, chosen by their digests."""
    taken: Counter[tuple[str, str]] = Counter()
    kept = []
    for row in sorted(rows, key=lambda r: r.sha256):
        taken[row.source, row.generator] += 1
        if taken[row.source, row.generator] <= most:
            kept.append(row)
    return tuple(kept)


def rng_of(row: Row, *what: int) -> np.random.Generator:
    """Chance that belongs to a picture, so that neither order nor the other pictures decide it."""
    return np.random.default_rng([int(row.sha256[:15], 16), *what])


def read_picture(row: Row, path: Path) -> tuple[Pixels, Condition] | None:
    """The picture and the condition of its file; None where the service would not see it either, or where
    the file is another one."""
    data = read_file(path, path.name)
    if hashlib.sha256(data).hexdigest() != row.sha256:
        return None
    try:
        pixels = decode(data, row.media_type)
    except (NotApplicable, PixelsUnreadable):
        return None
    return pixels, condition_of(data, row.media_type, side=min(pixels.shape[:2]))


def quarter(row: Row, pixels: Pixels, which: int) -> Pixels:
    """Of a sheet of four independent pictures one; any other picture as it is."""
    return one_of_four(pixels, which) if row.sheet else pixels
