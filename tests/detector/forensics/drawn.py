"""Faces with two eyes that tests draw themselves."""

from __future__ import annotations

import math

import numpy as np

from detector.forensics.faces import Eye, Face

BLUE, BROWN = (70, 100, 140), (110, 70, 40)
SIDE = 240


def eye_at(x: float, y: float, radius: float, openness: float = 0.95) -> Eye:
    t = np.linspace(0, np.pi, 9)
    lower = np.stack([x - 2 * radius * np.cos(t), y + openness * radius * np.sin(t)], 1)
    upper = np.stack([x + 2 * radius * np.cos(t), y - openness * radius * np.sin(t)], 1)[1:8]
    return Eye(outline=np.concatenate([lower, upper]), centre=(x, y), radius=radius)


def mirrored_mesh(width: float) -> np.ndarray:
    """Points on a midline and pairs beside it; only those that are compared matter."""
    mesh = np.zeros((468, 3))
    pairs = [(33, 263), (133, 362), (61, 291), (105, 334), (50, 280), (234, 454), (98, 327), (70, 300)]
    for n, (a, b) in enumerate([*pairs, (172, 397)]):
        gap = width / 2 - 3 * n
        mesh[a], mesh[b] = (SIDE / 2 - gap, 100 + 9 * n, 0), (SIDE / 2 + gap, 100 + 9 * n, 0)
    mesh[[10, 168, 6, 4, 0, 17, 152], 0] = SIDE / 2
    return mesh


def drawn(
    left: tuple[int, int, int],
    right: tuple[int, int, int],
    *,
    radius: float = 12,
    openness: float = 0.95,
    light: tuple[float, float, float] = (1, 1, 1),
    white: int = 200,
    glint: bool = True,
    yaw: float = 0,
) -> tuple[np.ndarray, Face]:
    """Skin, two eyes with white, iris and pupil; ``light`` multiplies the right half of the picture."""
    pixels = np.full((SIDE, SIDE, 3), (190, 150, 130), float)
    eyes = (eye_at(70, 100, radius, openness), eye_at(170, 100, radius, openness))
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    for eye, colour in zip(eyes, (left, right), strict=True):
        dx, dy = (x - eye.centre[0]) / radius, (y - eye.centre[1]) / radius
        inside = (np.abs(dx) < 2) & (np.abs(dy) < openness * np.sqrt(np.clip(1 - (dx / 2) ** 2, 0, 1)))
        pixels[inside] = (white, white, white - 5)
        pixels[inside & (np.hypot(dx, dy) < 1)] = colour
        pixels[inside & (np.hypot(dx, dy) < 0.4)] = (12, 12, 12)
        if glint:
            pixels[inside & (np.hypot(dx - 0.35, dy + 0.35) < 0.2)] = (250, 250, 250)
    pixels[:, SIDE // 2 :] *= light
    pixels += np.random.default_rng(0).normal(0, 2, pixels.shape)
    mesh = mirrored_mesh(120)
    mesh[263, 2] = math.tan(math.radians(yaw)) * 120
    face = Face(score=1, width=160, mesh=mesh, left=eyes[0], right=eyes[1])
    return np.clip(pixels, 0, 255).astype(np.uint8), face
