"""The exponential moving average of weights."""

from __future__ import annotations

import torch
from torch import nn


class Average:
    """Parameters and buffers of one module, averaged with ``decay`` per step. The first steps count for less,
    so that the average soon forgets the initial weights: decay_t = min(decay, (1 + t) / (10 + t)). With
    ``into``, a copy of the module, the average is kept in its tensors; without it and with decay 0 there is
    nothing to average and nothing is kept."""

    def __init__(self, module: nn.Module, decay: float, *, into: nn.Module | None = None) -> None:
        self._module, self._decay = module, decay
        kept = {} if into is None else into.state_dict()
        # Shares memory with the module, whatever is loaded later.
        now = module.state_dict() if decay or kept else {}
        self.tensors = {k: kept[k].detach() if into else v.detach().clone() for k, v in now.items()}
        self._smooth = [(self.tensors[k], v) for k, v in now.items() if v.is_floating_point()]
        self._counts = [(self.tensors[k], v) for k, v in now.items() if not v.is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        if not self.tensors:
            return
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        # All tensors in one kernel where there is one; torch's own averages are made like this.
        torch._foreach_lerp_([m for m, _ in self._smooth], [v for _, v in self._smooth], weight)
        for mean, now in self._counts:
            mean.copy_(now)

    def put_in_place(self) -> None:
        if self.tensors:
            self._module.load_state_dict(self.tensors)
