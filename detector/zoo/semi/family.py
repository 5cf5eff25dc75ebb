"""A classifier that learns from few labels and from what a generator draws. Two ideas together:

The K+1 head and feature matching of Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, "Improved
techniques for training GANs", NIPS 2016, arXiv 1606.03498, sections 3.1 and 5: the discriminator tells K
classes and "generated", the generator matches the mean features of real pictures.

Weak and strong views of Sohn, Berthelot and others, "FixMatch", NeurIPS 2020, arXiv 2001.07685: what is seen
on a slightly changed picture with a probability above 0.95 is the target for the strongly changed one. Taken
from its relatives: the averaged network names the targets (Tarvainen and Valpola 2017), and the guesses are
brought to even shares of the classes (Berthelot and others, "ReMixMatch", ICLR 2020, section 3.1). Strong
means affine and elastic, because mirroring and colours mean nothing to digits.

Unlike Salimans and others: batch norm instead of weight norm and noise, real and generated pictures in one
batch so that its statistics do not tell them apart.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.average import Average
from detector.core.errors import CorpusError, NotApplicable, OptionRefused
from detector.generators.blocks import Enlarge, adam, pyramid
from detector.generators.family import Family, Optimisers
from detector.generators.losses import feature_matching, minimax_discriminator, realness
from detector.generators.pictures import as_floats
from detector.generators.source import UNKNOWN, ImageSource
from detector.generators.spec import Spec
from detector.zoo.semi.warp import Warp, warped

WEAK = Warp(turn=0.13, scale=0.075, shear=0.15, shift=0.07)
STRONG = Warp(turn=0.35, scale=0.2, shear=0.4, shift=0.18, bend=0.06)
_SURE = 0.95  # Sohn et al. 2020, section 2.2
_EVERY = 2  # the generator takes a step with every second one of the discriminator
_FORGETTING = 0.02  # of the running shares of the guessed classes


@dataclass(frozen=True, slots=True, kw_only=True)
class SemiSpec(Spec):
    """``batch`` counts pictures without a label; with each come ``labelled`` ones and ``generated`` ones.
    ``mean_decay`` averages the networks that are used; ``adversarial`` weighs real against generated."""

    family: str = "semi"
    side: int = 28
    channels: int = 1
    classes: int = 10
    batch: int = 128
    upsampler: str = "transposed"
    normaliser: str = "batch"
    loss: str = "K+1 classes, feature matching, consistency"
    paper: str = "arXiv 1606.03498"
    labelled: int = 32
    generated: int = 64
    mean_decay: float = 0.995
    adversarial: float = 0.1
    learning_rate: float = 0.03
    generator_rate: float = 1e-3

    def __post_init__(self) -> None:
        super(SemiSpec, self).__post_init__()
        if self.ema or not 0 < self.mean_decay < 1:
            raise OptionRefused(f"{self.family} averages its networks itself: ema is 0, mean_decay in 0..1")
        if self.classes < 2 or min(self.labelled, self.generated) < 2 or self.adversarial < 0:
            raise OptionRefused(f"{self.family} needs two classes and two pictures of every kind per step")


class Classifier(nn.Module):
    """Logits (n, K). The class K+1, "generated", has the logit 0 and is not computed: one logit of a softmax
    may be fixed (Salimans et al. 2016, section 5)."""

    def __init__(self, spec: SemiSpec) -> None:
        super().__init__()
        widths = (spec.channels, spec.width, 2 * spec.width, 4 * spec.width)
        layers: list[nn.Module] = []
        for n, (given, wanted) in enumerate(pairwise(widths)):
            conv = nn.Conv2d(given, wanted, 3, padding=1) if n else nn.Conv2d(given, wanted, 5, 2, 2)
            layers += [conv, nn.BatchNorm2d(wanted), nn.ReLU(), *([nn.MaxPool2d(2)] if n else [])]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(widths[-1] * ((spec.side + 1) // 8) ** 2, spec.classes)
        )

    def features(self, x: Tensor) -> Tensor:
        """f(x), the layer whose mean the generator matches."""
        y: Tensor = self.layers(x)
        return y

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.features(x))
        return y


class Generator(nn.Module):
    def __init__(self, spec: SemiSpec) -> None:
        super().__init__()
        start, stages = pyramid(spec.side)
        widths = [spec.width * 2 >> n for n in range(stages)]
        self.first = nn.Sequential(
            nn.Linear(spec.latent, widths[0] * start**2), nn.Unflatten(1, (widths[0], start, start))
        )
        layers: list[nn.Module] = []
        for given, wanted in pairwise([*widths, spec.channels]):
            layers += [nn.BatchNorm2d(given), nn.ReLU(), Enlarge(spec.upsampler, given, wanted)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        y: Tensor = self.layers(self.first(z))
        return y


class Networks(nn.Module):
    def __init__(self, spec: SemiSpec) -> None:
        super().__init__()
        self.classifier, self.generator = Classifier(spec), Generator(spec)


class Semi(Family):
    """Networks that learn and their average, which names targets, classifies and draws."""

    spec: SemiSpec
    steps: Tensor  # taken so far
    shares: Tensor  # (K,) running mean of the guessed classes
    matching: Tensor  # the generator's last loss

    def __init__(self, spec: SemiSpec) -> None:
        super().__init__(spec)
        self.now = Networks(spec)
        # Convolutions of few channels run twice as fast like this on a CPU too.
        self.now.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = copy.deepcopy(self.now).requires_grad_(False).eval()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("matching", torch.zeros(()))
        self.register_buffer("shares", torch.full((spec.classes,), 1 / spec.classes))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.mean.eval()
        return self

    def sampled(self) -> nn.Module:
        return self.mean

    def accept(self, source: ImageSource) -> None:
        super().accept(source)
        assert source.labels is not None
        known = np.flatnonzero(source.labels != UNKNOWN)
        if len(np.unique(source.labels[known])) < self.spec.classes:
            raise CorpusError(f"{source.name} has a class of which no picture is labelled")
        self._known = torch.from_numpy(source.images[known]), torch.from_numpy(source.labels[known])

    def optimisers(self) -> Optimisers:
        self._average = Average(self.now, self.spec.mean_decay, into=self.mean)
        classifier = torch.optim.SGD(
            self.now.classifier.parameters(), self.spec.learning_rate, 0.9, nesterov=True, weight_decay=5e-4
        )
        return classifier, adam(self.now.generator.parameters(), self.spec.generator_rate, (0.5, 0.999))

    def rate(self, part: float) -> float:
        """cos(7 pi k / 16 K): Sohn et al. 2020, section 2.3."""
        return float(np.cos(7 / 16 * np.pi * min(part, 1.0)))

    def train_step(
        self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, rng: torch.Generator
    ) -> dict[str, Tensor]:
        losses = self._classifier_step(optimisers[0], real, rng)
        if int(self.steps) % _EVERY == 0:
            self.matching.copy_(self._generator_step(optimisers[1], real[: self.spec.generated], rng))
        self._average.update(int(self.steps))
        self.steps += 1
        return {**losses, "matching": self.matching.clone()}

    def _classifier_step(
        self, optimiser: torch.optim.Optimizer, real: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        known, classes = self._labelled(rng)
        targets, sure = self._targets(warped(real, WEAK, rng))
        with torch.no_grad():
            fake = self.through(self.now.generator, self._latent(self.spec.generated, rng))
        views = [warped(known, WEAK, rng), warped(real, STRONG, rng), warped(fake, STRONG, rng)]
        logits = self.through(self.now.classifier, torch.cat(views))
        of_known, of_real, of_fake = torch.split(logits, [len(v) for v in views])
        labelled = F.cross_entropy(of_known, classes)
        consistency = (sure * F.cross_entropy(of_real, targets, reduction="none")).mean()
        adversarial = minimax_discriminator(realness(of_real), realness(of_fake))
        optimiser.zero_grad()
        (labelled + consistency + self.spec.adversarial * adversarial).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        named = {
            "labelled": labelled,
            "consistency": consistency,
            "adversarial": adversarial,
            "sure": sure.mean(),
        }
        return {k: v.detach() for k, v in named.items()}

    def _labelled(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self._known
        at = torch.randint(len(labels), (self.spec.labelled,), generator=rng)
        return as_floats(images[at]).to(self.device), labels[at].to(self.device)

    @torch.no_grad()
    def _targets(self, weak: Tensor) -> tuple[Tensor, Tensor]:
        """Classes (n,), and 1 where they are sure enough to be learned from, else 0."""
        guessed = self.through(self.mean.classifier, weak).softmax(1)
        self.shares.lerp_(guessed.mean(0), _FORGETTING)
        aligned = guessed / self.shares  # the labels are drawn in even shares
        probability, classes = (aligned / aligned.sum(1, keepdim=True)).max(1)
        return classes, (probability >= _SURE).float()

    def _generator_step(self, optimiser: torch.optim.Optimizer, real: Tensor, rng: torch.Generator) -> Tensor:
        classifier, generator = self.now.classifier, self.now.generator
        classifier.eval()  # a batch of generated pictures alone must not move the statistics
        fake = self.through(lambda z: classifier.features(generator(z)), self._latent(len(real), rng))
        with torch.no_grad():
            wanted = self.through(classifier.features, real)
        loss = feature_matching(wanted, fake)
        optimiser.zero_grad()
        loss.backward(inputs=list(generator.parameters()))  # type: ignore[no-untyped-call]
        optimiser.step()
        classifier.train()
        return loss.detach()

    def _latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, self.spec.latent, generator=rng).to(self.device)

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            raise NotApplicable(f"{self.spec.family} draws digits, not a class that was asked for")
        y: Tensor = self.mean.generator(self._latent(n, rng))
        return y

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """The most probable of the K classes (n,), by the averaged network."""
        logits: Tensor = self.mean.classifier(x)
        return logits.argmax(1)
