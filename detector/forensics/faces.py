"""Where the eyes of a face are: box, 468 mesh points, and the two irises, in pixels of the picture.

Three small networks of MediaPipe (Bazarevsky et al. 2019, "BlazeFace"; Ablavatski et al. 2020, "Real-time
pupil tracking from monocular video"), read by OpenCV. Where their files come from says ``face_files``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable
from detector.forensics.face_files import face_model_files
from detector.pixels.decode import Pixels, open_cv2

MIN_FACE_SCORE = 0.5
MAX_FACES = 4  # the widest ones; in a crowd no eye is large enough anyway
_DETECTION_SIDE, _MESH_SIDE, _EYE_SIDE = 192, 192, 64
_STRIDE = 4
_OVERLAP = 0.3
_MAX_FINER = 8
# Mesh points: outer and inner corner of the eye on the left of the picture, inner and outer of the other.
LEFT_CORNERS, RIGHT_CORNERS = (33, 133), (362, 263)

Points = NDArray[np.float64]  # (n, 2) or (n, 3): x, y in pixels, z in the same unit, towards the camera < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """Corners and lids as a closed outline (16, 2), and the iris as a circle."""

    outline: Points
    centre: tuple[float, float]
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """``left`` and ``right`` are sides of the picture. ``mesh`` is (468, 3)."""

    score: float
    width: float
    mesh: Points
    left: Eye
    right: Eye

    @property
    def yaw(self) -> float:
        """How far the face is turned from the camera to a side, in degrees, by the outer corners' depth."""
        (x0, _, z0), (x1, _, z1) = self.mesh[LEFT_CORNERS[0]], self.mesh[RIGHT_CORNERS[1]]
        return math.degrees(math.atan2(z1 - z0, max(1e-6, x1 - x0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Square:
    """A rotated square of the picture: centre, side in pixels, angle in radians."""

    x: float
    y: float
    side: float
    angle: float

    def to_picture(self, points: Points, side: int, *, mirrored: bool) -> Points:
        """Points of a square crop of ``side`` pixels as points of the picture; z grows with x and y."""
        scale = self.side / side
        at = points.copy()
        at[:, :2] = at[:, :2] - side / 2
        if mirrored:
            at[:, 0] = -at[:, 0]
        at *= scale
        c, s = math.cos(self.angle), math.sin(self.angle)
        x, y = at[:, 0].copy(), at[:, 1].copy()
        at[:, 0], at[:, 1] = self.x + c * x - s * y, self.y + s * x + c * y
        return at

    def cut(self, pixels: Pixels, side: int, *, mirrored: bool) -> NDArray[np.float32]:
        """The square as (side, side, 3) in 0..1, area-averaged where it shrinks; black outside."""
        cv2 = open_cv2()
        finer = min(_MAX_FINER, max(1, int(self.side / side))) * side
        scale = self.side / finer
        c, s = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        m, half = -1.0 if mirrored else 1.0, finer / 2 - 0.5
        to_source = np.array(
            [
                [m * c, -s, self.x - 0.5 - m * c * half + s * half],
                [m * s, c, self.y - 0.5 - m * s * half - c * half],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(pixels, to_source, (finer, finer), flags=flags)
        if finer > side:
            crop = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        small: NDArray[np.float32] = crop.astype(np.float32) / 255
        return small


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModels:
    """Three loaded networks; not to be shared between threads."""

    detection: Any
    mesh: Any
    iris: Any

    def faces(self, pixels: Pixels, *, min_width: float = 0) -> tuple[Face, ...]:
        """Faces of an upright picture, the widest first, at most ``MAX_FACES``; ``min_width`` in pixels."""
        boxes = [(s, b) for s, b in self._boxes(pixels) if b[1, 0] - b[0, 0] >= min_width]
        found = (self._face(pixels, score, box) for score, box in boxes)
        return tuple(face for face in found if face is not None)

    def _boxes(self, pixels: Pixels) -> list[tuple[float, Points]]:
        """Score and (8, 2) points per face: two corners of the box, eyes, nose, mouth, ears; widest first."""
        cv2 = open_cv2()
        height, width = pixels.shape[:2]
        scale = _DETECTION_SIDE / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        x0, y0 = (_DETECTION_SIDE - size[0]) // 2, (_DETECTION_SIDE - size[1]) // 2
        canvas = np.zeros((_DETECTION_SIDE, _DETECTION_SIDE, 3), np.float32)
        canvas[y0 : y0 + size[1], x0 : x0 + size[0]] = small
        tensor = canvas / 127.5 - 1
        scores = _forward(self.detection, tensor, "reshaped_classifier_face_4").ravel()
        scores = 1 / (1 + np.exp(-np.clip(scores, -80, 80)))
        at = np.flatnonzero(scores > MIN_FACE_SCORE)
        if at.size == 0:
            return []
        raw = _forward(self.detection, tensor, "reshaped_regressor_face_4").reshape(-1, 8, 2)[at]
        points = _decoded(raw, at)
        points = (points - (x0, y0)) / (size[0] / width, size[1] / height)
        best = _not_overlapping(points, scores[at])
        best.sort(key=lambda i: -(points[i, 1, 0] - points[i, 0, 0]))
        return [(float(scores[at[i]]), points[i]) for i in best[:MAX_FACES]]

    def _face(self, pixels: Pixels, score: float, box: Points) -> Face | None:
        (x0, y0), (x1, y1), left, right = box[:4]
        square = _Square(
            x=(x0 + x1) / 2,
            y=(y0 + y1) / 2,
            side=1.5 * max(x1 - x0, y1 - y0),
            angle=math.atan2(right[1] - left[1], right[0] - left[0]),
        )
        crop = square.cut(pixels, _MESH_SIDE, mirrored=False)
        if float(_forward(self.mesh, crop, "conv2d_30").ravel()[0]) <= 0:
            return None
        raw = _forward(self.mesh, crop, "conv2d_20").reshape(-1, 3)
        mesh = square.to_picture(raw, _MESH_SIDE, mirrored=False)
        return Face(
            score=score,
            width=float(x1 - x0),
            mesh=mesh,
            left=self._eye(pixels, mesh[list(LEFT_CORNERS), :2], mirrored=False),
            right=self._eye(pixels, mesh[list(RIGHT_CORNERS), :2], mirrored=True),
        )

    def _eye(self, pixels: Pixels, corners: Points, *, mirrored: bool) -> Eye:
        (x0, y0), (x1, y1) = corners
        square = _Square(
            x=(x0 + x1) / 2,
            y=(y0 + y1) / 2,
            side=2.3 * max(abs(x1 - x0), abs(y1 - y0)),
            angle=math.atan2(y1 - y0, x1 - x0),
        )
        crop = square.cut(pixels, _EYE_SIDE, mirrored=mirrored)
        around = _forward(self.iris, crop, "output_eyes_contours_and_brows").reshape(-1, 3)[:16]
        circle = _forward(self.iris, crop, "output_iris").reshape(5, 3)
        lids = square.to_picture(around, _EYE_SIDE, mirrored=mirrored)[:, :2]
        iris = square.to_picture(circle, _EYE_SIDE, mirrored=mirrored)[:, :2]
        # The network gives the lower lid from corner to corner, then the upper one in the same direction.
        outline = np.concatenate([lids[:9], lids[:8:-1]])
        across = np.linalg.norm(iris[1] - iris[3]) + np.linalg.norm(iris[2] - iris[4])
        return Eye(
            outline=outline, centre=(float(iris[0, 0]), float(iris[0, 1])), radius=max(0.5, float(across) / 4)
        )


def open_faces(folders: Sequence[Path]) -> FaceModels:
    """Raises ``ModelUnavailable`` with the remedy when a file is missing or another."""
    cv2 = open_cv2()
    files = face_model_files(folders)
    try:
        detection, mesh, iris = (cv2.dnn.readNetFromTFLite(np.frombuffer(f, np.uint8)) for f in files)
    except (cv2.error, AttributeError) as e:
        raise ModelUnavailable("this version of OpenCV cannot read the face models") from e
    # As for PyTorch in detector.models.inference: threads of such small networks only wait for each other.
    cv2.setNumThreads(1)
    return FaceModels(detection=detection, mesh=mesh, iris=iris)


def _forward(net: Any, tensor: NDArray[np.float32], output: str) -> NDArray[np.float64]:
    net.setInput(np.ascontiguousarray(tensor.transpose(2, 0, 1)[None]))
    out: NDArray[np.float64] = net.forward(output).astype(np.float64)
    return out


def _decoded(raw: Points, anchors: NDArray[np.intp]) -> Points:
    """(n, 8, 2) in pixels of the network's input: the box's corners, then its six points."""
    across = _DETECTION_SIDE // _STRIDE
    centres = np.stack([anchors % across, anchors // across], 1) * float(_STRIDE) + _STRIDE / 2
    points = raw + centres[:, None]
    half = raw[:, 1] / 2
    middle = points[:, 0].copy()
    points[:, 0], points[:, 1] = middle - half, middle + half
    return points


def _not_overlapping(points: Points, scores: NDArray[np.float64]) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(_overlap(points[i, :2], points[k, :2]) < _OVERLAP for k in kept):
            kept.append(int(i))
    return kept


def _overlap(a: Points, b: Points) -> float:
    inner = np.maximum(0, np.minimum(a[1], b[1]) - np.maximum(a[0], b[0])).prod()
    outer = np.maximum(0, a[1] - a[0]).prod() + np.maximum(0, b[1] - b[0]).prod() - inner
    return float(inner / outer) if outer > 0 else 0.0
