"""DCGAN: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative
adversarial networks", ICLR 2016, arXiv 1511.06434.

The architecture of their section 3: no pooling but strided and transposed convolutions, batch norm in both
networks except at the generator's output and the discriminator's input, ReLU and tanh in the generator,
LeakyReLU(0.2) in the discriminator, weights from N(0, 0.02^2), Adam(2e-4, 0.5, 0.999). The loss is the
non-saturating one. Its trace: a checkerboard of period 2 from the transposed convolutions, and too much high
frequency.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.blocks import Layers, doubling_widths, normal_weights, pyramid
from detector.generators.family import Draws, Losses
from detector.generators.losses import minimax_discriminator, non_saturating_generator
from detector.generators.spec import GanSpec, Spec
from detector.generators.steps import Adversarial


class Generator(Layers):
    def __init__(self, spec: Spec) -> None:
        start, widths = pyramid(spec.side)[0], doubling_widths(spec.side, spec.width)
        given = spec.latent + spec.classes
        layers: list[nn.Module] = [nn.ConvTranspose2d(given, widths[0], start, bias=False)]
        for given, wanted in pairwise(widths):
            layers += [nn.BatchNorm2d(given), nn.ReLU()]
            layers += [nn.ConvTranspose2d(given, wanted, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU()]
        super().__init__(*layers, nn.ConvTranspose2d(widths[-1], spec.channels, 4, 2, 1), nn.Tanh())

        self.classes = spec.classes

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            z = torch.cat([z, F.one_hot(labels, self.classes).to(z)], 1)
        return super().forward(z[:, :, None, None])


class Discriminator(Layers):
    """Logits (n,), and where there are classes one more for each, of which the picture's own is added: the
    projection of Miyato and Koyama 2018, arXiv 1802.05637."""

    def __init__(self, spec: Spec) -> None:
        start, widths = pyramid(spec.side)[0], doubling_widths(spec.side, spec.width)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for given, wanted in pairwise(widths):
            layers += [
                nn.Conv2d(given, wanted, 4, 2, 1, bias=False),
                nn.BatchNorm2d(wanted),
                nn.LeakyReLU(0.2),
            ]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1 + spec.classes, start))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits = super().forward(x).flatten(1)
        if labels is None:
            return logits[:, 0]
        return logits[:, 0] + logits.gather(1, 1 + labels[:, None])[:, 0]


class Dcgan(Adversarial):
    """Deep convolutional GAN; with classes both networks are told them."""

    infers = False

    def __init__(self, spec: GanSpec) -> None:
        super().__init__(spec)
        self.generator, self.discriminator = Generator(spec), Discriminator(spec)
        normal_weights(self, 0.02)

    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        of_real, of_fake = self.judged(real, labels), self.judged(fake, draws.get("class"))
        return {"discriminator": minimax_discriminator(of_real, of_fake)}

    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        return {"generator": non_saturating_generator(self.judged(fake, draws.get("class")))}

    def judged(self, x: Tensor, labels: Tensor | None) -> Tensor:
        return self.through(self.discriminator, x, labels)

    def fake(self, draws: Draws) -> Tensor:
        return self.through(self.generator, draws["z"], draws.get("class"))
