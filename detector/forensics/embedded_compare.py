"""Whether a small picture shows the same as the large one: after turning, without bars, cropped or not.

Both are brought to one small size and compared in luminance by correlation, which does not mind another
brightness or contrast. Where they differ, places are named in a grid; where the small one shows more, the
large one is looked for in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.pixels.decode import Pixels, open_cv2

Grey = NDArray[np.float32]
Area = tuple[float, float, float, float]

SIDE = 120  # pixels of the longer side at which both are compared
FINER = 8  # so many pixels of the picture for one that is compared are looked at along a side, and no more
GRID = 12  # cells along the longer side
LEAST_SPREAD = 14.0  # grey levels: of a flatter picture a correlation says little
SAME = 0.90  # correlation from which two show the same
_BAR_LEVEL, _BAR_SPREAD = 24, 6
_CORE = 0.88  # of the small one's sides, looked for in the picture: bars and edges are cut differently
_ZOOMS = (1.0, 0.97, 1.03, 1.06, 0.94, 1.09, 1.12)  # of the picture, against the small one's width
_SCALES = tuple(np.round(np.linspace(0.95, 0.35, 25), 3).tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """``same`` is the correlation, 1 at best. ``crop`` is where the picture lies in the small one, as shares
    (x, y, width, height), where it was found there. ``cells`` (rows, columns) are how many grey levels a
    place differs after brightness and contrast were made equal; they cover ``area`` of the picture, as shares
    (x, y, width, height)."""

    same: float
    turned: int
    crop: Area | None
    area: Area
    cells: Grey

    @property
    def far(self) -> float:
        """What the third of its places differs that differ most, in grey levels: one alone is an edge."""
        order = np.sort(self.cells, axis=None)
        return float(order[-min(3, order.size)])


def compare(picture: Pixels, small: Pixels) -> Compared | None:
    """None where either is too flat to be compared. Both are (height, width, 3) of 0 to 255."""
    cv2 = open_cv2()
    scale = SIDE / max(picture.shape[:2])
    size = (max(16, round(picture.shape[1] * scale)), max(16, round(picture.shape[0] * scale)))
    every = max(1, max(picture.shape[:2]) // (SIDE * FINER))
    coarse = np.ascontiguousarray(picture[::every, ::every])
    large = _grey(cv2.resize(coarse, size, interpolation=cv2.INTER_AREA))
    inner = _without_bars(_grey(small))
    if min(float(inner.std()), float(large.std())) < LEAST_SPREAD or min(inner.shape) < 16:
        return None
    whole = _best(_whole(large, turned, n) for turned, n in _turns(inner))
    if whole is None or whole.same < SAME:
        full = _grey(small)
        others = _turns(full) if inner.size < full.size else []
        squeezed = _resized(full, large.shape[1], large.shape[0])  # some write any shape into 160 x 120
        whole = _best((whole, *(_whole(large, turned, n) for turned, n in (*others, (squeezed, 0)))))
    if whole is not None and whole.same >= SAME:
        return whole
    part = _best(_part(large, turned, n) for turned, n in _turns(inner))
    return part if whole is None or (part is not None and part.same >= SAME) else whole


def _turns(grey: Grey) -> list[tuple[Grey, int]]:
    return [(np.ascontiguousarray(np.rot90(grey, n)), n) for n in range(4)]


def _best(found: Iterable[Compared | None]) -> Compared | None:
    return max((f for f in found if f is not None), key=lambda f: f.same, default=None)


def _grey(pixels: Pixels) -> Grey:
    grey: Grey = open_cv2().cvtColor(pixels, open_cv2().COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _without_bars(grey: Grey) -> Grey:
    """Thumbnails of 4:3 hold pictures of 3:2 between two black bars; of a dark picture it cuts too much."""
    dark = [(a.mean(axis=1) < _BAR_LEVEL) & (a.std(axis=1) < _BAR_SPREAD) for a in (grey, grey.T)]
    kept = [np.flatnonzero(~d) for d in dark]
    if not len(kept[0]) or not len(kept[1]):
        return grey
    (top, bottom), (left, right) = ((int(k[0]), int(k[-1]) + 1) for k in kept)
    if top or bottom < grey.shape[0]:
        top, bottom = top + 1, bottom - 1  # the edge of a bar is smeared
    if left or right < grey.shape[1]:
        left, right = left + 1, right - 1
    return grey[top:bottom, left:right]


def _smooth(grey: Grey) -> Grey:
    smoothed: Grey = open_cv2().GaussianBlur(grey, (0, 0), 1.0)
    return smoothed


def _resized(grey: Grey, width: float, height: float) -> Grey:
    cv2 = open_cv2()
    size = (max(1, round(width)), max(1, round(height)))
    resized: Grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return resized


def _whole(large: Grey, small: Grey, quarters: int) -> Compared | None:
    """The middle of the small one looked for in the picture, at about the same size."""
    cv2 = open_cv2()
    best: Compared | None = None
    height, width = small.shape
    for zoom in _ZOOMS:
        fit = zoom * large.shape[1] / width
        other = _smooth(_resized(small, width * fit, height * fit))
        cut = [round(side * (1 - _CORE) / 2) for side in other.shape]
        core = other[cut[0] : other.shape[0] - cut[0], cut[1] : other.shape[1] - cut[1]]
        if min(core.shape) < 16 or core.shape[0] > large.shape[0] or core.shape[1] > large.shape[1]:
            continue
        if core.shape[0] * core.shape[1] < 0.6 * large.size:  # of another shape: it shows another cut
            continue
        mine = _smooth(large)
        answers = cv2.matchTemplate(mine, core, cv2.TM_CCOEFF_NORMED)
        y, x = divmod(int(answers.argmax()), answers.shape[1])
        same = _finite(answers.max())
        if best is None or same > best.same:
            area = _shares((x, y, core.shape[1], core.shape[0]), large)
            cells = _cells(mine[y : y + core.shape[0], x : x + core.shape[1]], core)
            best = Compared(same=same, turned=quarters, crop=None, area=area, cells=cells)
        if same >= 0.99:
            break
    return best


def _part(large: Grey, small: Grey, quarters: int) -> Compared | None:
    """The picture looked for in a small one that may show more."""
    cv2 = open_cv2()
    scale = SIDE / max(small.shape)
    whole = _smooth(_resized(small, small.shape[1] * scale, small.shape[0] * scale))
    best: Compared | None = None
    for share in _SCALES:
        fit = share * min(whole.shape[0] / large.shape[0], whole.shape[1] / large.shape[1])
        wide, high = round(large.shape[1] * fit), round(large.shape[0] * fit)
        if min(wide, high) < 24:
            continue
        piece = _smooth(cv2.resize(large, (wide, high), interpolation=cv2.INTER_AREA))
        answers = cv2.matchTemplate(whole, piece, cv2.TM_CCOEFF_NORMED)
        y, x = divmod(int(answers.argmax()), answers.shape[1])
        same = _finite(answers.max())
        if best is None or same > best.same:
            crop = _shares((x, y, wide, high), whole)
            cells = _cells(piece, whole[y : y + high, x : x + wide])
            best = Compared(same=same, turned=quarters, crop=crop, area=(0.0, 0.0, 1.0, 1.0), cells=cells)
    return best


def _shares(box: tuple[int, int, int, int], of: Grey) -> Area:
    height, width = of.shape
    x, y, w, h = box
    return round(x / width, 3), round(y / height, 3), round(w / width, 3), round(h / height, 3)


def _cells(mine: Grey, other: Grey) -> Grey:
    """How far every cell differs once the other's brightness and contrast are brought to mine."""
    spread = float(other.std())
    gain = float(((mine - mine.mean()) * (other - other.mean())).mean()) / max(spread**2, 1e-3)
    apart = np.abs((other - other.mean()) * gain + mine.mean() - mine)
    step = max(1, round(max(apart.shape) / GRID))
    rows, columns = max(1, apart.shape[0] // step), max(1, apart.shape[1] // step)
    cut = apart[: rows * step, : columns * step].reshape(rows, step, columns, step)
    means: Grey = cut.mean(axis=(1, 3))
    return means


def _finite(value: float) -> float:
    """A flat piece has no correlation: it counts as none."""
    return float(value) if np.isfinite(value) else 0.0
