"""BigGAN, small: Brock, Donahue, Simonyan, "Large scale GAN training for high fidelity natural image
synthesis", ICLR 2019, arXiv 1809.11096; with the semi-supervised mode of Lucic, Tschannen, Ritter, Zhai,
Bachem, Gelly, "High-fidelity image generation with fewer labels", ICML 2019, arXiv 1903.02271.

Taken from Brock et al.: residual networks, nearest-neighbour enlarging, class-conditional batch norm from a
shared embedding with a part of the latent at every stage, hinge loss, projection discriminator (Miyato and
Koyama 2018), spectral norm in the discriminator, orthogonal regularisation of the generator (their equation
3), averaged weights, a discriminator that learns twice as fast. For a CPU there is one discriminator step
per generator step in place of two, no self-attention, and no layer as fine as the picture but the last of
the generator and the first of the discriminator. As in their BigGAN-deep the class goes into the first layer
too; it begins quieter than the latent, because what is louder makes all young pictures of a class the same.
The discriminator learns to name the classes of reals, and the generator to be named rightly (Odena, Olah and
Shlens 2017): by the projection alone a class is any shape for as long as both are young.

The S3 mode needs a tenth of the labels (-1 stands for an unknown one). The head of the classes learns from
the labelled reals and names the others (their S3GAN-CO, section 3.2); one more head tells by how many
quarters a picture is turned, on reals for the discriminator and on fakes for the generator (section 3.3).
Its trace: nearest-neighbour blocks smoothed by a convolution.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses
from torch.nn.utils.parametrizations import spectral_norm

from detector.core.errors import CorpusError, OptionRefused
from detector.generators.blocks import Enlarge, doubled, pyramid
from detector.generators.family import Draws, Losses
from detector.generators.losses import hinge_discriminator, hinge_generator
from detector.generators.source import ImageSource
from detector.generators.spec import BigganSpec, Spec
from detector.generators.steps import Adversarial

_EMBEDDED = 32
_TURNED = 4  # every fourth picture of a batch is turned
_OF_D, _OF_G = 0.5, 0.2  # weights of the two rotation terms, Lucic et al., section 4
_ORTHOGONAL = 1e-4


class ConditionalNorm(nn.Module):
    """Batch norm whose scale and shift come from a vector per picture."""

    def __init__(self, channels: int, given: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Linear(given, channels, bias=False)
        self.shift = nn.Linear(given, channels, bias=False)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        y: Tensor = self.norm(x) * (1 + self.scale(c)[:, :, None, None]) + self.shift(c)[:, :, None, None]
        return y


class UpBlock(nn.Module):
    def __init__(self, given: int, wanted: int, condition: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([ConditionalNorm(given, condition), ConditionalNorm(wanted, condition)])
        self.first = nn.Conv2d(given, wanted, 3, padding=1)
        self.last = nn.Conv2d(wanted, wanted, 3, padding=1)
        self.skip = nn.Conv2d(given, wanted, 1)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        y = self.first(doubled(F.relu(self.norms[0](x, c)), "nearest"))
        y = self.last(F.relu(self.norms[1](y, c)))
        z: Tensor = y + doubled(self.skip(x), "nearest")
        return z


class Generator(nn.Module):
    """Residual stages up to half the side, one at least; the picture comes out of the last enlarging."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.start, stages = pyramid(spec.side)
        widths = [max(spec.width, spec.width * 4 >> i) for i in range(max(2, stages))]
        self.part = spec.latent // len(widths)
        given = _EMBEDDED + self.part
        self.embedding = nn.Embedding(spec.classes, _EMBEDDED)
        self.first = nn.Linear(given + spec.latent % len(widths), widths[0] * self.start**2)
        self.blocks = nn.ModuleList(UpBlock(a, b, given) for a, b in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[-1])
        last = Enlarge("nearest", widths[-1], spec.channels) if stages > 1 else None
        self.picture = last or nn.Conv2d(widths[-1], spec.channels, 3, padding=1)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.orthogonal_(m.weight)
                if m.bias is not None:  # else every young picture has the same spots
                    nn.init.zeros_(m.bias)
        # Half as loud as the part of the latent beside it.
        nn.init.normal_(self.embedding.weight, 0.0, 0.5 * (max(1, self.part) / _EMBEDDED) ** 0.5)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        size = self.part * len(self.blocks)
        parts = z[:, :size].chunk(len(self.blocks), 1)
        shared = self.embedding(labels)
        x: Tensor = self.first(torch.cat([shared, z[:, size:]], 1)).view(len(z), -1, self.start, self.start)
        for block, part in zip(self.blocks, parts, strict=True):
            x = block(x, torch.cat([shared, part], 1))
        return torch.tanh(self.picture(F.relu(self.norm(x))))


