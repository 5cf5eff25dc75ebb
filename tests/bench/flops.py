"""How much arithmetic one training step is: counted on meta tensors, which have shapes and no values.

What is counted are the multiplications and additions of convolutions and matrix products as the step runs
them, backward and double backward included; everything else is small beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from detector.core.errors import NotApplicable
from detector.generators import make_family
from detector.generators.family import Recordable
from detector.generators.spec import Spec


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out


class _Idle(torch.optim.Optimizer):
    """Takes no step: there is nothing to move on the meta device."""

    def __init__(self, parameters: list[torch.nn.Parameter]) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Callable[[], float] | None = None) -> None:
        return None


def flops_per_picture(name: str, spec: Spec | None = None, **overrides: Any) -> float:
    """Floating-point operations of one training step of a family, divided by the pictures of its batch.
    Raises ``NotApplicable`` for a family whose step cannot be told apart from its chance."""
    with torch.device("meta"):
        family = make_family(name, spec=spec, **overrides)
    if not isinstance(family, Recordable):
        raise NotApplicable(f"the step of {name} cannot be counted")
    size, family_spec = family.spec.batch, family.spec
    draws = {k: v.to("meta") for k, v in family.draws(size, torch.Generator()).items()}
    real = torch.empty(size, family_spec.channels, family_spec.side, family_spec.side, device="meta")
    labels: Tensor | None = None
    if family_spec.classes:
        labels = torch.empty(size, dtype=torch.int64, device="meta")
    idle = tuple(_Idle(list(family.parameters())) for _ in range(2))
    with _Counter() as counter:
        family.step(idle, real, labels, draws)
    return float(counter.flops) / size
