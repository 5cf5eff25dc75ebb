"""Pictures that look alike: a digest of 64 bits of the look, and all pairs whose digests differ in few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Hashes = NDArray[np.uint64]  # one a picture

NEAR_BITS = 4  # two digests that differ in no more are taken for one picture, made anew
_BLOCK = 256


def dhash(image: Image.Image) -> int:
    """In grey, reduced to 9 x 8 by bilinear means: whether each pixel is darker than its right neighbour,
    row by row from the highest bit on ("difference hash", N. Krawetz 2013). The orientation of the file is
    not applied."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BILINEAR))
    bits = (grey[:, :-1] < grey[:, 1:]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_pairs(hashes: Hashes, most: int = NEAR_BITS) -> NDArray[np.intp]:
    """Places (first, second) of all pairs that differ in at most so many bits, first < second: n x 2, in
    order. Every pair is compared; 10,000 pictures take about a second."""
    found = []
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK, None]
        first, second = np.nonzero(_bits_set(block ^ hashes[None, start:]) <= most)
        found.append(np.stack([first, second], axis=1)[first < second] + start)
    return np.concatenate(found) if found else np.empty((0, 2), np.intp)


def near_to(one: int, hashes: Hashes, most: int = NEAR_BITS) -> NDArray[np.intp]:
    """Places of the digests that differ from one in at most so many bits."""
    return np.flatnonzero(_bits_set(hashes ^ np.uint64(one)) <= most)


def _counted(words: Hashes) -> NDArray[np.uint8]:
    """The number of set bits, where NumPy is older than 2."""
    bytes_ = np.ascontiguousarray(words)[..., None].view(np.uint8)
    counts: NDArray[np.uint8] = _OF_BYTE[bytes_].sum(-1, dtype=np.uint8)
    return counts


_OF_BYTE = np.array([n.bit_count() for n in range(256)], np.uint8)
_bits_set: Callable[[Hashes], NDArray[np.uint8]] = getattr(np, "bitwise_count", _counted)
