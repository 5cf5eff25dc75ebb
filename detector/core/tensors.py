"""State of networks and optimisers as tensors by name, for a format that holds nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + k: v for k, v in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those with the prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What it remembers of each parameter, as NUMBER.NAME; its settings are those it is made with again."""
    states = optimiser.state_dict()["state"].items()
    return {f"{i}.{k}": v for i, state in states for k, v in state.items() if v is not None}


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
