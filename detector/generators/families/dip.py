"""Deep image prior: Ulyanov, Vedaldi and Lempitsky, CVPR 2018, arXiv 1711.10925.

Nothing is learned from other pictures: an untrained hourglass f maps fixed noise z to a picture, and for one
picture x its weights are fitted by min |f(z) - x|^2 (equation 2), stopped early. What comes out is x as far
as a convolutional network likes to draw it: natural structure comes first, noise last (figure 2). That makes
an aligned fake with the trace of an untrained decoder. The noise is shaken a little at every iteration, as in
the supplement. A fit of this family therefore changes no weight; a step only reports how far a few
iterations come on one picture of the batch. Samples are what the prior draws before it has seen anything.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from detector.generators.blocks import Enlarge, adam, pyramid
from detector.generators.family import Family, Losses, Optimisers
from detector.generators.spec import DipSpec, Spec
from detector.generators.steps import descend

_SHAKEN = 1 / 30  # deviation of the noise added to z, of which a value lies in 0..0.1
_CODE = 0.1
_TRIAL = 10  # iterations of a training step


class _Hourglass(nn.Module):
    """Down by strides, up by one of the four ways, with narrow skips; normalised within the one picture."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        stages, width = pyramid(spec.side)[1], spec.width
        self.down = nn.ModuleList(
            _normed(nn.Conv2d(spec.latent if k == 0 else width, width, 3, 2, 1), width) for k in range(stages)
        )
        self.skip = nn.ModuleList(
            _normed(nn.Conv2d(spec.latent if k == 0 else width, 4, 1), 4) for k in range(stages)
        )
        self.up = nn.ModuleList(Enlarge(spec.upsampler, width, width) for _ in range(stages))
        self.join = nn.ModuleList(
            _normed(nn.Conv2d(width + 4, width, 3, padding=1), width) for _ in range(stages)
        )
        self.out = nn.Conv2d(width, spec.channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        y, kept = z, []
        for down, skip in zip(self.down, self.skip, strict=True):
            kept.append(skip(y))
            y = down(y)
        for up, join in zip(self.up, self.join, strict=True):
            y = join(torch.cat([up(y), kept.pop()], 1))
        x: Tensor = self.out(y).tanh()
        return x


def _normed(conv: nn.Module, width: int) -> nn.Module:
    return nn.Sequential(conv, nn.InstanceNorm2d(width, affine=True), nn.LeakyReLU(0.1))


class Dip(Family):
    spec: DipSpec
    net: _Hourglass

    def __init__(self, spec: Spec) -> None:
        assert isinstance(spec, DipSpec)
        super().__init__(spec)
        self.net = _Hourglass(spec)

    def optimisers(self) -> Optimisers:
        return ()

    def train_step(
        self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, rng: torch.Generator
    ) -> Losses:
        y = self._fitted(real[:1], _TRIAL, rng)
        return {"error": (y - real[:1]).square().mean()}

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        return self.through(self.net, self._codes(n, rng))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Every picture fitted by itself from the same start and the same noise, ``iterations`` steps."""
        rngs = [torch.Generator().manual_seed(0) for _ in x]
        fitted = [self._fitted(p[None], self.spec.iterations, r) for p, r in zip(x, rngs, strict=True)]
        return torch.cat(fitted)

    def _codes(self, n: int, rng: torch.Generator) -> Tensor:
        shape = (n, self.spec.latent, self.spec.side, self.spec.side)
        return _CODE * torch.rand(shape, generator=rng).to(self.device)

    @torch.enable_grad()
    def _fitted(self, x: Tensor, iterations: int, rng: torch.Generator) -> Tensor:
        net = copy.deepcopy(self.net).requires_grad_(True)
        optimiser = adam(net.parameters(), 1e-2, (0.9, 0.999))
        z = self._codes(1, rng)
        for _ in range(iterations):
            shaken = z + _SHAKEN * _CODE * torch.randn(z.shape, generator=rng).to(z)
            descend(optimiser, {"error": (self.through(net, shaken) - x).square().mean()})
        with torch.no_grad():
            return self.through(net, z)
