"""Sixteen pictures that every family can learn by heart, and a loop without budget or files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from detector.generators.family import Family
from detector.generators.spec import Spec


def sixteen(side: int, channels: int = 3) -> Tensor:
    """Discs of different place, size and colour on plain ground: uint8 values as floats in -1..1."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:side, 0:side] / side
    out = []
    for _ in range(16):
        cy, cx, r = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.35)
        ground, disc = rng.uniform(0, 255, (2, channels, 1, 1))
        soft = 1 / (1 + np.exp(((y - cy) ** 2 + (x - cx) ** 2 - r**2) * 60))
        out.append(ground + (disc - ground) * soft)
    return torch.from_numpy(np.stack(out)).round().float() / 127.5 - 1


@torch.enable_grad()
def train(
    make: Callable[[Spec], Family], spec: Spec, pictures: Tensor, *, steps: int, seed: int = 0
) -> tuple[Family, list[dict[str, float]]]:
    """The same pictures at every step, in full precision. Gives back the family, evaluating, and its log."""
    torch.manual_seed(seed)
    family = make(spec).train()
    optimisers = family.optimisers()
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(pictures)) % spec.classes if spec.classes else None
    log = []
    for _ in range(steps):
        losses = family.train_step(optimisers, pictures, labels, rng)
        log.append({k: float(v) for k, v in losses.items()})
    return family.eval(), log
