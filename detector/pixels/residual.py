"""What the trace network is given of a picture: planes of numbers, and the fixed high-pass filters over them.

The filters are those of steganalysis (Fridrich and Kodovsky, "Rich Models for Steganalysis of Digital
Images", 2012), so that the network sees the noise and interpolation traces of a picture and little of what it
shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)
HIGH_SCALE = 3.0  # grey levels at which the soft clipping of a filter's output begins to bend
NEAR_SCALE = 8.0

Planes = NDArray[np.float32]


def high_pass_kernels() -> Planes:
    """(7, 5, 5): first order in two directions, second order in four, and the 5 x 5 KB filter."""
    kernels: list[Planes] = []
    for dy, dx in ((0, 1), (1, 0)):
        k = np.zeros((5, 5), np.float32)
        k[2, 2], k[2 + dy, 2 + dx] = -1, 1
        kernels.append(k)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        k = np.zeros((5, 5), np.float32)
        k[2, 2], k[2 + dy, 2 + dx], k[2 - dy, 2 - dx] = -1, 0.5, 0.5
        kernels.append(k)
    kb = np.array(
        [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]],
        np.float32,
    )
    kernels.append((kb / 12).astype(np.float32))
    return np.stack(kernels)


def planes_of(crops: NDArray[np.uint8]) -> Planes:
    """(n, 3, h, w) of crops (n, h, w, 3): luma, red less blue, and luma less the upper left pixel of its
    square of two by two (zero in a last row or column that has no square)."""
    x = crops.astype(np.float32)
    n, height, width = x.shape[:3]
    out = np.zeros((n, 3, height, width), np.float32)
    out[:, 0] = x @ np.array(LUMA, np.float32)
    out[:, 1] = x[..., 0] - x[..., 2]
    h, w = height - height % 2, width - width % 2
    even = out[:, 0, :h, :w]
    near = np.repeat(np.repeat(even[:, ::2, ::2], 2, 1), 2, 2)
    out[:, 2, :h, :w] = even - near
    return out
