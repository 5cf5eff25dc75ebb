"""PDQ, a perceptual hash of 256 bits: what a picture looks like, in a form that survives saving it again.

After Facebook's "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm" (2019), so that a
hash can be compared with those of other programs. A hash is no proof of anything: pictures that look alike
have hashes that lie close together, and so may pictures that do not. It does not survive a crop.

Every step up to the median is linear, so it is done as products of small matrices. A turned picture is hashed
as such; the sums behind PDQ's places are not quite symmetric, so signs alone would give other bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable

BITS = 256
BYTES = BITS // 8
MIN_SIDE = 16  # pixels; what is smaller has nothing to compare
_SIDE = 64  # of the picture that is hashed
_FREQUENCIES = 16
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_PER_QUALITY = 90

Grey = NDArray[np.floating]  # height x width, 0 to 255


@unique
class Turn(StrEnum):
    """How a picture has to be turned to look like another; rotations are clockwise."""

    UPRIGHT = "upright"
    MIRRORED = "mirrored"
    FLIPPED = "flipped"
    ROTATED_180 = "rotated by 180 degrees"
    TRANSPOSED = "mirrored at its diagonal"
    ROTATED_90 = "rotated by 90 degrees"
    ROTATED_270 = "rotated by 270 degrees"
    TRANSVERSED = "mirrored at its other diagonal"


# By (top to bottom, left to right): what comes of turning these round, and of a transposition after it.
_STRAIGHT = {
    (False, False): Turn.UPRIGHT,
    (False, True): Turn.MIRRORED,
    (True, False): Turn.FLIPPED,
    (True, True): Turn.ROTATED_180,
}
_TRANSPOSED = {
    (False, False): Turn.TRANSPOSED,
    (False, True): Turn.ROTATED_270,
    (True, False): Turn.ROTATED_90,
    (True, True): Turn.TRANSVERSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PdqHash:
    """``turned``: one hash of ``BYTES`` bytes for each of ``Turn``, in its order: upright first. ``quality``
    is 0 to 100; a flat picture has 0, and below 50 the hash says little."""

    turned: tuple[bytes, ...]
    quality: int

    @property
    def value(self) -> bytes:
        return self.turned[0]


def grey_of(pixels: NDArray[np.uint8]) -> Grey:
    """Luma of RGB pixels (height, width, 3)."""
    return pixels.astype(np.float32) @ _LUMA


def pdq_hash(grey: Grey) -> PdqHash:
    """Raises ``NotApplicable`` for a picture that is too small."""
    height, width = grey.shape
    if min(height, width) < MIN_SIDE:
        raise NotApplicable(f"{width} x {height} pixels are too few to compare with other pictures")
    turned: dict[Turn, bytes] = {}
    rows, columns = _reducing(height), _reducing(width)
    lowest = cosines().astype(np.float32)
    for flipped, reducing in ((False, rows), (True, rows[:, ::-1])):
        across: Grey = reducing @ grey
        for mirrored, other in ((False, columns), (True, columns[:, ::-1])):
            small: Grey = across @ other.T
            waves: Grey = lowest @ small @ lowest.T
            turned[_STRAIGHT[flipped, mirrored]] = _packed(waves)
            turned[_TRANSPOSED[flipped, mirrored]] = _packed(waves.T)
    return PdqHash(turned=tuple(turned[t] for t in Turn), quality=quality_of(small))


def _packed(table: NDArray[np.floating]) -> bytes:
    """One bit for each frequency: whether it is above the median, the first bit last (as PDQ writes it)."""
    flat = table.reshape(-1)
    median = np.partition(flat, BITS // 2 - 1)[BITS // 2 - 1]
    return np.packbits((flat > median)[::-1]).tobytes()


def quality_of(small: NDArray[np.floating]) -> int:
    """How much 64 x 64 values from 0 to 255 change, up to 100; PDQ's authors compare nothing below 50."""
    down, across = np.diff(small, axis=0), np.diff(small, axis=1)
    steps = sum(int(np.abs(np.trunc(d * (100 / 255))).sum()) for d in (down, across))
    return min(steps // _PER_QUALITY, 100)


@lru_cache(maxsize=1)
def cosines() -> NDArray[np.float64]:
    """The rows of the discrete cosine transform without its constant, 16 x 64."""
    i = np.arange(1, _FREQUENCIES + 1)[:, None]
    j = np.arange(_SIDE)[None, :]
    return np.asarray(np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * i * (2 * j + 1)))


@lru_cache(maxsize=256)
def _reducing(length: int) -> NDArray[np.float32]:
    """Two box filters and the choice of 64 places, along one side of ``length`` pixels: 64 x length."""
    window = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    ahead = (window + 2) // 2 - 1  # of the pixel itself; the rest lies behind it
    places = np.arange(length)
    first = np.maximum(places - (window - 1 - ahead), 0)
    last = np.minimum(places + ahead, length - 1)
    inside = (places[None, :] >= first[:, None]) & (places[None, :] <= last[:, None])
    box = (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)
    chosen = ((np.arange(_SIDE) + 0.5) * length / _SIDE).astype(int)
    return np.asarray(box[chosen] @ box, np.float32)
