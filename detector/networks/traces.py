"""The trace network: fixed high-pass inputs, statistics pooled at every scale, one head per question.

It sees the residuals of ``detector.networks.residual`` (steganalysis filters, neighbouring-pixel relations)
at native resolution. Traces of generators are textures, not objects, so each stage hands its mean and
deviation to the heads directly: the early stages keep fine periodic traces that later strides would fold
away. Heads: camera against one class per family of generators; the compression that the crop last went
through (read from the first stages); and two adversaries that must fail to tell from the features which
source a camera picture came from and how a crop was compressed (Ganin et al., "Domain-Adversarial Training
of Neural Networks", 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.networks.residual import ResidualBlock, high_pass_filters

_MAPS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """``family``: (n, 1 + families) logits, class 0 the camera. ``compression``: (n,) quality in 0..1.
    ``source`` and ``codec``: logits of the adversaries. ``features``: (n, d) what the family head reads."""

    family: Tensor
    compression: Tensor
    source: Tensor
    codec: Tensor
    features: Tensor


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength  # type: ignore[attr-defined]
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * grads[0], None  # type: ignore[attr-defined]


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """Identity forwards, minus ``strength`` times the gradient backwards."""
    y: Tensor = _Reversed.apply(x, strength)  # type: ignore[no-untyped-call]
    return y


class TraceNet(nn.Module):
    """uint8-valued RGB (n, 3, h, w) in, from 32 pixels a side."""

    filters: Tensor
    domain_mean: Tensor
    domain_scale: Tensor

    def __init__(self, families: int, width: int = 32, *, sources: int = 1, codecs: int = 1) -> None:
        super().__init__()
        self.register_buffer("filters", high_pass_filters(), persistent=False)
        wide = (width, width * 3 // 2, width * 3, width * 4)
        self.stem = nn.Conv2d(_MAPS, wide[0], 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(wide[0])
        self.blocks = nn.ModuleList(ResidualBlock(a, b, 2) for a, b in pairwise(wide))
        pooled = 2 * sum(wide)
        self.pool_norm = nn.BatchNorm1d(pooled)
        self.family = nn.Linear(pooled, 1 + families)
        self.compression = nn.Linear(2 * (wide[0] + wide[1]), 1)
        self.source = _adversary(pooled, sources)
        self.codec = _adversary(pooled, codecs)
        self.early = 2 * (wide[0] + wide[1])
        # Where the features of the calibration pictures lie: outside of it a score means nothing.
        self.register_buffer("domain_mean", torch.zeros(pooled))
        self.register_buffer("domain_scale", torch.ones(pooled))

    def residuals(self, x: Tensor) -> Tensor:
        """Fifteen maps: seven filters on luma and on R-B, and one neighbouring-pixel map, soft-clipped so
        that edges of the scene do not drown the noise (scale in grey levels)."""
        luma = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
        planes = torch.stack([luma, x[:, 0] - x[:, 2]], 1)
        n, _, h, w = planes.shape
        high = F.conv2d(planes.reshape(n * 2, 1, h, w), self.filters, padding=2).reshape(n, 14, h, w)
        even = luma[:, None, : h - h % 2, : w - w % 2]
        near = F.interpolate(even[:, :, ::2, ::2], scale_factor=2.0, mode="nearest")
        npr = F.pad(even - near, (0, w % 2, 0, h % 2))
        return torch.tanh(torch.cat([high / 3, npr / 8], 1))

    def maps(self, x: Tensor) -> list[Tensor]:
        """The output of every stage; the last is what a heatmap is drawn from."""
        # Grey levels need full precision: in bfloat16 the residual of a bright area is mostly rounding.
        with torch.autocast(x.device.type, enabled=False):
            residuals = self.residuals(x.float())
        y = F.relu(self.norm(self.stem(residuals)))
        out = [y]
        for block in self.blocks:
            y = block(y)
            out.append(y)
        return out

    def pooled(self, maps: list[Tensor]) -> Tensor:
        flat = [m.float().flatten(2) for m in maps]
        return torch.cat(
            [torch.cat([m.mean(2), (m.var(2, unbiased=False) + 1e-5).sqrt()], 1) for m in flat], 1
        )

    def heads(self, x: Tensor, *, reversal: float = 0.0) -> Heads:
        """Everything, for training."""
        pooled = self.pooled(self.maps(x))
        features = self.pool_norm(pooled)
        reversed_ = reverse_gradient(features, reversal)
        return Heads(
            family=self.family(F.dropout(features, 0.2, self.training)),
            compression=torch.sigmoid(self.compression(features[:, : self.early])[:, 0]),
            source=self.source(reversed_),
            codec=self.codec(reversed_),
            features=features,
        )

    def features(self, x: Tensor) -> Tensor:
        """(n, d): what the family head reads."""
        normed: Tensor = self.pool_norm(self.pooled(self.maps(x)))
        return normed

    def distance(self, features: Tensor) -> Tensor:
        """How far features (n, d) lie from those of the calibration pictures, in deviations per feature."""
        away = (features - self.domain_mean) / self.domain_scale
        return away.clamp(-8, 8).square().mean(1).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.family(self.features(x))
        return logits


def _adversary(features: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, classes))


def fake_score(logits: Tensor) -> Tensor:
    """Log-odds of "any family of fakes" against "camera"."""
    return torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]
