"""The public minimal recipe of a paper, as tutorials give it, for digits of 28 x 28 in -1..1: what a family
of the zoo has to beat in the same time. Written from the papers, no code of anybody's; used nowhere else.
Here what they share; games stand in ``recipes_gan``, the others in ``recipes_density``."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn


class Recipe(nn.Module):
    batch = 128

    @abstractmethod
    def step(self, x: Tensor, labels: Tensor) -> None: ...

    def draw(self, n: int) -> Tensor:
        """(n, 1, 28, 28); of a recipe that is told classes, of the classes 0, 1 ... 9, 0, 1 ..."""
        raise NotImplementedError

    def translate(self, x: Tensor, to: int) -> Tensor:
        """Pictures of the other kind made to look like kind ``to``: what a recipe does that does not draw."""
        raise NotImplementedError

    def nats(self, x: Tensor) -> Tensor:
        """How likely a picture of whole grey values is (n,): of a recipe that knows it."""
        raise NotImplementedError


def down(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def wide(*widths: int, norm: bool = False) -> list[nn.Module]:
    """Perceptrons with leaky rectifiers, the last layer linear."""
    layers: list[nn.Module] = []
    for given, wanted in pairwise(widths):
        layers += [nn.Linear(given, wanted), *([nn.BatchNorm1d(wanted)] if norm else []), nn.LeakyReLU(0.2)]
    return layers[: -2 if norm else -1]
