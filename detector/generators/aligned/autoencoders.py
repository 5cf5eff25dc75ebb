"""Aligned fakes: a real picture passed through an autoencoder, so that only the generator's trace differs.

Four small autoencoders of our own differ only in how they enlarge (nearest, bilinear, transposed convolution,
pixel shuffle), because enlarging is what leaves the trace. TAEF2 is the published tiny autoencoder of a
latent diffusion model (MIT); its two state dicts are read without executing code.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import FileFailed
from detector.generators.blocks import Enlarge, SiluBlock
from detector.generators.pictures import as_bytes, as_floats, as_parts, parts_as_bytes
from detector.pixels.decode import Pixels

UPSAMPLERS = ("nearest", "bilinear", "transposed", "shuffle")
_TRAIN_SIDE = 48


class SmallAutoencoder(nn.Module):
    """Factor 2, six latent channels; RGB in -1..1 in and out, even sides."""

    def __init__(self, upsampler: str, width: int = 24, latent: int = 6) -> None:
        super().__init__()
        wide = 2 * width
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, wide, 4, 2, 1), SiluBlock(wide),
            nn.Conv2d(wide, latent, 3, padding=1), nn.Conv2d(latent, wide, 3, padding=1), SiluBlock(wide),
        )  # fmt: skip
        self.up = Enlarge(upsampler, wide, width)
        self.tail = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.tail(self.up(self.encoder(x)))
        return y


def train_autoencoder(
    upsampler: str, pictures: list[Pixels], *, steps: int, seed: int, short: bool = True
) -> SmallAutoencoder:
    """Fit on random crops of real pictures by the mean absolute error. Deterministic on one CPU thread.
    ``short``: forward passes in bfloat16, which processors without it do ten times slower."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = SmallAutoencoder(upsampler)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3, (0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(steps):
        x = as_floats(np.stack([_crop(pictures[rng.integers(len(pictures))], rng) for _ in range(16)]))
        with torch.autocast("cpu", torch.bfloat16, enabled=short):
            loss = (net(x).float() - x).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def _crop(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    y = rng.integers(pixels.shape[0] - _TRAIN_SIDE + 1)
    x = rng.integers(pixels.shape[1] - _TRAIN_SIDE + 1)
    return pixels[y : y + _TRAIN_SIDE, x : x + _TRAIN_SIDE]


@torch.no_grad()
def reconstruct(net: SmallAutoencoder, pixels: Pixels) -> Pixels:
    """Full precision, because bfloat16 output would be a trace of its own."""
    out: Pixels = as_bytes(net(as_floats(pixels[None])))[0]
    return out


class Taef2:
    """The published tiny autoencoder, as two lists of operations over its state dicts (sides divisible by
    8)."""

    _ENCODER: ClassVar = ["conv", "res", *["down", "res", "res", "res"] * 3, "conv"]
    _DECODER: ClassVar = ["clamp", "conv", "relu", *["res", "res", "res", "up", "conv"] * 3, "res", "conv"]

    def __init__(self, folder: Path) -> None:
        """Raises ``FileFailed`` when the two files are missing."""
        self._parts = [
            (self._ENCODER, _state(folder / "taef2_encoder.pth")),
            (self._DECODER, _state(folder / "taef2_decoder.pth")),
        ]

    @torch.no_grad()
    def encode(self, pixels: Pixels) -> Tensor:
        """Latent (1, channels, height / 8, width / 8)."""
        return self._run(0, as_parts(pixels[None]))

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Pixels:
        out: Pixels = parts_as_bytes(self._run(1, latent))[0]
        return out

    def reconstruct(self, pixels: Pixels) -> Pixels:
        return self.decode(self.encode(pixels))

    def _run(self, part: int, x: Tensor) -> Tensor:
        plan, weights = self._parts[part]
        for i, operation in enumerate(plan):
            x = _apply(operation, str(i), weights, x)
        return x


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileFailed(f"{path.name} is missing in {path.parent.name}")
    return {k: v.float() for k, v in torch.load(path, map_location="cpu", weights_only=True).items()}


def _conv(weights: dict[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    w = weights[name + ".weight"]
    return F.conv2d(x, w, weights.get(name + ".bias"), stride=stride, padding=w.shape[-1] // 2)


def _apply(operation: str, at: str, weights: dict[str, Tensor], x: Tensor) -> Tensor:
    match operation:
        case "clamp":
            return torch.tanh(x / 3) * 3
        case "relu":
            return F.relu(x)
        case "up":
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        case "conv":
            return _conv(weights, at, x)
        case "down":
            return _conv(weights, at, x, 2)
        case _:
            return _residual(weights, at, x)


def _residual(weights: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    """A residual block; the middle ones have a group-normed global path."""
    if at + ".pool.0.weight" in weights:
        scale, shift = weights[at + ".pool.1.weight"], weights[at + ".pool.1.bias"]
        pooled = F.relu(F.group_norm(_conv(weights, at + ".pool.0", x), 4, scale, shift))
        x = x + _conv(weights, at + ".pool.3", pooled)
    y = F.relu(_conv(weights, at + ".conv.0", x))
    y = F.relu(_conv(weights, at + ".conv.2", y))
    return F.relu(_conv(weights, at + ".conv.4", y) + x)
