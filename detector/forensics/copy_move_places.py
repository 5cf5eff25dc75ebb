"""Pairs of places of one picture that one affine map takes to each other: keypoints, matches, maps.

SIFT keypoints (Lowe 2004), matched among themselves as Amerini et al. ("A SIFT-based forensic method for
copy-move attack detection and transformation recovery", 2011) do: a match counts where the next one is much
farther away, so that a pattern that repeats often matches nothing. Each match proposes the similarity that
its two keypoints' sizes and directions give; what agrees is refined to an affine map by RANSAC.

A mirrored copy has the same descriptors with their parts in another order: each is matched with the others'
mirrored too, and its maps turn the picture over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.pixels.decode import open_cv2

Grey = NDArray[np.float32]
Points = NDArray[np.float64]  # (n, 2), x and y in pixels
Map = NDArray[np.float64]  # (2, 3)

MOST_KEYPOINTS = 6_000
LEAST_MATCHES = 4
MOST_PAIRS = 6
MOST_MATCHES = 1_500  # the nearest, each counted both ways
APART = 20.0  # pixels between two places at least
_CONTRAST = 0.012  # of SIFT: keypoints on faint texture too
_TILES = 16  # along a side, which share the keypoints evenly
_RATIO = 0.65  # between the distance of a match and that of the next
_NEAREST = 4  # matches that are looked at for a keypoint
_ALIKE = 0.3  # between unit descriptors: from here up two places do not look alike
_SCALES = (0.45, 2.2)
_REACH = 0.35  # of the longer side: how far a match proposes a map for
_SLACK, _PER_PIXEL = 3.0, 0.12  # of a proposed map, in pixels, and for each pixel of distance
_INLIER = 2.0  # pixels
_SEEDS = 600  # matches that propose a map, at most
_SAME_PLACE = 4.0  # pixels
_FAR = 9.0  # no descriptors are so far apart


@dataclass(frozen=True, slots=True)
class Matches:
    """Each both ways. ``repeating`` is the share of keypoints that look like three others or more."""

    first: Points
    second: Points
    scale: NDArray[np.float64]
    turn: NDArray[np.float64]  # radians
    distance: NDArray[np.float64]
    keypoints: int
    repeating: float
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class PlacePair:
    """``first`` and ``second`` are the keypoints that ``affine`` takes to each other, (n, 2) each."""

    affine: Map
    first: Points
    second: Points


def matches_within(grey: NDArray[np.uint8]) -> tuple[Matches, Matches]:
    """Of (height, width) levels: places as they are, and mirrored."""
    keypoints, descriptors = _keypoints(grey)
    if len(keypoints) < 2 * LEAST_MATCHES:
        none, nowhere = np.zeros(0), np.zeros((0, 2))
        nothing = Matches(nowhere, nowhere, none, none, none, len(keypoints), 0.0)
        return nothing, replace(nothing, mirrored=True)
    return _matches(keypoints, descriptors, mirrored=False), _matches(keypoints, descriptors, mirrored=True)


def _matches(keypoints: NDArray[np.float64], descriptors: Grey, *, mirrored: bool) -> Matches:
    at, size, angle = keypoints[:, :2], keypoints[:, 2], np.deg2rad(keypoints[:, 3])
    near, far = _nearest(at, descriptors, _mirrored(descriptors) if mirrored else descriptors)
    matched: list[tuple[int, int, float]] = []
    for k in range(2):  # one copy, or two
        good = (far[:, k] < _RATIO * far[:, k + 1]) & (far[:, k] < _ALIKE)
        for rank in range(k + 1):
            matched += [(int(i), int(near[i, rank]), float(far[i, rank])) for i in np.flatnonzero(good)]
    both = {(i, j): d for i, j, d in matched} | {(j, i): d for i, j, d in matched}
    both = dict(sorted(both.items(), key=lambda pair: pair[1])[:MOST_MATCHES])
    pairs = np.array(list(both), int).reshape(-1, 2)
    i, j = pairs[:, 0], pairs[:, 1]
    scale = size[j] / size[i]
    kept = (scale > _SCALES[0]) & (scale < _SCALES[1])
    i, j = i[kept], j[kept]
    return Matches(
        first=at[i],
        second=at[j],
        scale=scale[kept],
        turn=angle[j] + (angle[i] if mirrored else -angle[i]),
        distance=np.array(list(both.values()))[kept],
        keypoints=len(keypoints),
        repeating=float((far[:, 2] < _ALIKE).mean()),
        mirrored=mirrored,
    )


def _mirrored(descriptors: Grey) -> Grey:
    """Those of the mirrored picture: what lies to one side of a keypoint's direction lies to the other, and
    directions turn the other way (OpenCV: 4 rows across the direction, 4 columns along it, 8 directions)."""
    parts = descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, (-np.arange(8)) % 8]
    return np.ascontiguousarray(parts.reshape(-1, 128))


def _keypoints(grey: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Grey]:
    """x, y, size, angle of each, the strongest of each tile; descriptors of length 1 (RootSIFT)."""
    cv2 = open_cv2()
    sift = cv2.SIFT_create(contrastThreshold=_CONTRAST, edgeThreshold=12)
    found = [p for p in sift.detect(grey, None) if p.size < 60]
    if not found:
        return np.zeros((0, 4)), np.zeros((0, 128), np.float32)
    at = np.array([(*p.pt, p.size, p.angle, p.response) for p in found])
    tile = (at[:, :2] * _TILES / (grey.shape[1], grey.shape[0])).astype(int)
    chosen = _shared_evenly(tile[:, 0] * _TILES + tile[:, 1], at[:, 4])
    kept, descriptors = sift.compute(grey, [found[i] for i in chosen])
    if descriptors is None:
        return np.zeros((0, 4)), np.zeros((0, 128), np.float32)
    return np.array([(*p.pt, p.size, p.angle) for p in kept]), root_sift(descriptors)


def root_sift(descriptors: NDArray[np.floating]) -> Grey:
    """Of length 1, so that their distance is Hellinger's (Arandjelovic and Zisserman 2012)."""
    unit = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    return np.asarray(unit, np.float32)


