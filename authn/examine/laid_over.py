"""What of an original a picture is laid over, to be compared: all of it, it reduced, or one place of it.

Runs in the held process. A picture of other sides in the same proportion may be a scaled one, and any smaller
one a crop at full size; it has to look like what it is laid over, and of both the closer one counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DetectorError
from detector.pixels.decode import Pixels, open_cv2

# Pixels of a Gaussian. Of 24 photos, scaled to 33, 50 and 75 % by three kernels and saved as JPEG of quality
# 75, 0.10 to 0.29 % of the squares then differ by more than 16 levels (52 to 60 % without it).
SOFTENED = 2.0
ALIKE = 0.9  # correlation of the two, reduced: less is another picture, or another place
_SEARCHED_SIDE = 384  # of the original, reduced, when a crop is looked for
_LEAST_CROP = 64  # pixels of a side: of less there is too little to find
_LEAST_REDUCED = 8  # of it, reduced as the original is
_CORE = 256  # pixels of the middle by which a place is found to the pixel
# How much of each side of the other a cropped and scaled picture may show, looked for roughly, then finely,
# and how much more it must look like that part than like the whole (``tests.bench.cropped``).
_ROUGH_SIDE, _ROUGH, _FINE, _LEAST_PART = 96, 0.05, 0.005, 0.5
_MORE_LIKE = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Two pictures of one shape: the file's and what lies beneath it. ``reduced``: the larger one was;
    ``place``: x and y in the original where a crop begins."""

    one: Pixels
    other: Pixels
    reduced: bool = False
    place: tuple[int, int] | None = None


def laid_over(one: Pixels, original: Pixels) -> Laid | str:
    """Softened where one of them was reduced; or why the two cannot be compared: the end of a sentence.
    Raises ``DetectorError`` where OpenCV cannot, for want of memory."""
    cv2 = open_cv2()
    try:
        laid = _laid(one, original)
        if isinstance(laid, str) or not laid.reduced:
            return laid
        return replace(laid, one=_softened(laid.one), other=_softened(laid.other))
    except cv2.error as e:
        raise DetectorError(f"the two pictures could not be compared: {str(e).strip()[:120]}") from e


def _laid(one: Pixels, original: Pixels) -> Laid | str:
    if one.shape == original.shape:
        return Laid(one=one, other=original)
    sizes = " and ".join(f"{p.shape[1]} × {p.shape[0]}" for p in (one, original))
    why = f"the two pictures have different sizes: {sizes} pixels"
    laid = tuple(filter(None, (_scaled(one, original), _cropped(one, original))))
    # A crop in the same proportion looks like a scaled copy too, only less.
    found = min(laid, key=_apart, default=None)
    if (found.reduced if found else _in_proportion(one, original)) and _lost_a_margin(one, original):
        return f"{why}, and one looks like a part of the other scaled"
    if found:
        return found
    if one.shape[0] > original.shape[0] or one.shape[1] > original.shape[1]:
        return f"{why}, and one is not the other scaled"
    if not _can_be_found(one, original):
        return f"{why}; one is not the other scaled, and as a crop it is too small to be looked for"
    return f"{why}; one is not the other scaled, and no place of the original at full size looks like it"


def _scaled(one: Pixels, original: Pixels) -> Laid | None:
    if not _in_proportion(one, original):
        return None
    smaller = min(one.shape[:2], original.shape[:2])
    laid = Laid(one=_reduced(one, smaller), other=_reduced(original, smaller), reduced=True)
    return laid if _alike(laid.one, laid.other) >= ALIKE else None


def _cropped(one: Pixels, original: Pixels) -> Laid | None:
    height, width = one.shape[:2]
    if height > original.shape[0] or width > original.shape[1] or not _can_be_found(one, original):
        return None
    found = _place_of(one, original)
    if found is None:
        return None
    x, y = found
    return Laid(one=one, other=original[y : y + height, x : x + width], place=found)


def _lost_a_margin(one: Pixels, original: Pixels) -> bool:
    """Whether one of the two, of one proportion, looks more like a part of the other than like all of it."""
    return any(_is_part(a, b) for a, b in ((one, original), (original, one)))


