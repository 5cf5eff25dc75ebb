"""R3GAN: Huang, Gokaslan, Kuleshov, Tompkin, "The GAN is dead; long live the GAN! A modern GAN baseline",
NeurIPS 2024, arXiv 2501.05441.

The loss is the paper's: relativistic pairing with the zero-centred penalties R1 on reals and R2 on fakes
(``detector.generators.losses``), which together converge locally without any trick. So is the plan of the
networks: residual stages without normalisation, weights scaled by depth so that the branches start silent,
bilinear resampling between stages, a learned 4x4 basis that the latent scales, no tanh. Two things are made
for a CPU: plain 3x3 convolutions in place of grouped ones, which run at a tenth of their speed there, and
penalties taken on part of each batch, which leaves their expectation as it is. Its trace: no checkerboard,
smooth spectra, too little high frequency for as long as it is young.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.blocks import doubled, pyramid, variance_kept
from detector.generators.family import Draws, Losses
from detector.generators.losses import (
    logits_and_slopes,
    relativistic_discriminator,
    relativistic_generator,
    zero_centred,
)
from detector.generators.spec import R3ganSpec, Spec
from detector.generators.steps import Adversarial

_LEAK = 0.2
_GAIN = math.sqrt(2 / (1 + _LEAK**2))  # keeps the variance through a leaky rectifier


def stage_widths(spec: Spec) -> list[int]:
    """Channels from the coarsest grid to the finest: half as many at each doubling, from 4 * width down."""
    stages = pyramid(spec.side)[1]
    return [max(spec.width // 2, spec.width * 4 >> i) for i in range(stages + 1)]


class Residual(nn.Module):
    """x + conv(act(conv(act(x)))), the last convolution zero at first. ``depth`` blocks in a row keep the
    variance when each first convolution is scaled by depth^-1/2 (Zhang et al. 2019, Fixup)."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.first = variance_kept(nn.Conv2d(channels, channels, 3, padding=1), _GAIN * depth**-0.5)
        self.last = variance_kept(nn.Conv2d(channels, channels, 3, padding=1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(F.leaky_relu(self.first(F.leaky_relu(x, _LEAK)), _LEAK))
        return x + y


def _narrow(given: int, wanted: int) -> nn.Module:
    return nn.Identity() if given == wanted else variance_kept(nn.Conv2d(given, wanted, 1, bias=False))


class Generator(nn.Module):
    def __init__(self, spec: Spec) -> None:
        super().__init__()
        start, widths = pyramid(spec.side)[0], stage_widths(spec)
        self.basis = nn.Parameter(torch.randn(1, widths[0], start, start))
        self.latent = variance_kept(nn.Linear(spec.latent, widths[0], bias=False))
        self.stages = nn.ModuleList(Residual(w, len(widths)) for w in widths)
        self.narrow = nn.ModuleList(_narrow(a, b) for a, b in pairwise(widths))
        self.picture = variance_kept(nn.Conv2d(widths[-1], spec.channels, 1, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.stages[0](self.basis * self.latent(z)[:, :, None, None])
        for narrow, stage in zip(self.narrow, self.stages[1:], strict=True):
            x = stage(doubled(narrow(x), "bilinear"))
        return self.picture(x)  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    def __init__(self, spec: Spec) -> None:
        super().__init__()
        start, widths = pyramid(spec.side)[0], stage_widths(spec)[::-1]
        self.picture = variance_kept(nn.Conv2d(spec.channels, widths[0], 1, bias=False))
        self.stages = nn.ModuleList(Residual(w, len(widths)) for w in widths)
        self.widen = nn.ModuleList(_narrow(a, b) for a, b in pairwise(widths))
        self.basis = variance_kept(nn.Conv2d(widths[-1], widths[-1], start, groups=widths[-1], bias=False))
        self.logit = variance_kept(nn.Linear(widths[-1], 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages[0](self.picture(x))
        for widen, stage in zip(self.widen, self.stages[1:], strict=True):
            x = stage(widen(F.avg_pool2d(x, 2)))
        logits: Tensor = self.logit(self.basis(x).flatten(1))
        return logits.flatten()


class R3gan(Adversarial):
    """Relativistic GAN with two regularisers."""

    spec: R3ganSpec
    betas = (0.0, 0.99)

    def __init__(self, spec: R3ganSpec) -> None:
        super().__init__(spec)
        self.generator, self.discriminator = Generator(spec), Discriminator(spec)

    def rate(self, part: float) -> float:
        return 0.25 + 0.75 * 0.5 * (1 + math.cos(math.pi * part))

    def gamma(self) -> Tensor:
        """From strong to weak along a cosine, as in the paper's appendix."""
        strong, weak = self.spec.gamma_first, self.spec.gamma_last
        return weak + (strong - weak) * 0.5 * (1 + torch.cos(math.pi * self.progress))

    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        n = max(1, round(len(real) * self.spec.penalised))
        critic = self.critic()
        real_logits, real_slopes = logits_and_slopes(critic, real[:n])
        fake_logits, fake_slopes = logits_and_slopes(critic, fake[:n])
        if n < len(real):
            more = critic(torch.cat([real[n:], fake[n:]])).chunk(2)
            real_logits = torch.cat([real_logits, more[0]])
            fake_logits = torch.cat([fake_logits, more[1]])
        gamma = self.gamma()
        return {
            "discriminator": relativistic_discriminator(real_logits, fake_logits),
            "r1": gamma * zero_centred(real_slopes),
            "r2": gamma * zero_centred(fake_slopes),
        }

    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        with torch.no_grad():
            real_logits = self.judge(real)
        return {"generator": relativistic_generator(real_logits, self.judge(fake))}
