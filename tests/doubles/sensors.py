"""A simulated sensor: pixels that differ by a fixed factor, scenes in soft light, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (640, 512)  # width, height


class Sensor:
    """``uneven``: standard deviation of the sensitivity of its pixels (real ones have about 0.01; small
    pictures need more)."""

    def __init__(self, seed: int, uneven: float = 0.03, size: tuple[int, int] = SIZE) -> None:
        shape = size[::-1]
        self._sensitivity = 1 + uneven * np.random.default_rng(seed).normal(size=shape)

    def exposure(self, scene: int, light: float = 1.0) -> NDArray[np.uint8]:
        """Height x width x 3 of 8 bits; ``scene`` is the seed of what stands before the camera."""
        draw = np.random.default_rng(1000 + scene)
        shape = self._sensitivity.shape
        small = draw.uniform(60, 190, (shape[0] // 32, shape[1] // 32)).astype(np.float32)
        there = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float64)
        taken = there * light * self._sensitivity + draw.normal(0, 1.5, shape)
        grey = np.clip(np.rint(taken), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)

    def photo(self, scene: int, quality: int = 95, **how: float) -> bytes:
        return jpeg(self.exposure(scene, **how), quality)  # type: ignore[arg-type]


def jpeg(pixels: NDArray[np.uint8], quality: int = 95) -> bytes:
    done, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)
