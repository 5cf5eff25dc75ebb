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

MEDIA_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_GRID = "2x2 grid"  # how the manifest names sheets of four independent pictures


def brought(rows: Iterable[Row], folders: Sequence[Path]) -> dict[str, Path]:
    """Where the file of each row lies, by digest; rows without one, or of a format that the detector does not
    decode, are left out."""
    out: dict[str, Path] = {}
    for row in rows:
        if row.format in MEDIA_TYPES:
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
    media_type = MEDIA_TYPES[row.format]
    try:
        pixels = decode(data, media_type)
    except (NotApplicable, PixelsUnreadable):
        return None
    return pixels, condition_of(data, media_type, side=min(pixels.shape[:2]))


def quarter(row: Row, pixels: Pixels, which: int) -> Pixels:
    """Of a sheet of four independent pictures one; any other picture as it is."""
    if _GRID not in row.generator:
        return pixels
    h, w = pixels.shape[0] // 2, pixels.shape[1] // 2
    y, x = which // 2 * h, which % 2 * w
    return np.ascontiguousarray(pixels[y : y + h, x : x + w])
