"""Measures of a score, in numpy: what is measured, never what to do about it.

Log-likelihood ratios are natural logarithms here. Cllr is from Brummer and du Preez, "Application-independent
evaluation of speaker detection" (2006): 0 is perfect, 1 is what "I cannot say" costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError

Array = NDArray[np.float64]
# Which photo each picture was cut from, or None where every picture stands for itself. Tiles of one photo are
# alike; whoever takes them for independent finds differences where there are none.
Groups = NDArray[np.int64] | None
APART: tuple[Groups, Groups] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval and the items it rests on."""

    value: float
    low: float
    high: float
    n: int


def auc(real: Array, fake: Array) -> float:
    """Probability that a fake scores above a real picture, ties counted half. Below 0.5 it is inverted, and
    stays so: never ``max(auc, 1 - auc)``. Raises ``CalibrationError`` for an empty class."""
    _need_both(real, fake)
    ordered = np.sort(real)
    # A fake picture that ties with a real one is half above it.
    below = np.searchsorted(ordered, fake, "left") + np.searchsorted(ordered, fake, "right")
    return float(below.sum() / (2 * len(real) * len(fake)))


def cllr(real_llr: Array, fake_llr: Array) -> float:
    """Cost of log-likelihood ratios in bits. Raises ``CalibrationError`` for an empty class."""
    _need_both(real_llr, fake_llr)
    missed = np.logaddexp(0, -fake_llr).mean()
    false_alarm = np.logaddexp(0, real_llr).mean()
    return float((missed + false_alarm) / (2 * math.log(2)))


def cllr_min(real: Array, fake: Array) -> float:
    """Cllr after the best monotone calibration (pool adjacent violators): what the ranking alone could
    give."""
    _need_both(real, fake)
    scores = np.concatenate([real, fake])
    labels = np.concatenate([np.zeros(len(real)), np.ones(len(fake))])
    _, inverse = np.unique(scores, return_inverse=True)
    weight = np.bincount(inverse).astype(float)
    posterior = pool_adjacent_violators(np.bincount(inverse, labels) / weight, weight)[inverse]
    with np.errstate(divide="ignore"):
        llr = np.log(posterior) - np.log1p(-posterior) - math.log(len(fake) / len(real))
    missed = np.logaddexp(0, -llr[labels == 1]).mean()
    false_alarm = np.logaddexp(0, llr[labels == 0]).mean()
    return float((missed + false_alarm) / (2 * math.log(2)))


def pool_adjacent_violators(values: Array, weights: Array) -> Array:
    """The closest non-decreasing sequence by weighted squares (isotonic regression)."""
    means: list[float] = []
    sizes: list[float] = []
    counts: list[int] = []
    for v, w in zip(values, weights, strict=True):
        mean, size, count = float(v), float(w), 1
        while means and means[-1] >= mean:
            size_before = sizes.pop()
            mean = (means.pop() * size_before + mean * size) / (size_before + size)
            size, count = size + size_before, count + counts.pop()
        means.append(mean)
        sizes.append(size)
        counts.append(count)
    return np.repeat(means, counts)


def bootstrap(
    measure: Callable[[Array, Array], float],
    real: Array,
    fake: Array,
    *,
    seed: int = 0,
    rounds: int = 1000,
    groups: tuple[Groups, Groups] = APART,
) -> Estimate:
    """95 % percentile interval over resamples of both classes; ``groups`` are drawn whole."""
    rng = np.random.default_rng(seed)
    draws = [resampler(x, g) for x, g in zip((real, fake), groups, strict=True)]
    values = [measure(draws[0](rng), draws[1](rng)) for _ in range(rounds)]
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(value=measure(real, fake), low=float(low), high=float(high), n=len(real) + len(fake))


def resampler(x: Array, groups: Groups) -> Callable[[np.random.Generator], Array]:
    """Draws as many items, or as many groups, as there are, each as often as chance has it."""
    if groups is None:
        return lambda rng: rng.choice(x, len(x))
    members = members_of(groups)

    def draw(rng: np.random.Generator) -> Array:
        chosen = rng.integers(len(members), size=len(members))
        out: Array = x[np.concatenate([members[i] for i in chosen])]
        return out

    return draw


def members_of(groups: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """The places of each group's items, groups ascending."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def nested(parts: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """One resample of two stages: as many parts as there are, each as often as chance has it, and of each
    that was drawn as many of its items."""
    chosen = rng.integers(len(parts), size=len(parts))
    return [rng.choice(parts[i], len(parts[i])) for i in chosen]


def halves(n: int, groups: Groups, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two halves by chance, of items or of whole groups: no group stands in both."""
    if groups is None:
        order = rng.permutation(n)
        return order[: n // 2], order[n // 2 :]
    members = members_of(groups)
    chosen = [members[i] for i in rng.permutation(len(members))]
    sizes = np.cumsum([len(m) for m in chosen])
    # Where the first half is nearest to half of the items, and neither half is empty.
    cut = 1 + int(np.argmin(np.abs(sizes[:-1] - n / 2))) if len(chosen) > 1 else 1
    return np.concatenate(chosen[:cut]), np.concatenate([*chosen[cut:], np.array([], np.intp)])


def proportion(hits: int, n: int) -> Estimate:
    """A rate with its Wilson interval. Raises ``CalibrationError`` for no items."""
    if n == 0:
        raise CalibrationError("a rate of no items does not exist")
    z = 1.959964
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(value=p, low=max(0.0, centre - half), high=min(1.0, centre + half), n=n)


def true_positives(real: Array, fake: Array, *, false_positives: float = 0.01) -> float:
    """Share of fakes above the threshold that at most a share ``false_positives`` of the real scores pass."""
    _need_both(real, fake)
    threshold = np.quantile(real, 1 - false_positives, method="higher")
    return float((fake > threshold).mean())


def roc(real: Array, fake: Array) -> tuple[Array, Array]:
    """False-positive and true-positive rates over all thresholds, from (0, 0) to (1, 1)."""
    thresholds = np.concatenate([[np.inf], np.unique(np.concatenate([real, fake]))[::-1]])
    false_positive = np.array([(real >= t).mean() for t in thresholds])
    true_positive = np.array([(fake >= t).mean() for t in thresholds])
    return false_positive, true_positive


def coverage_error(real_llr: Array, fake_llr: Array) -> tuple[Array, Array]:
    """Share of pictures answered, and share of wrong sides among them, where an answer wants a ratio of at
    least a threshold in either direction: one point for every threshold, from none answered to all. Both
    classes weigh the same. Raises ``CalibrationError`` for an empty class."""
    _need_both(real_llr, fake_llr)
    strength = np.concatenate([np.abs(real_llr), np.abs(fake_llr)])
    wrong = np.concatenate([real_llr >= 0, fake_llr <= 0])
    weight = np.repeat([0.5 / len(real_llr), 0.5 / len(fake_llr)], [len(real_llr), len(fake_llr)])
    order = np.argsort(-strength, kind="stable")
    answered = np.cumsum(weight[order])
    # Pictures of one strength are answered together.
    last = np.append(np.diff(strength[order]) != 0, True)
    return answered[last], np.cumsum((weight * wrong)[order])[last] / answered[last]


def _need_both(real: Array, fake: Array) -> None:
    if len(real) == 0 or len(fake) == 0:
        raise CalibrationError("both real and fake items are needed")
