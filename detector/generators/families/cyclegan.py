"""Translating networks. CycleGAN: Zhu, Park, Isola, Efros, "Unpaired image-to-image translation using
cycle-consistent adversarial networks", ICCV 2017, arXiv 1703.10593. AutoGAN: Zhang, Karaman, Chang,
"Detecting and simulating artifacts in GAN fake images", WIFS 2019, arXiv 1907.06515.

``translate``: two unpaired sources, classes 0 and 1 of one ``ImageSource`` (``unpaired`` makes it), one
network per direction, least-squares loss on patches, 10 times the mean absolute error of the way there and
back (their equations 1 to 3), and half of that weight for what a network changes in a picture of its own kind
(their section 5.2; without it colours may turn into their opposites). ``reconstruct``: AutoGAN's use of the
same network on reals alone. It gives every picture back with the trace of the generator in it, so a detector
cannot tell the two by their content (their section 3.2). Networks as in Zhu et al., smaller: strided
convolutions, residual blocks, enlarging, instance norm.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from detector.core.errors import CorpusError, NotApplicable, OptionRefused
from detector.generators.blocks import Enlarge, Layers
from detector.generators.family import Draws, Losses, Optimisers, Recordable
from detector.generators.losses import least_squares_discriminator, least_squares_generator
from detector.generators.source import ImageSource
from detector.generators.spec import CycleganSpec, Spec
from detector.generators.steps import detached, outwit, rivals

_CYCLE = 10.0
_IDENTITY = 5.0


def far(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (made - wanted).abs().mean()


def normed(conv: nn.Module, channels: int, act: nn.Module) -> list[nn.Module]:
    return [conv, nn.InstanceNorm2d(channels, affine=True), act]


class ResidualBlock(Layers):
    def __init__(self, channels: int) -> None:
        super().__init__(
            *normed(nn.Conv2d(channels, channels, 3, padding=1), channels, nn.ReLU()),
            *normed(nn.Conv2d(channels, channels, 3, padding=1), channels, nn.Identity()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Translator(Layers):
    """A picture (n, channels, h, w) with even sides to one of the same shape."""

    def __init__(self, spec: Spec) -> None:
        w, c = spec.width, spec.channels
        super().__init__(
            *normed(nn.Conv2d(c, w, 3, padding=1), w, nn.ReLU()),
            *normed(nn.Conv2d(w, 2 * w, 3, 2, 1), 2 * w, nn.ReLU()),
            ResidualBlock(2 * w),
            ResidualBlock(2 * w),
            *normed(Enlarge(spec.upsampler, 2 * w, w), w, nn.ReLU()),
            nn.Conv2d(w, c, 3, padding=1),
            nn.Tanh(),
        )


class PatchDiscriminator(Layers):
    """One logit per patch, (n, patches)."""

    def __init__(self, spec: Spec) -> None:
        w = spec.width
        super().__init__(
            nn.Conv2d(spec.channels, w, 4, 2, 1),
            nn.LeakyReLU(0.2),
            *normed(nn.Conv2d(w, 2 * w, 4, 2, 1), 2 * w, nn.LeakyReLU(0.2)),
            nn.Conv2d(2 * w, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flatten(1)


class Cyclegan(Recordable):
    """One or two translators, with a discriminator for each kind of picture that they make."""

    spec: CycleganSpec
    grid = 2

    def __init__(self, spec: CycleganSpec) -> None:
        super().__init__(spec)
        if spec.mode == "translate" and spec.classes != 2:
            raise OptionRefused(f"{spec.family} translates between two classes")
        ways = 2 if spec.mode == "translate" else 1
        self.translators = self.networks(ways)
        self.discriminators = nn.ModuleList(PatchDiscriminator(spec) for _ in range(ways))
        self.balanced = ways == 2

    def networks(self, ways: int) -> nn.Module:
        """Number i makes pictures of class i."""
        return nn.ModuleList(Translator(self.spec) for _ in range(ways))

    def accept(self, source: ImageSource) -> None:
        super().accept(source)
        if self.balanced and (source.labels is None or set(np.unique(source.labels)) != {0, 1}):
            raise CorpusError(f"{source.name} does not hold pictures of the two classes 0 and 1")

    def sampled(self) -> nn.Module:
        return self.translators

    def optimisers(self) -> Optimisers:
        return rivals(self.translators, self.discriminators, self.spec.learning_rate, (0.5, 0.99))

    def rate(self, part: float) -> float:
        """Constant, then linear to nothing, as in Zhu et al., section 4."""
        return min(1.0, 2 * (1 - part))

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        reals = tuple(real.chunk(2)) if self.balanced else (real,)
        fakes, held = self.passed(reals, draws)
        names = ("0", "1") if self.balanced else ("",)
        kinds = list(zip(names, self.discriminators, reals, fakes, strict=True))
        told = {
            f"discriminator{name}": least_squares_discriminator(
                self.through(judge, x), self.through(judge, fake.detach())
            )
            for name, judge, x, fake in kinds
        }

        def fooling() -> Losses:
            return held | {
                f"generator{name}": least_squares_generator(self.through(judge, fake))
                for name, judge, _, fake in kinds
            }

        return detached(told | outwit(optimisers, self.discriminators, told, fooling))

    def passed(self, reals: tuple[Tensor, ...], draws: Draws) -> tuple[tuple[Tensor, ...], Losses]:
        """Fakes of each class, and the terms that hold them to what they were made of."""
        if not self.balanced:
            back = self._pass(0, reals[0])
            return (back,), {"cycle": _CYCLE * far(back, reals[0])}
        a, b = reals
        fake_a, fake_b = self._pass(0, b), self._pass(1, a)
        cycle = far(self._pass(0, fake_b), a) + far(self._pass(1, fake_a), b)
        terms = {"cycle": _CYCLE * cycle}
        if _IDENTITY:
            terms["identity"] = _IDENTITY * (far(self._pass(0, a), a) + far(self._pass(1, b), b))
        return (fake_a, fake_b), terms

    def _pass(self, to: int, x: Tensor) -> Tensor:
        assert isinstance(self.translators, nn.ModuleList)
        return self.through(self.translators[to], x)

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        raise NotApplicable(f"{self.spec.family} passes pictures through itself and draws none of its own")

    def translate(self, x: Tensor, to: int) -> Tensor:
        """Pictures of the other class made to look like class ``to``."""
        name = f"this {self.spec.family}"
        if not self.balanced:
            raise NotApplicable(f"{name} gives pictures back and does not translate; of two sources it would")
        if to not in {0, 1}:
            raise NotApplicable(f"{name} translates to the classes 0 and 1, not {to}")
        return self._pass(to, x)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Once through the only translator; of two, from class 0 to class 1 and back."""
        return self._pass(0, self._pass(1, x)) if self.balanced else self._pass(0, x)
