"""Whether several frames, taken from places a little apart, move against each other as a flat thing does.

All points of one plane move by one homography (Hartley and Zisserman, *Multiple View Geometry*, 13); those of
a scene with depth do not, unless the camera only turned: then no depth shows in anything. A turn is told from
a plane by what is left of the homography when the camera's own part is taken off: a rotation, or something
that is none. The focal length is not known, so the one is taken that explains it best as a turn, and any
change of it between the frames too: focus moves it a little and zoom a lot, and neither shows depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.forensics.copy_move_places import root_sift
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.within import reduced

SIDE = 1000  # pixels that the longer side of a frame is reduced to
LEAST_SIDE = 240
MOST_FRAMES = 8
LEAST_MATCHES = 150
LEAST_SPREAD = 0.15  # of the frame, that the matched points lie between
LEAST_MOTION = 0.02  # of the longer side, by the median
MOST_FLAT = 0.03  # share of points off the homography, up to which all lies in one plane
LEAST_DEPTH = 0.06  # share of them from which there is depth
LEAST_SHIFT = 0.03  # how far from any turn a homography must be
LEAST_FLAT = 2  # movements of a set that must say so, and more than pairs say that the camera turned
_KEYPOINTS = 2_500
_RATIO = 0.75
_NEAR = 1.5  # pixels
_OFF = 3.0  # pixels
_OTHER_PLANES, _LEAST_ON_PLANE = 3, 12
_FOCAL = np.geomspace(0.5, 2.2, 30)  # of the longer side
_ZOOM = np.concatenate([np.linspace(0.93, 1.07, 57), np.geomspace(0.2, 5, 200)])

Points = NDArray[np.float64]


class Motion(StrEnum):
    """What two frames say together."""

    FLAT = "flat"  # one plane, seen from two places
    DEPTH = "depth"  # some points move otherwise than a plane's
    TURNED = "turned"  # the camera turned, zoomed or stood still, or all is far away
    BETWEEN = "between"  # few points move otherwise
    UNKNOWN = "unknown"  # too few points, or too little motion


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePair:
    """``motion`` in shares of the longer side; ``off`` is the share of points off the homography, ``shift``
    how far that is from any turn of a camera: the logarithm of the ratio of its largest to its smallest
    singular value. ``stood``: the camera hardly moved, and nothing before it did."""

    first: int
    second: int
    matches: int
    said: Motion
    motion: float = 0.0
    off: float = 0.0
    shift: float = 0.0
    stood: bool = False


def examine_parallax(frames: Sequence[Pixels]) -> tuple[FramePair, ...]:
    """Of (height, width, 3) pixels each, every pair of them. Raises ``NotApplicable`` for fewer than two
    frames, more than ``MOST_FRAMES``, frames of different sizes, and small ones."""
    if not 2 <= len(frames) <= MOST_FRAMES:
        raise NotApplicable(f"{len(frames)} frames; motion is compared in 2 to {MOST_FRAMES}")
    if len({f.shape for f in frames}) != 1:
        raise NotApplicable("the frames are not of one size")
    if min(frames[0].shape[:2]) < LEAST_SIDE:
        raise NotApplicable(f"frames are compared from {LEAST_SIDE} pixels a side on")
    small = [reduced(f, SIDE) for f in frames]
    points = [_points(f) for f in small]
    height, width = small[0].shape[:2]
    return tuple(
        _compared(i, j, *_matched(points[i], points[j]), width, height)
        for i, j in combinations(range(len(frames)), 2)
    )


def said_of_set(pairs: Sequence[FramePair]) -> Motion:
    """What the pairs of one set say together. One that shows depth is enough, for a flat thing never does;
    ``FLAT`` takes ``LEAST_FLAT`` movements that say so and more of them than of pairs that say the camera
    only turned, so that no single look decides a set: pairs between the same two places, where the camera
    stood for several frames, are one movement, seen several times. Fewer flat ones are ``BETWEEN``."""
    count = {motion: sum(p.said is motion for p in pairs) for motion in Motion}
    if count[Motion.DEPTH]:
        return Motion.DEPTH
    if count[Motion.BETWEEN]:
        return Motion.BETWEEN
    flat = len(_movements(pairs))
    if flat >= LEAST_FLAT and flat > count[Motion.TURNED]:
        return Motion.FLAT
    if count[Motion.FLAT]:
        return Motion.BETWEEN
    return Motion.TURNED if count[Motion.TURNED] else Motion.UNKNOWN


def _movements(pairs: Sequence[FramePair]) -> frozenset[frozenset[int]]:
    """Between which places the flat pairs lie. Frames between which the camera stood still are of one."""
    place = {frame: frame for p in pairs for frame in (p.first, p.second)}
    for p in pairs:
        if p.stood:
            here, there = place[p.first], place[p.second]
            place = {frame: here if at == there else at for frame, at in place.items()}
    return frozenset(frozenset((place[p.first], place[p.second])) for p in pairs if p.said is Motion.FLAT)


def _points(frame: Pixels) -> tuple[Points, NDArray[np.float32]]:
    """Places and unit descriptors."""
    cv2 = open_cv2()
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    found, descriptors = cv2.SIFT_create(nfeatures=_KEYPOINTS).detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
    return np.array([p.pt for p in found]), root_sift(descriptors)


def _matched(
    one: tuple[Points, NDArray[np.float32]], two: tuple[Points, NDArray[np.float32]]
) -> tuple[Points, Points]:
    """Points that are each other's nearest, and much nearer than the next."""
    if min(len(one[0]), len(two[0])) < 3:
        return np.zeros((0, 2)), np.zeros((0, 2))
    apart = 2 - 2 * one[1] @ two[1].T
    nearest = apart.argmin(axis=1)
    least = np.partition(apart, 1, axis=1)[:, :2]
    back = apart.argmin(axis=0)
    good = (least[:, 0] < _RATIO**2 * least[:, 1]) & (back[nearest] == np.arange(len(nearest)))
    return one[0][good], two[0][nearest[good]]


