"""The figures of a benchmark, from what was said. 95 % intervals resample groups and, of each, pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from detector.core.metrics import Array, Estimate, nested
from detector.lab.benchmark.groups import (
    Group,
    left_out_llrs,
    mean_auc,
    mean_cllr,
    mean_recall,
    threshold,
)

FALSE_ALARMS = 0.02
CLEAR = math.log(10)  # from this strength on a ratio counts as an answer
MIN_WORST = 20  # pictures of a generator that may be called the worst
ROUNDS = 400

_Measure = Callable[[Sequence[Array], Sequence[Array]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """``auc`` and ``recall`` of a generator are against all real groups, ``auc`` of a real group is the mean
    over all generators against it alone; ``false_alarms`` of a real group: at the threshold that the other
    real groups set. None where nothing was scored."""

    name: str
    fake: bool
    n: int
    failed: int
    abstained: int
    opinions: Mapping[str, int]
    auc: Estimate | None
    recall: float | None
    false_alarms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """At ratios of ten or more either way, by lines that saw nothing of the group; shares of the pictures of
    a class, every group alike. ``wrong``: of what is answered, both classes alike; None without an answer."""

    generated: float
    real: float
    wrong: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One detector in one view. ``auc_at_worst``: every picture without a score counts as scored wrongly.
    ``cllr_given`` is of the detector's own ratios, ``cllr_left_out`` of its scores after lines that saw
    nothing of the group; in bits, 1 is the cost of saying nothing."""

    detector: str
    view: str
    groups: tuple[GroupFigures, ...]
    auc: Estimate | None
    auc_at_worst: float | None
    worst: str
    recall: Estimate | None
    false_alarms_left_out: float | None
    cllr_given: Estimate | None
    cllr_left_out: Estimate | None
    answers: Answers | None


def figures_of(detector: str, view: str, groups: Sequence[Group]) -> Figures:
    """Deterministic. A class in which nothing was scored leaves every figure of both classes None."""
    real, fake = ([g.scores for g in groups if g.fake is f and len(g.scores)] for f in (False, True))
    llrs = [[g.llrs for g in groups if g.fake is f and len(g.llrs)] for f in (False, True)]
    both = bool(real and fake)
    fitted = left_out_llrs(real, fake) if both else None
    shown = [[g.at_worst for g in groups if g.fake is f] for f in (False, True)]
    rows = tuple(_figures(g, groups) for g in groups)
    return Figures(
        detector=detector, view=view, groups=rows,
        auc=_estimate(mean_auc, real, fake) if both else None,
        auc_at_worst=mean_auc(*shown) if all(shown) else None, worst=_worst(rows),
        recall=_estimate(partial(mean_recall, share=FALSE_ALARMS), real, fake) if both else None,
        false_alarms_left_out=_mean([g.false_alarms for g in rows]),
        cllr_given=_estimate(mean_cllr, *llrs) if all(llrs) else None,
        cllr_left_out=_estimate(mean_cllr, *fitted) if fitted else None,
        answers=_answers(*fitted) if fitted else None,
    )  # fmt: skip


def _figures(group: Group, groups: Sequence[Group]) -> GroupFigures:
    others = [g.scores for g in groups if g.fake is not group.fake and len(g.scores)]
    beside = [g.scores for g in groups if not g.fake and g is not group and len(g.scores)]
    seen = bool(others) and len(group.scores) > 0
    recall = alarms = None
    if seen and group.fake:
        recall = float((group.scores > threshold(others, FALSE_ALARMS)).mean())
    if not group.fake and beside and len(group.scores):
        alarms = float((group.scores > threshold(beside, FALSE_ALARMS)).mean())
    return GroupFigures(
        name=group.name, fake=group.fake, n=group.n, failed=group.failed, abstained=group.abstained,
        opinions=group.opinions, auc=_auc(group, others) if seen else None,
        recall=recall,
        false_alarms=alarms,
    )  # fmt: skip


def _auc(group: Group, others: Sequence[Array]) -> Estimate:
    if group.fake:
        return _estimate(mean_auc, others, [group.scores])
    return _estimate(mean_auc, [group.scores], others)


def _estimate(measure: _Measure, real: Sequence[Array], fake: Sequence[Array]) -> Estimate:
    rng = np.random.default_rng(0)
    values = [measure(nested(real, rng), nested(fake, rng)) for _ in range(ROUNDS)]
    low, high = np.quantile(values, [0.025, 0.975])
    n = sum(map(len, real)) + sum(map(len, fake))
    return Estimate(value=measure(real, fake), low=float(low), high=float(high), n=n)


def _worst(rows: Sequence[GroupFigures]) -> str:
    able = [
        (g.auc.value, g.name) for g in rows if g.fake and g.auc and g.n - g.failed - g.abstained >= MIN_WORST
    ]
    return min(able)[1] if able else ""


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _answers(real: Sequence[Array], fake: Sequence[Array]) -> Answers:
    def share(groups: Sequence[Array], lowest: float, highest: float) -> float:
        return float(np.mean([((g >= lowest) & (g <= highest)).mean() for g in groups]))

    inf = math.inf
    alarms, cleared = share(real, CLEAR, inf), share(real, -inf, -CLEAR)
    found, missed = share(fake, CLEAR, inf), share(fake, -inf, -CLEAR)
    answered = alarms + cleared + found + missed
    wrong = (alarms + missed) / answered if answered else None
    return Answers(generated=found + missed, real=alarms + cleared, wrong=wrong)
