"""Whether a smooth place of a picture (sky, skin, a wall) was put elsewhere in it: its grain stands twice.

Keypoints find nothing in smooth places, so ``copy_move`` is blind there. What is left to go by is grain, and
grain that agrees over many pixels is no chance. A dense field of matches (Cozzolino, Poggi and Verdoliva,
*Efficient dense-field copy-move forgery detection*, 2015) looks for the nearest patch of each patch; where
nothing but grain differs, the same follows from one correlation of the smooth part of the picture with
itself, over all shifts at once: a copy makes a peak at its shift. At each peak the correlation of small
windows with those that far away is a field over the picture, and a copy is one piece of it in which nearly
all agree.

Copies that were only moved are seen; turned, scaled and mirrored ones are not. Bounded as ``copy_move``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from detector.core.errors import NotApplicable
from detector.forensics.copy_move import LEAST_SIDE, Mask, looked_at
from detector.forensics.copy_move_places import Grey
from detector.pixels.decode import Pixels, open_cv2

LEAST_SMOOTH = 0.05  # of the picture
MOST_FLAT = 0.25  # of the picture, without any grain
_FLAT = 0.02  # levels squared
_FINE, _COARSE = 0.8, 3.0  # deviations of the two blurs between which grain is looked for
_LEAST_GRAIN, _MOST_GRAIN = 0.3, 5.0  # levels, of a smooth place: less is flat, more are edges
_NEAR = 32  # pixels: shifts shorter than this along both sides are of one thing, not of two places
_PEAKS = 5  # of either correlation
_ONE_WAY = 0.45  # coherence of gradients, from which on what is fine are lines
_WINDOW = 21  # pixels
_HIGH = 0.7  # correlation of a window that belongs to the copied place
_LEAST_PIECE = 200  # pixels
_ONE_SHIFT = 6  # pixels: peaks so near each other are one
_ON = ((0, 5), (2, 5), (4, 4), (5, 2), (5, 0), (5, -2), (4, -4), (2, -5))  # down and across, pixels

# What makes a copy. Set on one half of the sources in docs/cards/smooth_copies.md.
LEAST_AREA = 1000
LEAST_AGREEING = 0.8
MOST_ALONG = 0.5
MOST_SHIFTS = 3  # with a place each: a pattern has many


class Measured(Protocol):
    """What of a place decides (``SmoothPlace``)."""

    @property
    def down(self) -> int: ...
    @property
    def across(self) -> int: ...
    @property
    def area(self) -> int: ...
    @property
    def agreeing(self) -> float: ...
    @property
    def along(self) -> float: ...


T = TypeVar("T", bound=Measured)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmoothPlace:
    """A place and where it stands again, ``down`` and ``across`` from there, in pixels of the picture as it
    was looked at. ``agreeing`` is the lower quartile of the correlations of its windows, ``grain`` (levels)
    the root of the mean variance of what is fine in it, ``along`` how much it agrees with itself a few pixels
    on in the direction in which it does most, as lines and soft edges do; ``area`` (pixels) is that of one of
    both places, ``middle`` (x, y) that of the first, ``mask`` (height, width) where both are."""

    down: int
    across: int
    agreeing: float
    grain: float
    along: float
    area: int
    middle: tuple[float, float]
    mask: Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmoothCopies:
    """``reduced`` is a side of the picture as it was looked at by the same side of the picture itself,
    ``smooth`` the share of it that is smooth and has grain; ``places`` at most one a shift, largest first."""

    width: int
    height: int
    reduced: float
    smooth: float
    places: tuple[SmoothPlace, ...]

    @property
    def copied(self) -> tuple[SmoothPlace, ...]:
        return copies_among(self.places)


def copies_among(places: Sequence[T]) -> tuple[T, ...]:
    """Those that stand twice; none where so many shifts have a place that it is a pattern. Lines and soft
    edges, which lie upon themselves wherever they are moved along, are none."""
    apart: list[T] = []
    for one in sorted(places, key=lambda p: -p.area):
        near = (
            abs(one.down - p.down) <= _ONE_SHIFT and abs(one.across - p.across) <= _ONE_SHIFT for p in apart
        )
        if one.along <= MOST_ALONG and not any(near):
            apart.append(one)
    if sum(p.area >= LEAST_AREA / 2 for p in apart) > MOST_SHIFTS:
        return ()
    return tuple(p for p in apart if p.area >= LEAST_AREA and p.agreeing >= LEAST_AGREEING)


def examine_smooth_copies(pixels: Pixels) -> SmoothCopies:
    """Of (height, width, 3) pixels. Raises ``NotApplicable`` for small and drawn pictures and those with too
    little that is smooth and not flat."""
    levels, reduced = looked_at(pixels)
    if min(levels.shape) < LEAST_SIDE:
        raise NotApplicable(f"places are compared in pictures of {LEAST_SIDE} pixels a side or more")
    grain = _grain(levels.astype(np.float32))
    if (flat := _flat(levels.astype(np.float32))) > MOST_FLAT:
        raise NotApplicable(
            f"{flat:.0%} of the picture has no grain at all, as drawings and windows of programs, in which a "
            "thing is drawn twice"
        )
    mean = _mean(grain, _WINDOW)
    variance = np.maximum(_mean(grain * grain, _WINDOW) - mean * mean, 0)
    smooth = _smooth(grain, variance)
    share = float(smooth.mean())
    if share < LEAST_SMOOTH:
        raise NotApplicable(
            f"{share:.0%} of the picture is smooth and has grain, of which {LEAST_SMOOTH:.0%} is needed"
        )
    plane = _Plane(grain, mean, variance, smooth)
    found = [_place(plane, *shift) for shift in _shifts(grain, smooth)]
    places = sorted((p for p in found if p is not None), key=lambda p: -p.area)
    return SmoothCopies(
        width=levels.shape[1],
        height=levels.shape[0],
        reduced=reduced,
        smooth=share,
        places=tuple(places),
    )


def _grain(levels: Grey) -> Grey:
    cv2 = open_cv2()
    fine: Grey = cv2.GaussianBlur(levels, (0, 0), _FINE) - cv2.GaussianBlur(levels, (0, 0), _COARSE)
    return fine


def _flat(levels: Grey) -> float:
    """The share of small windows of one level."""
    return float((_mean(levels * levels, 9) - _mean(levels, 9) ** 2 < _FLAT).mean())


def _mean(values: Grey, window: int) -> Grey:
    """Of the window around each pixel."""
    cv2 = open_cv2()
    found: Grey = cv2.boxFilter(values, -1, (window, window))
    return found


def _smooth(grain: Grey, variance: Grey) -> Mask:
    """Where there is grain and no edge in reach."""
    cv2 = open_cv2()
    edges = cv2.dilate(np.sqrt(np.maximum(_mean(grain * grain, 9), 0)), np.ones((9, 9), np.uint8))
    smooth: Mask = (edges < _MOST_GRAIN) & (variance > _LEAST_GRAIN**2)
    return smooth


def _shifts(grain: Grey, smooth: Mask) -> list[tuple[int, int]]:
    """Down and across, the first of both at least 0: where the picture agrees most with itself, as it is and
    with all frequencies made equal, which takes away what soft textures do. The correlation is circular, so
    each peak stands for two shifts."""
    cv2 = open_cv2()
    height, width = grain.shape
    rows, columns = (cv2.getOptimalDFTSize(n) for n in (height, width))
    free = smooth & ~_lines(grain)
    even = np.where(free, np.clip(grain / (np.sqrt(np.maximum(_mean(grain * grain, 9), 0)) + 0.1), -3, 3), 0)
    power = (np.abs(np.fft.rfft2(even, (rows, columns))) ** 2).astype(np.float32)
    equal = power / (cv2.blur(power, (9, 9)) + 1e-3)
    found: list[tuple[int, int]] = []
    for y, x in (*_peaks(power, rows, columns), *_peaks(equal, rows, columns)):
        for down, across in ((y, x), (y, x - columns), (rows - y, columns - x), (rows - y, -x)):
            if 0 <= down < height - _NEAR and abs(across) < width - _NEAR:
                found.append((down, across))
    return list(dict.fromkeys(found))


def _lines(grain: Grey) -> Mask:
    """Where what is fine runs in one direction."""
    cv2 = open_cv2()
    x, y = (cv2.Sobel(grain, -1, *order) for order in ((1, 0), (0, 1)))
    across, down, both = (cv2.GaussianBlur(v, (0, 0), 6) for v in (x * x, y * y, x * y))
    lines: Mask = np.sqrt((across - down) ** 2 + 4 * both**2) > _ONE_WAY * (across + down)
    return lines


def _peaks(power: Grey, rows: int, columns: int) -> list[tuple[int, int]]:
    """Of the correlation with this spectrum, but for what is near no shift at all."""
    cv2 = open_cv2()
    agrees = np.fft.irfft2(power, (rows, columns)).astype(np.float32)
    for down in (slice(0, _NEAR), slice(rows - _NEAR, rows)):
        for across in (slice(0, _NEAR), slice(columns - _NEAR, columns)):
            agrees[down, across] = 0
    agrees[rows // 2 + 1 :] = 0  # the other half is the same, the other way round
    highest = np.flatnonzero((agrees == cv2.dilate(agrees, np.ones((7, 7), np.uint8))) & (agrees > 0))
    best = highest[np.argsort(-agrees.ravel()[highest], kind="stable")][:_PEAKS]
    return [(int(i) // columns, int(i) % columns) for i in best]


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """What is fine, its mean and variance in the window around each pixel, and where it is smooth."""

    grain: Grey
    mean: Grey
    variance: Grey
    smooth: Mask


def _place(plane: _Plane, down: int, across: int) -> SmoothPlace | None:
    """The largest piece in which windows agree with those that far away."""
    cv2 = open_cv2()
    height, width = plane.grain.shape
    here = (slice(0, height - down), slice(max(0, -across), min(width, width - across)))
    there = (slice(down, height), slice(max(0, across), min(width, width + across)))
    joint = _mean(plane.grain[here] * plane.grain[there], _WINDOW) - plane.mean[here] * plane.mean[there]
    agrees = joint / np.sqrt(plane.variance[here] * plane.variance[there] + 1e-3)
    high = ((agrees > _HIGH) & plane.smooth[here] & plane.smooth[there]).astype(np.uint8)
    high = cv2.morphologyEx(high, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    _, pieces, told, _ = cv2.connectedComponentsWithStats(high)
    areas = told[1:, cv2.CC_STAT_AREA]
    if areas.max(initial=0) < _LEAST_PIECE:
        return None
    left, top, wide, tall, area = (int(v) for v in told[1 + int(areas.argmax())])
    box = (slice(top, top + tall), slice(left, left + wide))
    piece = pieces[box] == 1 + int(areas.argmax())
    mask = np.zeros(plane.grain.shape, bool)
    mask[here][box] |= piece
    mask[there][box] |= piece
    rows, columns = np.nonzero(piece)
    least = np.minimum(plane.variance[here][box], plane.variance[there][box])
    return SmoothPlace(
        down=down,
        across=across,
        agreeing=float(np.quantile(agrees[box][piece], 0.25)),
        grain=float(np.sqrt(least[piece].mean())),
        along=_along(plane.grain[here][box], piece),
        area=area,
        middle=(float(columns.mean()) + left + here[1].start, float(rows.mean()) + top),
        mask=mask,
    )


def _along(grain: Grey, piece: Mask) -> float:
    found = []
    values = np.where(piece, grain, 0)
    for down, across in _ON:
        moved = np.roll(values, (down, across), (0, 1))
        both = piece & np.roll(piece, (down, across), (0, 1))
        power = np.sqrt(float(np.vdot(values[both], values[both]) * np.vdot(moved[both], moved[both])))
        found.append(float(np.vdot(values[both], moved[both])) / power if power > 0 else 1.0)
    return max(found)