def _is_part(one: Pixels, whole: Pixels) -> bool:
    near = _likest(one, whole, _ROUGH_SIDE, np.arange(1.0, _LEAST_PART - _ROUGH, -_ROUGH))[0]
    parts = np.arange(near + _ROUGH, max(near - _ROUGH, _LEAST_PART), -_FINE)
    part, best = _likest(one, whole, _SEARCHED_SIDE, parts[parts < 1 - _FINE / 2])
    return (
        part > 0 and best >= ALIKE and best - _likest(one, whole, _SEARCHED_SIDE, np.ones(1))[1] >= _MORE_LIKE
    )


def _likest(one: Pixels, whole: Pixels, side: int, parts: NDArray[np.float64]) -> tuple[float, float]:
    """Which part of each side of ``whole``, reduced to ``side``, looks most like ``one``, and how much."""
    cv2 = open_cv2()
    step = max(1.0, max(whole.shape[:2]) / side)
    size = [max(_LEAST_REDUCED, round(s / step)) for s in whole.shape[:2]]
    frame, found = _reduced(whole, (size[0], size[1])), (0.0, -1.0)
    for part in parts:
        inside = _reduced(one, (math.ceil(size[0] * part), math.ceil(size[1] * part)))
        answers = cv2.matchTemplate(frame, inside, cv2.TM_CCOEFF_NORMED)
        found = max(found, (float(part), float(np.nan_to_num(answers).max())), key=lambda f: f[1])
    return found


def _apart(laid: Laid) -> float:
    """Levels of 255, in the mean."""
    cv2 = open_cv2()
    return float(cv2.norm(laid.one, laid.other, cv2.NORM_L1)) / laid.one.size


def _softened(picture: Pixels) -> Pixels:
    """Without what depends on the program that scaled it."""
    cv2 = open_cv2()
    out: Pixels = cv2.GaussianBlur(picture, (0, 0), SOFTENED)
    return out


def _in_proportion(one: Pixels, other: Pixels) -> bool:
    """Within a pixel of each side, as scaling rounds."""
    (h, w), (height, width) = one.shape[:2], other.shape[:2]
    small, large = sorted(((w, h), (width, height)))
    factor = small[0] / large[0]
    return bool(abs(large[1] * factor - small[1]) <= 1 + factor)


def _reduced(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """To (height, width)."""
    if picture.shape[:2] == size:
        return picture
    cv2 = open_cv2()
    out: Pixels = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return out


def _alike(one: Pixels, other: Pixels) -> float:
    cv2 = open_cv2()
    size = (min(64, one.shape[0]), min(64, one.shape[1]))
    a, b = (_reduced(p, size) for p in (one, other))
    return float(cv2.matchTemplate(a, b, cv2.TM_CCOEFF_NORMED)[0, 0])


def _step(original: Pixels) -> int:
    """How many times it is reduced to be searched."""
    height, width = original.shape[:2]
    return max(1, math.ceil(max(int(height), int(width)) / _SEARCHED_SIDE))


def _can_be_found(crop: Pixels, original: Pixels) -> bool:
    return bool(min(crop.shape[:2]) >= max(_LEAST_CROP, _LEAST_REDUCED * _step(original)))


def _place_of(crop: Pixels, original: Pixels) -> tuple[int, int] | None:
    """x and y of the place that looks most like the crop, if it does: found reduced, then to the pixel."""
    cv2 = open_cv2()
    height, width = crop.shape[:2]
    step = _step(original)
    size, frame = (tuple(side // step for side in p.shape[:2]) for p in (crop, original))
    answers = cv2.matchTemplate(_reduced(original, frame), _reduced(crop, size), cv2.TM_CCOEFF_NORMED)
    _, _, _, (left, top) = cv2.minMaxLoc(np.nan_to_num(answers))
    core_h, core_w = min(height, _CORE), min(width, _CORE)
    dy, dx = (height - core_h) // 2, (width - core_w) // 2
    core = crop[dy : dy + core_h, dx : dx + core_w]
    margin = 2 * step
    y0, x0 = max(0, top * step + dy - margin), max(0, left * step + dx - margin)
    window = original[y0 : y0 + core_h + 2 * margin, x0 : x0 + core_w + 2 * margin]
    if window.shape[0] < core_h or window.shape[1] < core_w:
        return None
    near = cv2.matchTemplate(window, core, cv2.TM_CCOEFF_NORMED)
    _, best, _, (shift_x, shift_y) = cv2.minMaxLoc(np.nan_to_num(near))
    x, y = x0 + shift_x - dx, y0 + shift_y - dy
    inside = 0 <= x <= original.shape[1] - width and 0 <= y <= original.shape[0] - height
    return (x, y) if inside and best >= ALIKE else None
