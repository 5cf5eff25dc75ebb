"""LAPGAN: Denton, Chintala, Szlam, Fergus, "Deep generative image models using a Laplacian pyramid of
adversarial networks", NeurIPS 2015, arXiv 1506.05751.

One adversarial pair per level of a Laplacian pyramid (their section 3). The coarsest generator draws a small
picture from a latent. Each further one is given the enlarged picture l and a plane of noise, and draws the
band-pass detail h that is to be added; its discriminator sees the sum l + h beside l. In training l comes
from real pictures, so that the levels learn at the same time and independently of each other; in sampling it
comes from the level below. Halving is by averaging and enlarging is bilinear. The trace: each band of the
spectrum has a generator of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.blocks import Layers, Logits, doubled, pyramid, variance_kept
from detector.generators.family import Draws, Losses, Optimisers, Recordable
from detector.generators.losses import minimax_discriminator, non_saturating_generator
from detector.generators.spec import GanSpec, Spec
from detector.generators.steps import detached, outwit, rivals

_COARSEST = 6


class Coarsest(Layers):
    """Latent (n, latent) to a picture of the smallest side."""

    def __init__(self, spec: Spec, side: int) -> None:
        w = spec.width
        super().__init__(
            nn.Linear(spec.latent, 2 * w * side**2, bias=False), nn.Unflatten(1, (2 * w, side, side)),
            nn.BatchNorm2d(2 * w), nn.ReLU(),
            nn.Conv2d(2 * w, w, 3, padding=1, bias=False), nn.BatchNorm2d(w), nn.ReLU(),
            nn.Conv2d(w, spec.channels, 3, padding=1), nn.Tanh(),
        )  # fmt: skip


class Detail(Layers):
    """l (n, channels, s, s) beside noise (n, 1, s, s) to h of the shape of l."""

    def __init__(self, spec: Spec) -> None:
        w, c = spec.width, spec.channels
        super().__init__(
            nn.Conv2d(c + 1, w, 3, padding=1), nn.ReLU(),
            nn.Conv2d(w, w, 3, padding=1, bias=False), nn.BatchNorm2d(w), nn.ReLU(),
            nn.Conv2d(w, c, 3, padding=1),
        )  # fmt: skip


class Discriminator(Logits):
    def __init__(self, spec: Spec, channels: int, side: int) -> None:
        w = spec.width
        super().__init__(
            nn.Conv2d(channels, w, 3, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(w, 2 * w, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(),
            nn.Linear(2 * w * (-(-side // 4)) ** 2, 1),
        )  # fmt: skip


class Lapgan(Recordable):
    """A pyramid of conditional GANs."""

    spec: GanSpec

    def __init__(self, spec: GanSpec) -> None:
        super().__init__(spec)
        start, stages = pyramid(spec.side, _COARSEST)
        self.sides = [start << i for i in range(stages + 1)]
        self.generators = nn.ModuleList([Coarsest(spec, start), *(Detail(spec) for _ in range(stages))])
        self.discriminators = nn.ModuleList(
            Discriminator(spec, spec.channels * (2 if i else 1), side) for i, side in enumerate(self.sides)
        )
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                variance_kept(m, 2**0.5)

    def sampled(self) -> nn.Module:
        return self.generators

    def optimisers(self) -> Optimisers:
        return rivals(self.generators, self.discriminators, self.spec.learning_rate, (0.5, 0.99))

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        noise = {f"noise{s}": torch.randn(n, 1, s, s, generator=rng) for s in self.sides[1:]}
        return {"z": torch.randn(n, self.spec.latent, generator=rng), **noise}

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        pairs = [
            (s, judge, self._seen(x, low), self._seen(self._picture(low, draws), low))
            for s, judge, (x, low) in zip(self.sides, self.discriminators, self._levels(real), strict=True)
        ]
        told = {
            f"discriminator{s}": minimax_discriminator(
                self.through(judge, x), self.through(judge, fake.detach())
            )
            for s, judge, x, fake in pairs
        }

        def fooling() -> Losses:
            return {
                f"generator{s}": non_saturating_generator(self.through(judge, fake))
                for s, judge, _, fake in pairs
            }

        return detached(told | outwit(optimisers, self.discriminators, told, fooling))

    def _levels(self, x: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """From the coarsest: the real picture of each side and what the level below makes of it."""
        out: list[tuple[Tensor, Tensor | None]] = []
        for _ in self.sides[1:]:
            small = F.avg_pool2d(x, 2)
            out.append((x, doubled(small, "bilinear")))
            x = small
        return [(x, None), *out[::-1]]

    def _picture(self, low: Tensor | None, draws: Draws) -> Tensor:
        """A generated picture of the side of ``low``; of the coarsest side without it."""
        if low is None:
            return self.through(self.generators[0], draws["z"])
        side = low.shape[-1]
        given = torch.cat([low, draws[f"noise{side}"]], 1)
        return low + self.through(self.generators[self.sides.index(side)], given)

    @staticmethod
    def _seen(x: Tensor, low: Tensor | None) -> Tensor:
        return x if low is None else torch.cat([x, low], 1)

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        draws = self.drawn(n, rng)
        x = self._picture(None, draws)
        for _ in self.sides[1:]:
            x = self._picture(doubled(x.clamp(-1, 1), "bilinear"), draws)
        return x
