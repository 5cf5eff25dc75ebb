"""A small residual network: fixed high-pass inputs, few strides, mean and deviation pooling.

The first layer is fixed (steganalysis filters of Fridrich and Kodovsky, "Rich Models for Steganalysis of
Digital Images", 2012; neighbouring-pixel relations of Tan et al., CVPR 2024), so that the network sees the
noise and interpolation traces of a picture and little of what it shows. The head has one class for camera
pictures and one per family of fakes; the score is the log-odds of all families together.
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


class ResidualNet(nn.Module):
    """uint8-valued RGB (n, 3, h, w) in, (n, 1 + families) class logits out; class 0 is the camera."""

    filters: Tensor

    def __init__(self, families: int, width: int = 24) -> None:
        super().__init__()
        self.register_buffer("filters", high_pass_filters(), persistent=False)
        self.stem = nn.Conv2d(15, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            ResidualBlock(width, width * 4 // 3, 2),
            ResidualBlock(width * 4 // 3, width * 8 // 3, 2),
            ResidualBlock(width * 8 // 3, width * 4, 2),
        )
        self.head = nn.Linear(width * 8, 1 + families)

    def residuals(self, x: Tensor) -> Tensor:
        """Fifteen maps: seven filters on luma and on R-B, and one neighbouring-pixel map."""
        luma = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
        planes = torch.stack([luma, x[:, 0] - x[:, 2]], 1)
        n, _, h, w = planes.shape
        high = F.conv2d(planes.reshape(n * 2, 1, h, w), self.filters, padding=2).reshape(n, 14, h, w)
        even = luma[:, None, : h - h % 2, : w - w % 2]
        near = F.interpolate(even[:, :, ::2, ::2], scale_factor=2.0, mode="nearest")
        npr = F.pad(even - near, (0, w % 2, 0, h % 2))
        # The clip keeps edges of the scene from drowning the noise (scale in grey levels).
        return torch.tanh(torch.cat([high / 3, npr / 8], 1))

    def forward(self, x: Tensor) -> Tensor:
        # Grey levels need full precision: in bfloat16 the residual of a bright area is mostly rounding.
        with torch.autocast("cpu", enabled=False):
            residuals = self.residuals(x.float())
        y = F.relu(self.norm(self.stem(residuals)))
        y = self.blocks(y).float()
        pooled = torch.cat([y.mean((2, 3)), y.std((2, 3))], 1)
        logits: Tensor = self.head(pooled)
        return logits


def fake_score(logits: Tensor) -> Tensor:
    """Log-odds of "any family of fakes" against "camera"."""
    return torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]
