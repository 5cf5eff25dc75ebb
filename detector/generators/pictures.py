"""Between bytes and tensors: uint8 (n, height, width, channels) outside, floats (n, channels, height, width)
inside, in -1..1 or, for published networks, in 0..1. The one place that rounds."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_floats(images: NDArray[np.uint8] | Tensor) -> Tensor:
    """In -1..1."""
    return _planes(images) / 127.5 - 1


def as_bytes(x: Tensor) -> NDArray[np.uint8]:
    return _rounded((x.float().clamp(-1, 1) + 1) * 127.5)


def as_parts(images: NDArray[np.uint8]) -> Tensor:
    """In 0..1, plane after plane: convolutions over pixels that lie side by side round otherwise, and what
    published networks make of a picture would not stay the same bytes."""
    return _planes(images).contiguous() / 255


def parts_as_bytes(x: Tensor) -> NDArray[np.uint8]:
    return _rounded(x.clamp(0, 1) * 255)


def _planes(images: NDArray[np.uint8] | Tensor) -> Tensor:
    x = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    return x.permute(0, 3, 1, 2).float()


def _rounded(levels: Tensor) -> NDArray[np.uint8]:
    y = levels.round().to(torch.uint8).permute(0, 2, 3, 1)
    out: NDArray[np.uint8] = np.ascontiguousarray(y.cpu().numpy())
    return out
