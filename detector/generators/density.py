"""From densities over real numbers to probabilities of uint8 pictures.

A picture in -1..1 has steps of 1/127.5. A density model never sees the steps: uniform noise of one step's
width is added (Theis, van den Oord and Bethge 2016, section 3.1), and by Jensen's inequality the mean over
that noise of ``log p(x + noise) + D log(1/127.5)`` is at most the log-probability of the uint8 picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

STEP = 1 / 127.5


def step_noise(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Uniform within half a step to either side, to be added to a picture."""
    return (torch.rand(shape, generator=rng) - 0.5) * STEP


def step_nats(x: Tensor) -> float:
    """``D log(1/127.5)``: what turns the log-density of a picture into a log-probability, nats."""
    return x[0].numel() * math.log(STEP)


def log_normal(x: Tensor, mean: Tensor | float = 0.0, log_sigma: Tensor | float = 0.0) -> Tensor:
    """log N(x; mean, sigma^2 I), summed over all but the first dimension."""
    s = torch.as_tensor(log_sigma, dtype=x.dtype, device=x.device)
    nats = -0.5 * ((x - mean) / s.exp()).square() - s - 0.5 * math.log(2 * math.pi)
    return nats.flatten(1).sum(1)
