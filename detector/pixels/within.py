"""Pictures within a picture: what a screenshot shows, as rectangles that stand out from a flat ground.

A screenshot is not the photo that it shows, but the photo is in it. Where something other than a flat ground
surrounds the photo, nothing is found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.pixels.decode import Pixels, open_cv2

MOST = 6  # rectangles; the largest
LEAST_SIDE = 96  # pixels
LEAST_SHARE = 0.03  # of the area
MOST_SHARE = 0.97  # what is larger is the picture itself
GROUND_SHARE = 0.02  # of the area: a colour that covers less is no ground
GROUNDS = 3
_NEAR = (2, 8)  # grey levels: a screenshot as it is, and as far as JPEG moves a flat ground
_SAME = 0.985
_FULL = 0.6  # of its rectangle is covered by what a picture is

Box = tuple[int, int, int, int]  # x, y, width, height


def reduced(pixels: Pixels, side: int) -> Pixels:
    """By area, to a longer side of at most ``side`` pixels."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return pixels
    cv2 = open_cv2()
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    found: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return found


def pictures_within(pixels: Pixels) -> tuple[Pixels, ...]:
    """At most ``MOST``, the largest first; none where no flat ground surrounds anything. One picture may come
    in two sizes, where its edge is not sure."""
    found: list[Box] = []
    for ground in _grounds(pixels):
        for near in _NEAR:
            for box in _boxes(pixels, ground, near):
                if all(_alike(box, other) < _SAME for other in found):
                    found.append(box)
    found.sort(key=lambda box: -box[2] * box[3])
    return tuple(pixels[y : y + h, x : x + w] for x, y, w, h in found[:MOST])


def _grounds(pixels: Pixels) -> list[NDArray[np.uint8]]:
    """The colours that cover most."""
    coarse = (pixels[::2, ::2] >> 3).astype(np.int32)
    keys = (coarse[..., 0] << 10) | (coarse[..., 1] << 5) | coarse[..., 2]
    counts = np.bincount(keys.ravel(), minlength=1 << 15)
    largest = np.argsort(counts)[::-1][:GROUNDS]
    chosen = [int(k) for k in largest if counts[k] >= GROUND_SHARE * keys.size]
    return [np.median(pixels[::2, ::2][keys == key], axis=0).astype(np.uint8) for key in chosen]


def _boxes(pixels: Pixels, ground: NDArray[np.uint8], near: int) -> list[Box]:
    """What stands out from the ground as one full rectangle."""
    cv2 = open_cv2()
    low = np.clip(ground.astype(int) - near, 0, 255).astype(np.uint8)
    high = np.clip(ground.astype(int) + near, 0, 255).astype(np.uint8)
    stands_out = cv2.bitwise_not(cv2.inRange(pixels, low, high))
    closed = cv2.morphologyEx(stands_out, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=4)
    area = pixels.shape[0] * pixels.shape[1]
    found = []
    for x, y, w, h, count in stats[1:].tolist():
        large = LEAST_SHARE * area <= w * h <= MOST_SHARE * area
        if large and count >= _FULL * w * h:
            found += [_inside(stands_out, (x, y, w, h)), (x, y, w, h)]
    return [box for box in found if min(box[2], box[3]) >= LEAST_SIDE]


def _inside(mask: NDArray[np.uint8], box: Box) -> Box:
    """Without the rows and columns at its edges of which most is ground: text that touches it, shadows."""
    x, y, w, h = box
    part = mask[y : y + h, x : x + w] > 0
    rows = np.flatnonzero(part.mean(axis=1) > 0.5)
    columns = np.flatnonzero(part.mean(axis=0) > 0.5)
    if not len(rows) or not len(columns):
        return x, y, 0, 0
    left, top = int(columns[0]), int(rows[0])
    return x + left, y + top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def _alike(one: Box, other: Box) -> float:
    """What two rectangles share, of what they cover together."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    return both / (one[2] * one[3] + other[2] * other[3] - both)
