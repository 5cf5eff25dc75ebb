"""The one protocol of the zoo: what a family of generators is, and what it is given.

A family is a module that holds all its networks (the generator, and whatever it is trained against), takes
one training step and draws pictures. Everything else, that is budgets, interruption, averaging of weights,
files, logs, is the same for all and stands in ``detector.gan.fit``. Inside, pictures are float tensors
(n, channels, side, side) in -1..1; at the edge they are uint8 (n, side, side, channels).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.errors import CorpusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All that decides the shape of a family, written into its card. ``upsampler``, ``normaliser`` and
    ``loss`` are what leaves the fingerprint; ``classes`` is 0 for a family without labels; ``ema`` is the
    decay per step of the averaged weights that sample, 0 for none."""

    family: str
    side: int = 32
    channels: int = 3
    classes: int = 0
    latent: int = 64
    width: int = 32
    batch: int = 64
    ema: float = 0.0
    upsampler: str = ""
    normaliser: str = "none"
    loss: str = ""
    paper: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a fit ends: after so many steps, or so many CPU seconds, whichever comes first. Only a budget of
    steps gives the same weights twice."""

    steps: int | None = None
    cpu_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.cpu_seconds is None:
            raise CorpusError("a budget needs a number of steps or of CPU seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """Real pictures in memory: uint8 (n, side, side, channels), labels (n,) or None, and the digest of what
    they were made from."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    digest: str = ""
    groups: NDArray[np.int64] | None = field(default=None)  # which photo a picture was cut from

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not len(self.images):
            raise CorpusError(f"{self.name} holds no pictures")


class Family(nn.Module, ABC):
    """One family. ``rng`` is a CPU generator: whatever is drawn is drawn there and moved, so that a seed
    means the same on every device."""

    spec: Spec

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def sampled(self) -> nn.Module:
        """The part that sampling uses and that averaging of weights covers."""

    @abstractmethod
    def optimisers(self) -> tuple[torch.optim.Optimizer, ...]:
        """Made anew; the trainer keeps and stores them."""

    @abstractmethod
    def train_step(
        self,
        optimisers: tuple[torch.optim.Optimizer, ...],
        real: Tensor,
        labels: Tensor | None,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:
        """One step on one batch; named losses, detached, for the log."""

    @abstractmethod
    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """``n`` pictures from ``sampled()``. Called without gradients and in evaluation mode."""


@runtime_checkable
class Aligned(Protocol):
    """A family that can pass a picture through itself, so that only its own trace differs."""

    def reconstruct(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Likelihood(Protocol):
    """A family that knows how likely a picture is, in nats per picture, uint8 steps of 1/127.5 included."""

    def log_prob(self, x: Tensor) -> Tensor: ...
