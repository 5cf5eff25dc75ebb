"""The step of every family with one loss and one optimiser."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from detector.generators.adversarial import Draws, Losses, descend
from detector.generators.family import Recordable


class Minimised(Recordable):
    """A family says what is random in a step and names the terms of its loss; their sum is minimised."""

    @abstractmethod
    def terms(self, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of the loss, each a number."""

    def step(
        self,
        optimisers: tuple[torch.optim.Optimizer, ...],
        real: Tensor,
        labels: Tensor | None,
        draws: Draws,
    ) -> Losses:
        terms = self.terms(real, labels, draws)
        descend(optimisers[0], terms)
        return {k: v.detach() for k, v in terms.items()}