def _shared_evenly(tile: NDArray[np.intp], response: NDArray[np.float64]) -> NDArray[np.intp]:
    """The strongest of each tile, then the second of each, and so on: grass all around must not take the room
    of a smooth place."""
    order = np.lexsort((-response, tile))
    begins = np.flatnonzero(np.diff(tile[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return order[np.argsort(rank, kind="stable")][:MOST_KEYPOINTS]


def _nearest(at: Points, descriptors: Grey, others: Grey) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The ``_NEAREST`` of each in the distance of descriptors to ``others``, those of the same keypoints as
    they are or mirrored, of those that lie apart; which, and how far. Of several in one place the nearest
    counts alone."""
    n, block = len(at), 512
    near = np.zeros((n, _NEAREST), np.intp)
    far = np.full((n, _NEAREST), _FAR)
    wide = min(n, 4 * _NEAREST)
    x, y = at.astype(np.float32).T
    for start in range(0, n, block):
        rows = slice(start, start + block)
        apart = 2 - 2 * (descriptors[rows] @ others.T)
        apart[(np.abs(x[rows, None] - x) < APART) & (np.abs(y[rows, None] - y) < APART)] = _FAR**2
        for row in np.flatnonzero(apart.min(axis=1) < _ALIKE**2):
            some = np.argpartition(apart[row], wide - 1)[:wide]
            places = _distinct(at, some[np.argsort(apart[row, some])])
            near[start + row, : len(places)] = places
            far[start + row, : len(places)] = np.sqrt(np.maximum(apart[row, places], 0))
    return near, far


def _distinct(at: Points, candidates: NDArray[np.intp]) -> list[int]:
    """The first ``_NEAREST`` that do not lie in one place; SIFT gives a place several directions."""
    places: list[int] = []
    for c in candidates:
        if all(max(abs(at[c, 0] - at[p, 0]), abs(at[c, 1] - at[p, 1])) > _SAME_PLACE for p in places):
            places.append(int(c))
        if len(places) == _NEAREST:
            break
    return places


def pairs_among(matches: Matches, longer_side: int) -> tuple[PlacePair, ...]:
    """At most ``MOST_PAIRS``, those with the most matches first."""
    left = np.arange(len(matches.first))
    found: list[PlacePair] = []
    while len(left) >= 2 * LEAST_MATCHES and len(found) < MOST_PAIRS:
        agree = _agreeing(matches, left, longer_side * _REACH)
        best = int(agree.sum(axis=1).argmax())
        chosen = left[agree[best]]
        if len(chosen) < LEAST_MATCHES:
            break
        pair = _refined(matches, chosen)
        used = agree[best].copy()
        if pair is not None:
            found.append(pair)
            used |= _explained(matches, left, pair.affine)
        left = left[~used]
    return tuple(found)


def _agreeing(matches: Matches, left: NDArray[np.intp], reach: float) -> NDArray[np.bool_]:
    """Which matches (columns) fit the similarity that each match (rows) proposes."""
    p, q = matches.first[left], matches.second[left]
    cos, sin = (f(matches.turn[left]) * matches.scale[left] for f in (np.cos, np.sin))
    over = -1 if matches.mirrored else 1
    step = max(1, len(left) // _SEEDS)
    out = np.zeros((len(left), len(left)), bool)
    for row in range(0, len(left), step):
        d = (p - p[row]) * (1, over)
        expected_x = q[row, 0] + cos[row] * d[:, 0] - sin[row] * d[:, 1]
        expected_y = q[row, 1] + sin[row] * d[:, 0] + cos[row] * d[:, 1]
        miss = np.hypot(q[:, 0] - expected_x, q[:, 1] - expected_y)
        gap = np.hypot(d[:, 0], d[:, 1])
        out[row] = (miss < _SLACK + _PER_PIXEL * gap) & (gap < reach)
    return out


def _refined(matches: Matches, chosen: NDArray[np.intp]) -> PlacePair | None:
    """The affine map of most; None where too few distinct keypoints agree, or it is no map of a copy."""
    cv2 = open_cv2()
    p, q = matches.first[chosen], matches.second[chosen]
    cv2.setRNGSeed(0)  # the same each time
    affine, inside = cv2.estimateAffine2D(
        p.astype(np.float32), q.astype(np.float32), method=cv2.RANSAC, ransacReprojThreshold=_INLIER
    )
    if affine is None or not np.isfinite(affine).all():
        return None
    sizes = np.linalg.svd(affine[:, :2], compute_uv=False)
    turned_over = bool(np.linalg.det(affine[:, :2]) < 0)
    if (
        turned_over is not matches.mirrored
        or sizes[0] > _SCALES[1]
        or sizes[1] < _SCALES[0]
        or sizes[0] > 1.6 * sizes[1]
    ):
        return None
    inlier = inside.ravel().astype(bool)
    distinct = len(np.unique(np.round(p[inlier] / 3), axis=0))
    if distinct < LEAST_MATCHES:
        return None
    return PlacePair(affine=np.array(affine, np.float64), first=p[inlier], second=q[inlier])


def _explained(matches: Matches, left: NDArray[np.intp], affine: Map) -> NDArray[np.bool_]:
    """Matches that a map explains, one way or the other."""
    p, q = matches.first[left], matches.second[left]
    there = np.hypot(*(p @ affine[:, :2].T + affine[:, 2] - q).T)
    back = np.hypot(*(q @ affine[:, :2].T + affine[:, 2] - p).T)
    explained: NDArray[np.bool_] = (there < 2 * _INLIER) | (back < 2 * _INLIER)
    return explained
