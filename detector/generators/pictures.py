"""Between bytes and tensors: uint8 (n, side, side, channels) outside, floats (n, channels, side, side) in
-1..1 inside. The one place that rounds."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_floats(images: NDArray[np.uint8] | Tensor) -> Tensor:
    x = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    return x.permute(0, 3, 1, 2).float() / 127.5 - 1


def as_bytes(x: Tensor) -> NDArray[np.uint8]:
    y = ((x.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    out: NDArray[np.uint8] = np.ascontiguousarray(y.cpu().numpy())
    return out
