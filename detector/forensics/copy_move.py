"""Whether a place of a picture was copied to another place of it: alike down to its grain, not only alike.

Windows, bricks, letters and twins look alike: the same drawing, each time with its own grain. A copy has the
grain of what it was copied from. So pairs of places that keypoints propose (``copy_move_places``) are laid
over each other to a fraction of a pixel (ECC, Evangelidis and Psarakis 2008), and what is finer than about
three pixels is compared in small windows, with edges weighed down: a copy agrees in nearly all of them, a
repeat only along its edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.forensics.copy_move_places import Grey, Map, PlacePair, matches_within, pairs_among
from detector.pixels.decode import Pixels, open_cv2

MAX_PIXELS = 1_200_000  # places are looked for in a larger picture reduced to so many
LEAST_SIDE = 128
LEAST_KEYPOINTS = 30
LEAST_DEVIATION = 2.0  # levels, of the whole picture
_FINE, _COARSE = 0.6, 2.0  # deviations of the two blurs between which grain is looked for
_WINDOW, _GRAIN_WINDOW = 9, 15  # pixels
_HIGH = 0.7  # correlation of a window that belongs to the copied place
_LEAST_VARIANCE = 1.0  # levels squared: windows with less between the two blurs say nothing
_MARGIN = 0.5  # of its size, that is looked at around the keypoints of a place
_GROUND = 3  # levels
_SAME_SCALE, _SAME_TURN = 0.005, 0.4  # degrees
_DRIFT = 6.0  # pixels that the finer map may differ from the keypoints

# What makes a pair of places a copy. Set on one half of the sources in docs/cards/copy_move.md.
LEAST_POINTS, LEAST_GRAIN = 10, 0.82
FEW_POINTS, FEW_GRAIN = 6, 0.92  # where a place was moved and neither turned nor scaled
LEAST_ALIKE = 0.9
LEAST_TOLD = 0.5
MOST_GROUND = 0.35
LEAST_AREA = 400  # pixels
MOST_REPEATING = 0.3  # of the keypoints

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """Two places of one picture, in pixels of the picture as it was looked at; what is measured of a
    copy is measured in the picture itself.

    ``grain`` is the lower quartile of the correlations of what is fine, edges weighed down, over the windows
    between the keypoints; ``alike`` the share of these windows that agree with edges and all; ``told`` the
    share that is not flat. ``ground`` is the share of pixels there and around that have one level, give or
    take a few, or their neighbour's: what is drawn, as letters and signs are, looks the same each time.
    ``area`` (pixels) is what agrees in one piece, ``mask`` (height, width) where that is, on both sides.
    """

    affine: Map
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    grain: float
    alike: float
    told: float
    ground: float
    area: int
    mask: Mask

    @property
    def scale(self) -> float:
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.affine[:, :2]) < 0)

    @property
    def turn(self) -> float:
        """Degrees; of a mirrored place after it was turned over left to right."""
        side = -1 if self.mirrored else 1
        return float(np.rad2deg(np.arctan2(side * self.affine[1, 0], side * self.affine[0, 0])))

    @property
    def copied(self) -> bool:
        return is_copy(
            points=len(self.first),
            grain=self.grain,
            alike=self.alike,
            told=self.told,
            ground=self.ground,
            area=self.area,
            scale=self.scale,
            turn=self.turn,
            mirrored=self.mirrored,
        )


def is_copy(
    *,
    points: int,
    grain: float,
    alike: float,
    told: float,
    ground: float,
    area: int,
    scale: float,
    turn: float,
    mirrored: bool = False,
) -> bool:
    """Whether two places with these measures (``Place``) agree down to their grain."""
    moved = abs(scale - 1) < _SAME_SCALE and abs(turn) < _SAME_TURN and not mirrored
    enough = points >= LEAST_POINTS and grain >= LEAST_GRAIN
    enough = enough or (moved and points >= FEW_POINTS and grain >= FEW_GRAIN)
    whole = alike >= LEAST_ALIKE and told >= LEAST_TOLD and area >= LEAST_AREA
    return enough and whole and ground <= MOST_GROUND


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyMove:
    """``reduced`` is a side of the picture as it was looked at by the same side of the picture itself;
    ``repeating`` the share of keypoints that look like three others or more."""

    width: int
    height: int
    reduced: float
    keypoints: int
    repeating: float
    places: tuple[Place, ...]

    @property
    def copied(self) -> tuple[Place, ...]:
        """The one with the most points first."""
        return tuple(sorted((p for p in self.places if p.copied), key=lambda p: -len(p.first)))


def examine_copy_move(pixels: Pixels) -> CopyMove:
    """Of (height, width, 3) pixels: pairs of places that one map takes to each other, copied or only alike.

    Raises ``NotApplicable`` for small and flat pictures, those with too few keypoints, and patterns.
    """
    grey, reduced = looked_at(pixels)
    if min(grey.shape) < LEAST_SIDE:
        raise NotApplicable(f"places are compared in pictures of {LEAST_SIDE} pixels a side or more")
    if float(grey.std()) < LEAST_DEVIATION:
        raise NotApplicable("the picture is flat: no place in it can be told from another")
    matches, mirrored = matches_within(grey)
    if matches.keypoints < LEAST_KEYPOINTS:
        raise NotApplicable(
            f"only {matches.keypoints} points stand out, of which {LEAST_KEYPOINTS} are needed"
        )
    if matches.repeating > MOST_REPEATING:
        raise NotApplicable(
            f"{matches.repeating:.0%} of the points that stand out look like three others or more: in a "
            "pattern that repeats a copy cannot be told from the next repeat"
        )
    fine = grey.astype(np.float32)
    pairs = (*pairs_among(matches, max(grey.shape)), *pairs_among(mirrored, max(grey.shape)))
    places = [p for pair in pairs if (p := _compared(fine, pair)) is not None]
    return CopyMove(
        width=grey.shape[1],
        height=grey.shape[0],
        reduced=reduced,
        keypoints=matches.keypoints,
        repeating=matches.repeating,
        places=tuple(places if reduced == 1 else _as_it_is(pixels, places, reduced)),
    )


def looked_at(pixels: Pixels) -> tuple[NDArray[np.uint8], float]:
    """Grey levels, by area to no more than ``MAX_PIXELS``; and how far a side was reduced."""
    cv2, grey = open_cv2(), _grey(pixels)
    factor = (MAX_PIXELS / grey.size) ** 0.5
    if factor >= 1:
        return grey, 1.0
    size = max(round(grey.shape[1] * factor), 1), max(round(grey.shape[0] * factor), 1)
    smaller: NDArray[np.uint8] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return smaller, factor


def _grey(pixels: Pixels) -> NDArray[np.uint8]:
    cv2 = open_cv2()
    grey: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return grey


def _as_it_is(pixels: Pixels, places: Sequence[Place], reduced: float) -> Iterator[Place]:
    """What looks like a copy in a reduced picture, with the measures of the picture itself: grain is lost
    where pixels are joined, and two crates of one brewery then agree in all that is left."""
    if not any(place.copied for place in places):
        yield from places
        return
    whole = _grey(pixels).astype(np.float32)
    for place in places:
        if not place.copied:
            yield place
        elif found := _compared(whole, _enlarged(place, reduced)):
            yield replace(
                place, grain=found.grain, alike=found.alike, told=found.told, ground=found.ground
            )  # fmt: skip
        else:  # all of it is flat there, or it lies on itself
            yield replace(place, grain=0.0, alike=0.0)


def _enlarged(place: Place, reduced: float) -> PlacePair:
    """The same places in the picture before it was reduced by area; pixels are counted at their middles."""

    def larger(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return (points + 0.5) / reduced - 0.5

    turn, middle = place.affine[:, :2], np.array([0.5, 0.5])
    moved = turn @ middle * (1 - 1 / reduced) + larger(place.affine[:, 2])
    return PlacePair(
        affine=np.column_stack([turn, moved]), first=larger(place.first), second=larger(place.second)
    )


def _compared(grey: Grey, pair: PlacePair) -> Place | None:
    """By the map that fits the grain best; None where nothing between the keypoints is other than flat."""
    found = [p for affine in _maps(grey, pair) if (p := _laid_over(grey, pair, affine)) is not None]
    return max(found, key=lambda p: p.grain, default=None)


def _maps(grey: Grey, pair: PlacePair) -> list[Map]:
    """The keypoints' map; the same made finer, which can go astray; and if they only moved, or were turned
    over along a side as well, whole pixels."""
    maps = [pair.affine, _finer(grey, pair)]
    for sides in ((1, 1), (-1, 1), (1, -1)):
        moved = np.round(np.median(pair.second - pair.first * sides, axis=0))
        whole = np.column_stack([np.diag(sides), moved]).astype(np.float64)
        if _miss(whole, pair) < _DRIFT:
            maps.append(whole)
    return maps


def _miss(affine: Map, pair: PlacePair) -> float:
    """Pixels between where a map takes a keypoint and its partner, at most."""
    there = pair.first @ affine[:, :2].T + affine[:, 2] - pair.second
    return float(np.hypot(there[:, 0], there[:, 1]).max())


def _finer(grey: Grey, pair: PlacePair) -> Map:
    """To a fraction of a pixel, by the correlation of all levels between the keypoints."""
    cv2 = open_cv2()
    x, y, right, bottom = _box(pair.first, 8, grey)
    start = pair.affine.copy()
    start[:, 2] += start[:, :2] @ (x, y)
    corners = np.array([(0, 0), (right - x, 0), (0, bottom - y), (right - x, bottom - y)], np.float64)
    left, top, far_right, far_bottom = _box(corners @ start[:, :2].T + start[:, 2], 8, grey)
    own, other = grey[y:bottom, x:right], grey[top:far_bottom, left:far_right]
    if min(own.shape) < _WINDOW or min(other.shape, default=0) < _WINDOW:
        return pair.affine
    start[:, 2] -= (left, top)
    enough = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-5)
    try:
        _, found = cv2.findTransformECC(
            own, other, start.astype(np.float32), cv2.MOTION_AFFINE, enough, None, 1
        )
    except cv2.error:  # it did not converge
        return pair.affine
    finer: Map = found.astype(np.float64)
    finer[:, 2] += (left, top) - finer[:, :2] @ (x, y)
    return finer if np.isfinite(finer).all() and _miss(finer, pair) < _DRIFT else pair.affine


def _box(points: NDArray[np.float64], margin: float, grey: Grey) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around points, within the picture."""
    low, high = np.floor(points.min(axis=0) - margin), np.ceil(points.max(axis=0) + margin + 1)
    height, width = grey.shape
    left, top = (int(v) for v in np.clip(low, 0, (width, height)))
    right, bottom = (int(v) for v in np.clip(high, 0, (width, height)))
    return left, top, right, bottom


