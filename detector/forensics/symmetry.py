"""Do the two eyes of a face belong together? Colour of irises, highlights on corneas, general symmetry.

Early generators of faces decided about each eye on its own, so that some of their faces have eyes of two
colours (the example of I. Goodfellow; Matern, Riess and Stamminger, "Exploiting visual artifacts to expose
deepfakes", 2019). Equal eyes say nothing. Colours are CIE L*a*b* (D65, sRGB assumed), lengths in the eye are
in radii of its iris. Only the colour is answered for: docs/cards/symmetry.md says what the others are worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from detector.forensics.faces import Eye, Face, FaceModels, Points
from detector.pixels.decode import Pixels, open_cv2

# The irises' difference in a*b* from which on the source answers. Set on the calibration half of the faces in
# docs/cards/symmetry.md: above every real face there, as it was and saved again as JPEG (decision 0008), and
# above every one of 61 of the corpus (docs/forensics-errors.md).
SUPPORTS_COLOUR = 8.0

MIN_FACE_WIDTH = 90.0  # pixels; below it no iris reaches MIN_RADIUS
MIN_RADIUS = 4.5  # pixels; smaller irises have too few pixels between pupil, lids and highlights
MAX_YAW = 20.0  # degrees
MIN_VISIBLE = 0.65  # of the iris, between the lids
MIN_PIXELS = 20
MIN_WHITE_PIXELS = 6
MIN_CONTRAST = 12.0  # L* between white and iris; less under dark glasses, in shadow, with lids closed
MAX_UNEVENNESS = 12.0  # deviation of L* within the ring
MAX_GLARE = 0.15  # of the iris
MIN_IRIS_LIGHTNESS = 8.0  # L*; darker irises have no colour that eight bits can hold
MIN_WHITE_LIGHTNESS = 30.0  # L*; darker than that is low light
MAX_LIGHT_DIFFERENCE = 15.0  # L* between the whites of both eyes
MAX_LIGHT_COLOUR = 9.0  # a*b* between them
MAX_RADIUS_RATIO = 1.25
MAX_GAZE = 0.45  # iris off the middle of its eye, in half widths of the eye
MIN_CHROMA = 1.5  # a*b* of irises and whites together; less is a monochrome picture

RING = (0.45, 0.85)
_WHITE_FROM = 1.15
_INSIDE_LIDS = 0.08
_PAIRS = (
    (33, 263), (133, 362), (61, 291), (105, 334), (50, 280), (234, 454), (98, 327), (70, 300), (172, 397),
)  # fmt: skip
_MIDLINE = (10, 168, 6, 4, 0, 17, 152)

Colour = tuple[float, float, float]  # L*, a*, b*
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Unfit(StrEnum):
    """Why the eyes of a face are not compared; the value is half a sentence about the face."""

    SMALL = "its irises are too small"
    POSE = "it is turned to a side"
    LIDS = "its lids hide an iris"
    GAZE = "it looks to a side"
    CONTRAST = "an iris does not stand out from the white of its eye (closed, shaded, dark glasses)"
    GLARE = "an iris is hidden by a reflection"
    UNEVEN = "an iris is unevenly lit or partly hidden"
    DARK = "an iris or the light is too dark to have a colour"
    LIGHT = "its sides are lit differently"
    SHAPE = "the irises are not found equally large"
    MONOCHROME = "it has no colour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """A bright spot on the cornea: its place from the centre of the iris in radii, its part of the iris."""

    x: float
    y: float
    area: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EyeMeasure:
    visible: float  # part of the iris between the lids
    gaze: float
    pixels: int
    white_pixels: int
    iris: Colour  # medians
    white: Colour
    unevenness: float
    highlights: tuple[Highlight, ...]  # the largest first

    @property
    def glare(self) -> float:
        return sum(h.area for h in self.highlights)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSymmetry:
    """``raw_colour`` is the irises' difference in a*b*; ``colour`` is what remains of it when as much of the
    difference between the whites of the eyes as explains most is taken off."""

    face: Face
    left: EyeMeasure | None
    right: EyeMeasure | None
    unfit: tuple[Unfit, ...]
    raw_colour: float = 0.0
    colour: float = 0.0
    lightness: float = 0.0  # L*
    highlight_distance: float | None = None  # radii; None unless both eyes have a highlight
    landmark_distance: float = 0.0  # mean distance of mirrored landmarks, in widths between outer corners


def examine_faces(pixels: Pixels, models: FaceModels) -> tuple[FaceSymmetry, ...]:
    """The widest faces of a picture that stands upright; a face narrower than ``MIN_FACE_WIDTH`` is none."""
    return tuple(compare_eyes(pixels, face) for face in models.faces(pixels, min_width=MIN_FACE_WIDTH))


def compare_eyes(pixels: Pixels, face: Face) -> FaceSymmetry:
    if min(face.left.radius, face.right.radius) < MIN_RADIUS:
        return FaceSymmetry(face=face, left=None, right=None, unfit=(Unfit.SMALL,))
    left, right = _measure(pixels, face.left), _measure(pixels, face.right)
    if left is None or right is None:
        return FaceSymmetry(face=face, left=left, right=right, unfit=(Unfit.LIDS,))
    iris = np.subtract(left.iris, right.iris)
    light = np.subtract(left.white, right.white)
    both = left.highlights and right.highlights
    return FaceSymmetry(
        face=face, left=left, right=right, unfit=_unfit(face, left, right),
        raw_colour=math.hypot(iris[1], iris[2]), colour=unexplained(iris[1:], light[1:]),
        lightness=abs(float(iris[0])),
        highlight_distance=math.dist(_place(left), _place(right)) if both else None,
        landmark_distance=landmark_distance(face.mesh),
    )  # fmt: skip


def landmark_distance(mesh: Points) -> float:
    """How far landmarks (468, 3) lie from the mirror images of their partners; 0 is a mirrored face."""
    width = float(np.linalg.norm(mesh[33] - mesh[263]))
    across = np.mean([mesh[a] - mesh[b] for a, b in _PAIRS], axis=0)
    across /= max(1e-9, float(np.linalg.norm(across)))
    middle = mesh[list(_MIDLINE)].mean(0)
    gaps = [
        np.linalg.norm(mesh[a] - 2 * np.dot(mesh[a] - middle, across) * across - mesh[b]) for a, b in _PAIRS
    ]
    return float(np.mean(gaps)) / max(1e-9, width)


def unexplained(difference: Array, light: Array) -> float:
    """The length that remains when the part of ``light``, 0 to 1, that explains most is taken off."""
    most = float(light @ light)
    part = min(1.0, max(0.0, float(difference @ light) / most)) if most > 0 else 0.0
    return float(np.linalg.norm(difference - part * light))


def _place(eye: EyeMeasure) -> tuple[float, float]:
    return eye.highlights[0].x, eye.highlights[0].y


def _unfit(face: Face, left: EyeMeasure, right: EyeMeasure) -> tuple[Unfit, ...]:
    eyes = (left, right)
    radii = (face.left.radius, face.right.radius)
    light = np.subtract(left.white, right.white)
    chroma = np.mean([math.hypot(c[1], c[2]) for e in eyes for c in (e.iris, e.white)])
    reasons = {
        Unfit.MONOCHROME: chroma < MIN_CHROMA,
        Unfit.POSE: abs(face.yaw) > MAX_YAW,
        Unfit.LIDS: min(e.visible for e in eyes) < MIN_VISIBLE or min(e.pixels for e in eyes) < MIN_PIXELS,
        Unfit.GAZE: max(e.gaze for e in eyes) > MAX_GAZE
        or min(e.white_pixels for e in eyes) < MIN_WHITE_PIXELS,
        Unfit.SHAPE: max(radii) > MAX_RADIUS_RATIO * min(radii),
        Unfit.CONTRAST: min(e.white[0] - e.iris[0] for e in eyes) < MIN_CONTRAST,
        Unfit.GLARE: max(e.glare for e in eyes) > MAX_GLARE,
        Unfit.UNEVEN: max(e.unevenness for e in eyes) > MAX_UNEVENNESS,
        Unfit.DARK: min(e.iris[0] for e in eyes) < MIN_IRIS_LIGHTNESS
        or min(e.white[0] for e in eyes) < MIN_WHITE_LIGHTNESS,
        Unfit.LIGHT: abs(light[0]) > MAX_LIGHT_DIFFERENCE
        or math.hypot(light[1], light[2]) > MAX_LIGHT_COLOUR,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """What lies around an eye: colours, and per pixel its place and its distance to the lids, in radii."""

    lab: NDArray[np.float32]
    x: Array
    y: Array
    within: NDArray[np.float32]  # 0 outside the lids


def _region(pixels: Pixels, eye: Eye) -> _Region | None:
    cv2 = open_cv2()
    height, width = pixels.shape[:2]
    reach = 1.5 * eye.radius
    low = np.minimum(eye.outline.min(0), np.subtract(eye.centre, reach)).astype(int) - 2
    high = np.maximum(eye.outline.max(0), np.add(eye.centre, reach)).astype(int) + 3
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, (width, height))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    lab = cv2.cvtColor(pixels[y0:y1, x0:x1].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    fine = max(1, min(8, int(64 / eye.radius)))  # small eyes need lids more exact than their pixels
    lids = np.zeros(((y1 - y0) * fine, (x1 - x0) * fine), np.uint8)
    cv2.fillPoly(lids, [np.round((eye.outline - (x0, y0)) * fine).astype(np.int32)], 255)
    within = cv2.distanceTransform(lids, cv2.DIST_L2, 3) / (fine * eye.radius)
    within = cv2.resize(within, (int(x1 - x0), int(y1 - y0)), interpolation=cv2.INTER_AREA)
    ys, xs = np.mgrid[y0:y1, x0:x1] + 0.5
    x, y = (xs - eye.centre[0]) / eye.radius, (ys - eye.centre[1]) / eye.radius
    return _Region(lab=lab, x=x, y=y, within=within)


def _measure(pixels: Pixels, eye: Eye) -> EyeMeasure | None:
    """None where hardly anything of the iris is seen."""
    region = _region(pixels, eye)
    if region is None:
        return None
    away = np.hypot(region.x, region.y)
    disc = away < 1
    ring = (away > RING[0]) & (away < RING[1]) & (region.within > _INSIDE_LIDS)
    white = (away > _WHITE_FROM) & (region.within > _INSIDE_LIDS)
    if ring.sum() < 8 or not white.any():
        return None
    colours = region.lab[ring]
    middle = float(np.median(colours[:, 0]))
    spread = 1.4826 * float(np.median(np.abs(colours[:, 0] - middle))) + 0.5
    # Pupil, lashes and highlights are the extremes of lightness; the rest is iris.
    kept = colours[np.abs(colours[:, 0] - middle) < 2 * spread]
    whites = region.lab[white]
    whites = whites[whites[:, 0] >= np.median(whites[:, 0])]
    across = float(np.linalg.norm(eye.outline[8] - eye.outline[0])) / 2
    along = (eye.outline[8] - eye.outline[0]) / max(1e-9, 2 * across)
    off = float(np.dot(np.subtract(eye.centre, (eye.outline[0] + eye.outline[8]) / 2), along))
    return EyeMeasure(
        visible=float((disc & (region.within > 0)).sum() / disc.sum()), gaze=abs(off) / max(1e-9, across),
        pixels=len(kept), white_pixels=int(white.sum()), iris=_median(kept), white=_median(whites),
        unevenness=spread, highlights=_highlights(region, disc, middle + max(12.0, 4 * spread)),
    )  # fmt: skip


def _median(colours: NDArray[np.float32]) -> Colour:
    lightness, a, b = np.median(colours, 0)
    return float(lightness), float(a), float(b)


def _highlights(region: _Region, disc: Mask, threshold: float) -> tuple[Highlight, ...]:
    cv2 = open_cv2()
    # At the edge of the iris, lashes and the white of the eye would be taken for highlights.
    inner = (np.hypot(region.x, region.y) < RING[1]) & (region.within > _INSIDE_LIDS)
    bright = inner & (region.lab[:, :, 0] > threshold)
    count, labels = cv2.connectedComponents(bright.astype(np.uint8), connectivity=8)
    spots = [labels == n for n in range(1, count)]
    found = [
        Highlight(x=float(region.x[s].mean()), y=float(region.y[s].mean()), area=float(s.sum() / disc.sum()))
        for s in spots
    ]
    return tuple(sorted(found, key=lambda h: -h.area))