def _compared(i: int, j: int, p: Points, q: Points, width: int, height: int) -> FramePair:
    cv2 = open_cv2()
    unknown = FramePair(first=i, second=j, matches=len(p), said=Motion.UNKNOWN)
    if len(p) < LEAST_MATCHES or _spread(p) < LEAST_SPREAD * width * height:
        return unknown
    cv2.setRNGSeed(0)  # the same each time
    plane, _ = cv2.findHomography(p, q, cv2.RANSAC, _NEAR, None, 4000, 0.999)
    lines, along = cv2.findFundamentalMat(p, q, cv2.FM_RANSAC, _NEAR, 0.999, 4000)
    if plane is None or not np.isfinite(plane).all() or abs(np.linalg.det(plane)) < 1e-9:
        return unknown
    miss = _miss(plane, p, q)
    kept = (miss < _OFF) | _other_planes(p, q, miss >= _OFF)  # the rest are mistakes, and no motion
    if lines is not None and along is not None:
        kept |= along.ravel().astype(bool)
    if kept.sum() < LEAST_MATCHES:
        return unknown
    longer = max(width, height)
    motion = float(np.median(np.hypot(*(q[kept] - p[kept]).T))) / longer
    off = float((miss[kept] >= _OFF).mean())
    shift = _from_any_turn(plane, width, height)
    return FramePair(
        first=i, second=j, matches=int(kept.sum()), motion=motion, off=off, shift=shift,
        said=_said(motion, off, shift), stood=off <= MOST_FLAT and motion < LEAST_MOTION,
    )  # fmt: skip


def _other_planes(p: Points, q: Points, left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the matches that are left, those that move by homographies of their own: things before a wall, whose
    motion no one fundamental matrix is found for, since the wall's many points fit any."""
    cv2 = open_cv2()
    found, left = np.zeros(len(p), bool), left.copy()
    for _ in range(_OTHER_PLANES):
        if left.sum() < _LEAST_ON_PLANE:
            break
        at = np.flatnonzero(left)
        plane, inside = cv2.findHomography(p[at], q[at], cv2.RANSAC, _NEAR, None, 2000, 0.99)
        if plane is None or inside.sum() < _LEAST_ON_PLANE:
            break
        found[at[inside.ravel() > 0]] = True
        left &= ~found
    return found


def _said(motion: float, off: float, shift: float) -> Motion:
    if off >= LEAST_DEPTH:
        return Motion.DEPTH
    if motion < LEAST_MOTION:
        return Motion.UNKNOWN
    if shift < LEAST_SHIFT:
        return Motion.TURNED
    return Motion.FLAT if off <= MOST_FLAT else Motion.BETWEEN


def _spread(points: Points) -> float:
    """Square pixels between points."""
    cv2 = open_cv2()
    return float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))


def _miss(plane: NDArray[np.float64], p: Points, q: Points) -> NDArray[np.float64]:
    """Pixels between where a homography takes a point and its partner."""
    there = np.column_stack([p, np.ones(len(p))]) @ plane.T
    depth = np.where(np.abs(there[:, 2:]) < 1e-9, 1e-9, there[:, 2:])
    missed: NDArray[np.float64] = np.hypot(*(there[:, :2] / depth - q).T)
    return missed


def _from_any_turn(plane: NDArray[np.float64], width: int, height: int) -> float:
    """0 for what some camera of an ordinary focal length sees when it turns."""
    focal = _FOCAL * max(width, height)
    before = _cameras(focal, width, height)[:, None]
    after = _cameras(np.outer(focal, _ZOOM).ravel(), width, height).reshape(len(focal), len(_ZOOM), 3, 3)
    sizes = np.linalg.svd(np.linalg.inv(after) @ plane @ before, compute_uv=False)
    return float(np.log(sizes[..., 0] / np.maximum(sizes[..., 2], 1e-9)).min())


def _cameras(focal: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """(n, 3, 3): to pixels, the middle of the frame before each camera."""
    cameras = np.zeros((len(focal), 3, 3))
    cameras[:, 0, 0] = cameras[:, 1, 1] = focal
    cameras[:, :, 2] = (width / 2, height / 2, 1)
    return cameras
