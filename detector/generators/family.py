"""The one protocol of the zoo: what a family of generators is, and what it is given.

A family is a module that holds all its networks (the generator, and whatever it is trained against), takes
one training step and draws pictures. Everything else, that is budgets, interruption, averaging of weights,
files, logs, is the same for all and stands in ``detector.zoo``. Inside, pictures are float tensors
(n, channels, side, side) in -1..1; at the edge they are uint8 (n, side, side, channels).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from detector.core.errors import CorpusError
from detector.generators.source import ImageSource
from detector.generators.spec import Spec

Draws = dict[str, Tensor]  # all chance of one step, by name
Losses = dict[str, Tensor]  # named terms, each a number
Optimisers = tuple[torch.optim.Optimizer, ...]

# Families that are for passing pictures through themselves: what they draw of their own is nothing or noise.
RECONSTRUCTING = ("recon", "cyclegan", "unit", "dip")
UNLEARNED = ("dip",)  # a fit changes no weight: every picture is fitted by itself, when it is passed through


class Family(nn.Module, ABC):
    """One family. ``rng`` is a CPU generator: whatever is drawn is drawn there and moved, so that a seed
    means the same on every device. State that a step changes and the next one needs is a parameter or a
    persistent buffer: nothing else survives an interruption."""

    spec: Spec
    bf16: bool = False  # set by the trainer where bfloat16 is faster
    infers: bool = True  # of a family that learns classes: it may be given pictures without a label (-1)
    balanced: bool = False  # the first half of each batch is of class 0, the second of class 1
    grid: int = 0  # passes pictures of any sides that are multiples of this; 0: only of its own side
    progress: Tensor  # 0..1, the part of the budget that is used; a tensor, so that a recorded step sees it
    net: nn.Module  # of a family that has only one

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where its tensors lie, and what it is given has to."""
        return self.progress.device

    def sampled(self) -> nn.Module:
        """The part that sampling uses and that averaging of weights covers."""
        return self.net

    @abstractmethod
    def optimisers(self) -> Optimisers:
        """Made anew; the trainer keeps and stores them."""

    @abstractmethod
    def train_step(
        self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, rng: torch.Generator
    ) -> Losses:
        """One step on one batch; named losses, detached, for the log."""

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """``n`` pictures from ``sampled()``. Called without gradients and in evaluation mode."""

    def accept(self, source: ImageSource) -> None:
        """Raises ``CorpusError`` for pictures or labels that do not fit the spec."""
        shape, wanted = source.images.shape[1:], (self.spec.side, self.spec.side, self.spec.channels)
        if shape != wanted:
            raise CorpusError(f"{self.spec.family} wants pictures of {wanted}, {source.name} has {shape}")
        if not self.spec.classes:
            return
        if source.labels is None:
            raise CorpusError(f"{self.spec.family} learns classes, {source.name} has no labels")
        if source.labels.min() < (-1 if self.infers else 0) or source.labels.max() >= self.spec.classes:
            raise CorpusError(f"a label of {source.name} is not one of {self.spec.classes} classes")

    def told(self, n: int, rng: torch.Generator, labels: Tensor | None) -> Tensor | None:
        """The classes that ``n`` pictures are drawn of, by chance where nobody named any; None of a family
        that learns none."""
        if not self.spec.classes:
            return None
        drawn = torch.randint(self.spec.classes, (n,), generator=rng) if labels is None else labels
        return drawn.to(self.device)

    def rate(self, part: float) -> float:
        """What the learning rates are multiplied with after this part of the budget."""
        return 1.0

    def cast(self) -> AbstractContextManager[object]:
        """Around the networks' forward passes, never around losses or ``backward``: bfloat16 where the
        trainer found it faster. What comes out goes through ``.float()``."""
        kind = self.device.type
        return torch.autocast(kind if kind == "cuda" else "cpu", torch.bfloat16, enabled=self.bf16)

    def through(self, net: Callable[..., Tensor], *given: Tensor | None) -> Tensor:
        """What a network makes of that, in the precision of ``cast``; float32."""
        with self.cast():
            y = net(*given)
        return y.float()

    def shape(self, n: int) -> tuple[int, int, int, int]:
        """Of ``n`` pictures."""
        return n, self.spec.channels, self.spec.side, self.spec.side


class Recordable(Family):
    """A family whose step takes its chance as tensors, so that a GPU can record the step once and replay it:
    ``step`` draws nothing by itself and reads nothing back from the device."""

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        """All chance of one step on ``n`` pictures, on the CPU; nothing, unless the family says so."""
        return {}

    def drawn(self, n: int, rng: torch.Generator) -> Draws:
        """``draws`` where the family lies."""
        return {k: v.to(self.device) for k, v in self.draws(n, rng).items()}

    @abstractmethod
    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """What ``train_step`` does, given its draws on the device of ``real``."""

    def train_step(
        self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, rng: torch.Generator
    ) -> Losses:
        return self.step(optimisers, real, labels, self.drawn(len(real), rng))


@runtime_checkable
class Aligned(Protocol):
    """A family that can pass a picture through itself, so that only its own trace differs."""

    def reconstruct(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Likelihood(Protocol):
    """A family that knows how likely a picture is, in nats per picture, uint8 steps of 1/127.5 included."""

    def log_prob(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Translating(Protocol):
    """A family that makes pictures of one class look like another."""

    def translate(self, x: Tensor, to: int) -> Tensor: ...
