"""The first GAN: Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio, "Generative
adversarial nets", NeurIPS 2014, arXiv 1406.2661.

Two multilayer perceptrons, as in their section 5 on MNIST: rectifiers in the generator, maxout with dropout
in the discriminator, the non-saturating loss of section 3. Adam replaces momentum.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from detector.generators.blocks import variance_kept
from detector.generators.family import Draws, Losses
from detector.generators.losses import minimax_discriminator, non_saturating_generator
from detector.generators.spec import GanSpec, Spec
from detector.generators.steps import Adversarial

_PIECES = 3
_KEPT = 0.7


class Generator(nn.Module):
    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.shape = (spec.channels, spec.side, spec.side)
        self.layers = nn.Sequential(
            nn.Linear(spec.latent, 2 * spec.width), nn.ReLU(),
            nn.Linear(2 * spec.width, 4 * spec.width), nn.ReLU(),
            nn.Linear(4 * spec.width, math.prod(self.shape)), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.layers(z).view(-1, *self.shape)
        return x


class Discriminator(nn.Module):
    """Maxout (Goodfellow et al. 2013): each unit is the largest of ``_PIECES`` linear ones."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.first = nn.Linear(spec.channels * spec.side**2, 2 * spec.width * _PIECES)
        self.second = nn.Linear(2 * spec.width, 2 * spec.width * _PIECES)
        self.logit = nn.Linear(2 * spec.width, 1)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """``keep`` (n, 2 * width) is the dropout mask of the first hidden layer, None for all units."""
        h = self.first(x.flatten(1)).unflatten(1, (-1, _PIECES)).amax(2)
        h = h if keep is None else h * keep / _KEPT
        h = self.second(h).unflatten(1, (-1, _PIECES)).amax(2)
        logits: Tensor = self.logit(h).flatten()
        return logits


class Gan(Adversarial):
    """The GAN of 2014."""

    discriminator: Discriminator

    def __init__(self, spec: GanSpec) -> None:
        super().__init__(spec)
        self.generator, self.discriminator = Generator(spec), Discriminator(spec)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                variance_kept(m)

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        keep = (torch.rand(n, 3, 2 * self.spec.width, generator=rng) < _KEPT).float()
        return {**super().draws(n, rng), "keep": keep}

    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        of_real, of_fake, _ = draws["keep"].unbind(1)
        d = self.discriminator
        logits = self.through(d, real, of_real), self.through(d, fake, of_fake)
        return {"discriminator": minimax_discriminator(*logits)}

    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        logits = self.through(self.discriminator, fake, draws["keep"][:, 2])
        return {"generator": non_saturating_generator(logits)}
