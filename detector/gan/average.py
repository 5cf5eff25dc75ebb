"""The exponential moving average of the weights that sample."""

from __future__ import annotations

import torch
from torch import nn


class Average:
    """Parameters and buffers of one module, averaged with ``decay`` per step; with decay 0 there is nothing
    to average and nothing is kept. The first steps count for less, so that the average soon forgets the
    initial weights: decay_t = min(decay, (1 + t) / (10 + t))."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module, self._decay = module, decay
        self.tensors = {k: v.detach().clone() for k, v in module.state_dict().items()} if decay else {}

    @torch.no_grad()
    def update(self, step: int) -> None:
        if not self._decay:
            return
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        now = self._module.state_dict()
        for key, mean in self.tensors.items():
            if mean.is_floating_point():
                mean.lerp_(now[key], weight)
            else:
                mean.copy_(now[key])

    def put_in_place(self) -> None:
        if self._decay:
            self._module.load_state_dict(self.tensors)
