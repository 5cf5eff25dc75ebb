"""WGAN-GP: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved training of Wasserstein GANs",
NeurIPS 2017, arXiv 1704.00028.

Their algorithm 1: several critic steps per generator step, a penalty that pulls the critic's slope between
reals and fakes to 1, no batch norm in the critic, Adam with beta1 = 0. A batch holds the reals of all critic
steps of one generator step. The generator enlarges by pixel shuffle, up to the picture itself: the
convolutions run on the small grids, which is fast, and the four phases of every 2x2 block come from
different filters. Its trace: a grid of period 2, 4, 8 and too much high frequency, the opposite of R3GAN's.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.blocks import Logits, doubling_widths, pyramid
from detector.generators.family import Draws, Losses
from detector.generators.losses import (
    between,
    hinge_generator,
    logits_and_slopes,
    one_centred,
    wasserstein_critic,
)
from detector.generators.spec import Spec, WganSpec
from detector.generators.steps import Adversarial


class Generator(nn.Module):
    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.start, widths = pyramid(spec.side)[0], doubling_widths(spec.side, spec.width)
        self.first = nn.Linear(spec.latent, widths[0] * self.start**2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(w) for w in widths)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in pairwise([*widths, spec.channels])
        )

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.first(z).view(len(z), -1, self.start, self.start)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = F.pixel_shuffle(conv(F.relu(norm(x))), 2)
        return torch.tanh(x)


class Critic(Logits):
    def __init__(self, spec: Spec) -> None:
        start, widths = pyramid(spec.side)[0], doubling_widths(spec.side, spec.width)[::-1]
        layers: list[nn.Module] = []
        for given, wanted in pairwise([spec.channels, *widths]):
            layers += [nn.Conv2d(given, wanted, 4, 2, 1), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, start))


class Wgan(Adversarial):
    """Wasserstein GAN with gradient penalty and pixel shuffle."""

    spec: WganSpec
    betas = (0.0, 0.9)

    def __init__(self, spec: WganSpec) -> None:
        super().__init__(spec)
        self.critic_steps = spec.critic_steps
        self.generator, self.discriminator = Generator(spec), Critic(spec)

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        return {**super().draws(n, rng), "part": torch.rand(n, generator=rng)}

    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        critic = self.critic()
        real_logits, fake_logits = critic(torch.cat([real, fake])).chunk(2)
        _, slopes = logits_and_slopes(critic, between(real, fake, draws["part"]))
        return {
            "critic": wasserstein_critic(real_logits, fake_logits),
            "penalty": self.spec.penalty * one_centred(slopes),
        }

    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        return {"generator": hinge_generator(self.judge(fake))}
