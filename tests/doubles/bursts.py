"""Frames of a flat thing, and of two things one behind the other, by a camera that moves."""

from __future__ import annotations

import numpy as np

from detector.pixels.decode import Pixels, open_cv2
from tests.detector.made import textured

WIDTH, HEIGHT, FOCAL = 640, 480, 560.0
Vector = tuple[float, float, float]
_NOT: Vector = (0.0, 0.0, 0.0)
_SURFACES = tuple(textured(np.random.default_rng(seed), 900, 900) for seed in (1, 2))


def frame(turn: Vector = _NOT, moved: Vector = _NOT, *, near: float | None = None) -> Pixels:
    """Of a plane in a distance of 1, seen by a camera that was turned (radians) and moved; ``near``: of a
    smaller one before it too, in that distance."""
    cv2 = open_cv2()
    back = plane(1.0, 1.7, turn, moved, surface=_SURFACES[0])
    if near is None:
        return back
    front = plane(near, 0.35, turn, moved, surface=_SURFACES[1])
    there = cv2.erode((front.sum(axis=2) > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(there[:, :, None], front, back)


def plane(
    distance: float, size: float, turn: Vector = _NOT, moved: Vector = _NOT, *, surface: Pixels
) -> Pixels:
    """A rectangle of that width with something on it; black elsewhere."""
    cv2 = open_cv2()
    height, width = surface.shape[:2]
    camera = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    lean, _ = cv2.Rodrigues(np.array([0.1, -0.08, 0.0]))
    turned, _ = cv2.Rodrigues(np.array(turn))
    pixel = size / width
    corner = lean @ (-size / 2, -pixel * height / 2, 0) + (0, 0, distance)
    on_plane = np.column_stack([lean[:, 0] * pixel, lean[:, 1] * pixel, corner])
    seen = camera @ (turned @ on_plane + np.outer(moved, (0, 0, 1)))
    shown = np.maximum(surface, 1)
    out: Pixels = cv2.warpPerspective(shown, seen, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    return out
