"""Photos with one region that has another past, and the same photos without it.

Three kinds of region, each an ellipse with an edge two pixels soft: *pasted* from another photo,
*reconstructed* by a published autoencoder (the region's own content, passed through it), *enlarged* (its own
content, reduced and enlarged by a formula). Both pictures of a pair then pass one and the same JPEG, or none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, open_cv2

KINDS = ("pasted", "reconstructed", "enlarged")
SIDE = 768
LEAST_SIDE = 512
_ACROSS = (112, 288)  # pixels of the longer axis
_SHARE_UNSAVED = 0.25
_QUALITIES = (70, 98)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """``untouched`` and ``changed`` (h, w, 3) after ``encoding``; ``mask`` (h, w) is where they differ."""

    untouched: Pixels
    changed: Pixels
    mask: NDArray[np.bool_]
    kind: str
    quality: int | None
    across: int


def host_of(pixels: Pixels, rng: np.random.Generator) -> Pixels | None:
    """A piece of at most ``SIDE`` a side, cut on the squares of its JPEG; None of a small picture."""
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        return None
    h, w = min(height, SIDE), min(width, SIDE)
    y, x = (int(rng.integers((room // 8) + 1)) * 8 for room in (height - h, width - w))
    return np.ascontiguousarray(pixels[y : y + h, x : x + w])


def composite(
    host: Pixels, donor: Pixels, kind: str, reconstruct: Callable[[Pixels], Pixels], rng: np.random.Generator
) -> Composite:
    """``donor`` is as large as a region at least; ``reconstruct`` takes sides divisible by 16."""
    height, width = host.shape[:2]
    across = int(rng.integers(*_ACROSS))
    box = -(-(across + 16) // 16) * 16
    y, x = int(rng.integers(height - box + 1)), int(rng.integers(width - box + 1))
    own = np.ascontiguousarray(host[y : y + box, x : x + box])
    if kind == "pasted":
        top, left = (int(rng.integers(n - box + 1)) for n in donor.shape[:2])
        region = donor[top : top + box, left : left + box]
    elif kind == "reconstructed":
        region = reconstruct(own)
    else:
        small = resize(own, float(rng.uniform(0.4, 0.75)), "area")
        code = open_cv2().INTER_CUBIC if rng.random() < 0.5 else open_cv2().INTER_LANCZOS4
        region = open_cv2().resize(small, (box, box), interpolation=code)
    share = _ellipse(box, across, float(rng.uniform(0.6, 1.0)), float(rng.uniform(0, 180)))
    changed = host.copy()
    mixed = own + (region.astype(np.float32) - own) * share[:, :, None]
    changed[y : y + box, x : x + box] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    mask = np.zeros((height, width), bool)
    mask[y : y + box, x : x + box] = share > 0.5
    quality = None if rng.random() < _SHARE_UNSAVED else int(rng.integers(*_QUALITIES))
    saved = host, changed
    if quality is not None:
        encoding = Encoding(media_type="image/jpeg", quality=quality)
        saved = through(host, encoding), through(changed, encoding)
    return Composite(
        untouched=saved[0], changed=saved[1], mask=mask, kind=kind, quality=quality, across=across
    )


def _ellipse(box: int, across: int, flat: float, turned: float) -> NDArray[np.float32]:
    cv2 = open_cv2()
    drawn = np.zeros((box, box), np.float32)
    axes = (across // 2, int(across * flat) // 2)
    cv2.ellipse(drawn, (box // 2, box // 2), axes, turned, 0, 360, 1.0, -1)
    soft: NDArray[np.float32] = cv2.GaussianBlur(drawn, (0, 0), 1.0)
    return soft
