"""Fitting the linear head of the semantic branch, and scores that no picture's own source has a part in.

So few pictures stand behind the head that a plain calibration split would flatter it. Instead every picture
is scored by heads that saw neither its generator nor its source of photos (leave one generator and one source
out), and those scores are what the calibration and the operating point are fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError
from detector.core.logistic import fit_logistic

Array = NDArray[np.float64]
RIDGE = 3e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """logit = ((embedding - mean) / scale) . weight + bias; all (d,) but the bias. ``distance`` of an
    embedding is the root mean square of its standardised values."""

    mean: Array
    scale: Array
    weight: Array
    bias: float

    def logits(self, embeddings: Array) -> Array:
        """(..., d) to (...)."""
        out: Array = ((embeddings - self.mean) / self.scale) @ self.weight + self.bias
        return out

    def distances(self, embeddings: Array) -> Array:
        out: Array = np.sqrt((((embeddings - self.mean) / self.scale) ** 2).mean(-1))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Embeddings (pictures, draws, d) of one set of pictures."""

    name: str
    fake: bool
    embeddings: Array


def fit_head(sets: Sequence[Embedded], *, ridge: float = RIDGE) -> Head:
    """Logistic regression; every set of a class weighs the same, and both classes do. Raises
    ``CalibrationError`` for fewer than one set of a class."""
    if {s.fake for s in sets} != {True, False}:
        raise CalibrationError("the head needs photos and generated pictures")
    x = np.concatenate([s.embeddings.reshape(-1, s.embeddings.shape[-1]) for s in sets])
    y = np.concatenate([np.full(s.embeddings[..., 0].size, float(s.fake)) for s in sets])
    per_class = {fake: sum(s.fake is fake for s in sets) for fake in (True, False)}
    w = np.concatenate(
        [
            np.full(s.embeddings[..., 0].size, 0.5 / per_class[s.fake] / s.embeddings[..., 0].size)
            for s in sets
        ]
    )
    mean = w @ x
    scale = np.sqrt(w @ (x - mean) ** 2) + 1e-6
    penalty = np.append(np.full(x.shape[1], 2 * ridge), 0.0)
    weight = fit_logistic(np.column_stack([(x - mean) / scale, np.ones(len(x))]), y, penalty, w)
    return Head(
        mean=_stored(mean),
        scale=_stored(scale),
        weight=_stored(weight[:-1]),
        bias=float(np.float32(weight[-1])),
    )


def _stored(x: Array) -> Array:
    """The values that a file keeps, so that a loaded head scores as the fitted one did."""
    return x.astype(np.float32).astype(np.float64)


def left_out_scores(sets: Sequence[Embedded], *, ridge: float = RIDGE) -> dict[str, Array]:
    """Set name to scores (pictures, draws): means over heads that saw neither this set nor one set of the
    other class. Raises ``CalibrationError`` for fewer than two sets of a class."""
    reals, fakes = [s for s in sets if not s.fake], [s for s in sets if s.fake]
    if min(len(reals), len(fakes)) < 2:
        raise CalibrationError("leaving one out needs two sources of photos and two generators")
    sums: dict[str, list[Array]] = {s.name: [] for s in sets}
    for real in reals:
        for fake in fakes:
            head = fit_head([s for s in sets if s is not real and s is not fake], ridge=ridge)
            for s in (real, fake):
                sums[s.name].append(head.logits(s.embeddings))
    return {name: np.mean(each, 0) for name, each in sums.items()}
