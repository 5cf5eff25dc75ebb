"""Parts that several families are built of: how a picture is enlarged, initial weights, optimisers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import OptionRefused

Layer = TypeVar("Layer", bound=nn.Module)


def pyramid(side: int, smallest: int = 4) -> tuple[int, int]:
    """(start, stages) with side = start * 2^stages and start in smallest .. 2 * smallest - 1: 32 is 4 doubled
    three times, 28 is 7 doubled twice. Raises ``OptionRefused`` for a side without such a form."""
    start, stages = side, 0
    while start >= 2 * smallest and start % 2 == 0:
        start, stages = start // 2, stages + 1
    if start >= 2 * smallest or start < smallest or not stages:
        raise OptionRefused(
            f"a side of {side} cannot be reached by doubling {smallest} to {2 * smallest - 1}"
        )
    return start, stages


def doubling_widths(side: int, width: int) -> list[int]:
    """Channels from the coarsest grid to the finest before the picture: 4w, 2w, w for a side of 32."""
    stages = pyramid(side)[1]
    return [width * 2 ** (stages - 1 - i) for i in range(stages)]


class Layers(nn.Module):
    """Some layers in a row."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y


class Logits(Layers):
    """Layers whose last one gives a number (n, 1, ...) for each picture: (n,)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flatten()


class SiluBlock(nn.Module):
    """Residual, two convolutions, as wide as it is given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(channels, channels, 3, padding=1)
        self.b = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.b(F.silu(self.a(F.silu(x))))
        return y


class Enlarge(nn.Module):
    """Twice the side and another number of channels, in one of the four ways that leave different traces."""

    def __init__(self, kind: str, given: int, wanted: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "transposed":
            self.conv: nn.Module = nn.ConvTranspose2d(given, wanted, 4, 2, 1)
        elif kind == "shuffle":
            self.conv = nn.Conv2d(given, 4 * wanted, 3, padding=1)
        elif kind in {"nearest", "bilinear"}:
            self.conv = nn.Conv2d(given, wanted, 3, padding=1)
        else:
            raise OptionRefused(f"there is no upsampler {kind!r}")

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "shuffle":
            return F.pixel_shuffle(self.conv(x), 2)
        y: Tensor = self.conv(x if self.kind == "transposed" else doubled(x, self.kind))
        return y


def doubled(x: Tensor, kind: str) -> Tensor:
    """Twice the side, without weights."""
    if kind == "nearest":
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def normal_weights(module: nn.Module, deviation: float) -> None:
    """Convolutions from N(0, deviation^2), as Radford et al. 2016 start."""
    for m in module.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(m.weight, 0.0, deviation)


def variance_kept(layer: Layer, gain: float = 1.0) -> Layer:
    """Weights of deviation gain / sqrt(fan in), no offset; gain 0 makes a residual branch start silent."""
    weight, bias = layer.weight, getattr(layer, "bias", None)
    assert isinstance(weight, Tensor)
    nn.init.normal_(weight, 0.0, gain / math.sqrt(weight[0].numel()))
    if isinstance(bias, Tensor):
        nn.init.zeros_(bias)
    return layer


def adam(
    parameters: Iterable[nn.Parameter], rate: float, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """Adam in one kernel. On a GPU the rate is a tensor, so that a recorded step sees it change."""
    given = list(parameters)
    if given and given[0].device.type == "cuda":
        lr = torch.tensor(rate, device=given[0].device)
        return torch.optim.Adam(given, lr, betas, fused=True, capturable=True)
    return torch.optim.Adam(given, rate, betas, fused=given[0].device.type == "cpu")
