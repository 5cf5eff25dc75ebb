"""What the trace network is made of: fixed high-pass filters, and a residual block.

The filters are those of steganalysis (Fridrich and Kodovsky, "Rich Models for Steganalysis of Digital
Images", 2012), so that the network sees the noise and interpolation traces of a picture and little of what it
shows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses


def high_pass_filters() -> Tensor:
    """(7, 1, 5, 5): first order in two directions, second order in four, and the 5 x 5 KB filter."""
    kernels: list[NDArray[np.float32]] = []
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
    return torch.from_numpy(np.stack(kernels))[:, None]


class ResidualBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.skip(x))