class DownBlock(nn.Module):
    """Residual; the first convolution divides the side by ``by``, 1 or 2."""

    def __init__(self, given: int, wanted: int, by: int) -> None:
        super().__init__()
        self.by = by
        self.first = spectral_norm(nn.Conv2d(given, wanted, 2 + by, by, 1))
        self.last = spectral_norm(nn.Conv2d(wanted, wanted, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(given, wanted, 1)) if given != wanted else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(F.relu(self.first(F.relu(x))))
        z: Tensor = y + self.skip(F.avg_pool2d(x, self.by))
        return z


class Discriminator(nn.Module):
    """Features (n, c) of the whole coarsest grid, as loud as its side, then the logit: one linear unit plus
    the projection on the class's embedding. A mean over the grid forgets what lies where, and under spectral
    norm it leaves neither hinge nor classes within reach of few steps."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.start, stages = pyramid(spec.side)
        widths = [spec.width * min(1 << i, 4) for i in range(stages)]
        seen = 4 * spec.width
        self.blocks = nn.Sequential(
            spectral_norm(nn.Conv2d(spec.channels, widths[0], 4, 2, 1)),
            *[DownBlock(a, b, 2) for a, b in pairwise(widths)],
            DownBlock(widths[-1], widths[-1], 1),
        )
        self.whole = spectral_norm(nn.Linear(widths[-1] * self.start**2, seen))
        self.logit = spectral_norm(nn.Linear(seen, 1))
        self.embedding = spectral_norm(nn.Embedding(spec.classes, seen))
        self.classes, self.quarters = nn.Linear(seen, spec.classes), nn.Linear(seen, 4)

    def features(self, x: Tensor) -> Tensor:
        y: Tensor = F.relu(self.whole(F.relu(self.blocks(x)).flatten(1))) * self.start
        return y

    def judged(self, features: Tensor, labels: Tensor) -> Tensor:
        y: Tensor = self.logit(features).flatten() + (self.embedding(labels) * features).sum(1)
        return y


class Biggan(Adversarial):
    """Class-conditional GAN, fully labelled or in the S3 mode."""

    spec: BigganSpec
    betas = (0.0, 0.99)
    pace = 2.0
    discriminator: Discriminator

    def __init__(self, spec: BigganSpec) -> None:
        super().__init__(spec)
        if not spec.classes:
            raise OptionRefused("biggan is conditional: give it classes")
        self.critic_steps = spec.critic_steps
        self.generator, self.discriminator = Generator(spec), Discriminator(spec)

    def accept(self, source: ImageSource) -> None:
        super().accept(source)
        unknown = source.labels is not None and bool((source.labels < 0).any())
        if unknown and not self.spec.few_labels:
            raise CorpusError(f"{source.name} has pictures without a label; few_labels=True infers them")

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        return {**super().draws(n, rng), "quarter": torch.randint(4, (n, 2), generator=rng)}

    def fake(self, draws: Draws) -> Tensor:
        return self.through(self.generator, draws["z"], draws["class"])

    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        assert labels is not None
        with self.cast():
            features = self.discriminator.features(torch.cat([real, fake]))
            named = self.discriminator.classes(features.chunk(2)[0]).float()
            terms = {"classes": _known_only(named, labels)}
            if self.spec.few_labels:
                labels = torch.where(labels < 0, named.detach().argmax(1), labels)
                terms["turns"] = _OF_D * self._turns(real, draws["quarter"][:, 0])
            logits = self.discriminator.judged(features, torch.cat([labels, draws["class"]])).float()
        return {"discriminator": hinge_discriminator(*logits.chunk(2)), **terms}

    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        with self.cast():
            features = self.discriminator.features(fake)
            logits = self.discriminator.judged(features, draws["class"]).float()
            named = self.discriminator.classes(features).float()
            terms = {"generator": hinge_generator(logits), "named": F.cross_entropy(named, draws["class"])}
            if self.spec.few_labels:
                terms["turns_generated"] = _OF_G * self._turns(fake, draws["quarter"][:, 1])
        weights = (m.weight for m in self.generator.modules() if isinstance(m, nn.Conv2d))
        terms["orthogonal"] = _ORTHOGONAL * non_orthogonality(weights)
        return terms

    def _turns(self, x: Tensor, quarters: Tensor) -> Tensor:
        """Cross-entropy of the turn of every fourth picture."""
        x, quarters = x[::_TURNED], quarters[::_TURNED]
        every = torch.stack([torch.rot90(x, k, (2, 3)) for k in range(4)], 1)
        turned = every.gather(1, quarters.view(-1, 1, 1, 1, 1).expand(-1, 1, *x.shape[1:]))[:, 0]
        logits = self.discriminator.quarters(self.discriminator.features(turned))
        return F.cross_entropy(logits.float(), quarters)


def _known_only(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the labelled pictures, 0 when there is none."""
    known = (labels >= 0).float()
    each = F.cross_entropy(logits, labels.clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def non_orthogonality(weights: Iterable[Tensor]) -> Tensor:
    """Sum of the squared off-diagonal elements of W W^T, rows of W being filters: Brock et al., eq. 3."""
    grams = [w.flatten(1) @ w.flatten(1).T for w in weights]
    return torch.stack([(g - torch.diag(g.diagonal())).square().sum() for g in grams]).sum()