def _laid_over(grey: Grey, pair: PlacePair, affine: Map) -> Place | None:
    cv2 = open_cv2()
    extent = float((pair.first.max(axis=0) - pair.first.min(axis=0)).max())
    x, y, right, bottom = _box(pair.first, _MARGIN * extent + 3 * _WINDOW, grey)
    own, size = grey[y:bottom, x:right], (right - x, bottom - y)
    there = affine.copy()
    there[:, 2] += there[:, :2] @ (x, y)
    other = cv2.warpAffine(grey, there, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    inside = cv2.warpAffine(np.ones_like(grey), there, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    one, two = _fine(own), _fine(other)
    alike, variance = _correlation(one, two, _WINDOW)
    told = (variance > _LEAST_VARIANCE) & (inside > 0)
    grain, _ = _correlation(_evened(one), _evened(two), _GRAIN_WINDOW)
    between = _between(pair.first - (x, y), own.shape)
    asked = between & told
    if not asked.any() or _overlap(between, there, x, y):
        return None
    agrees = _in_one_piece(((alike > _HIGH) & told).astype(np.uint8), between)
    mask = np.zeros(grey.shape, bool)
    mask[y:bottom, x:right] = agrees
    target = cv2.warpAffine(
        mask.astype(np.uint8), affine, (grey.shape[1], grey.shape[0]), flags=cv2.INTER_NEAREST
    )
    return Place(
        affine=affine,
        first=pair.first,
        second=pair.second,
        grain=float(np.quantile(grain[asked], 0.25)),
        alike=float((alike[asked] > _HIGH).mean()),
        told=float(asked.sum() / between.sum()),
        ground=_ground(own, cv2.dilate(between.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0),
        area=int(agrees.sum()),
        mask=mask | (target > 0),
    )


def _overlap(between: Mask, there: Map, x: int, y: int) -> bool:
    """Whether a place lies on itself, as what is symmetric does. ``there`` takes it to the picture, in which
    it begins at ``x``, ``y``."""
    cv2 = open_cv2()
    home = there.copy()
    home[:, 2] -= (x, y)
    size = (between.shape[1], between.shape[0])
    again = cv2.warpAffine(between.astype(np.uint8), home, size, flags=cv2.INTER_NEAREST)
    return bool((again.astype(bool) & between).any())


def _ground(levels: Grey, where: Mask) -> float:
    """The share of the levels within ``_GROUND`` of the one that is most common, or that of levels that equal
    their neighbour's, whichever is larger."""
    counts = np.bincount(np.clip(levels[where].round().astype(np.int64), 0, 255), minlength=256)
    near = np.convolve(counts, np.ones(2 * _GROUND + 1, np.int64), "same")
    equal = levels[:, 1:] == levels[:, :-1]
    return float(max(near.max() / counts.sum(), equal[where[:, 1:]].mean()))


def _fine(levels: Grey) -> Grey:
    cv2 = open_cv2()
    fine: Grey = cv2.GaussianBlur(levels, (0, 0), _FINE) - cv2.GaussianBlur(levels, (0, 0), _COARSE)
    return fine


def _evened(fine: Grey) -> Grey:
    """Edges count no more than grain."""
    cv2 = open_cv2()
    evened: Grey = fine / (np.sqrt(np.maximum(cv2.blur(fine * fine, (5, 5)), 0)) + 1)
    return evened


def _correlation(one: Grey, two: Grey, window: int) -> tuple[Grey, Grey]:
    """Of each window around a pixel, and the lesser of both variances."""
    cv2 = open_cv2()

    def mean(values: Grey) -> Grey:
        found: Grey = cv2.boxFilter(values, -1, (window, window))
        return found

    a, b = mean(one), mean(two)
    own = np.maximum(mean(one * one) - a * a, 0)
    other = np.maximum(mean(two * two) - b * b, 0)
    found: Grey = ((mean(one * two) - a * b) / np.sqrt(own * other + 1e-3)).astype(np.float32)
    return found, np.minimum(own, other).astype(np.float32)


def _between(keypoints: NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    """Within the hull of keypoints, and a few pixels around it."""
    cv2 = open_cv2()
    hull = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(keypoints.astype(np.float32)).round().astype(np.int32), 1)
    between: Mask = cv2.dilate(hull, np.ones((9, 9), np.uint8)) > 0
    return between


def _in_one_piece(agrees: NDArray[np.uint8], between: Mask) -> Mask:
    """Without specks; the pieces that keypoints lie in."""
    cv2 = open_cv2()
    opened = cv2.morphologyEx(agrees, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, pieces = cv2.connectedComponents(closed)
    kept: Mask = np.isin(pieces, np.setdiff1d(np.unique(pieces[between]), 0))
    return kept
