"""What one detector said in one view, group by group, and measures in which every group weighs alike.

A group is a source of real pictures or a generator. Pictures of a group are alike, so a group of a thousand
says no more than one of fifty: nothing here pools them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.logistic import fit_logistic
from detector.core.metrics import Array
from detector.lab.benchmark.said import Opinion, Outcome, Said
from detector.lab.benchmark.showing import Look
from detector.lab.trial.pictures import Picture

SMALL = 5  # groups with fewer pictures are taken together
_FOLDS = 5
_PENALTY = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``n`` pictures were shown; ``scores`` of those that were scored, ``llrs`` natural logarithms where the
    detector gives such; ``opinions`` counts its own answers."""

    name: str
    fake: bool
    n: int
    scores: Array
    llrs: Array
    failed: int
    abstained: int
    opinions: Mapping[str, int]

    @property
    def at_worst(self) -> Array:
        """As if every picture without a score had been scored as wrongly as can be."""
        lacking = self.n - len(self.scores)
        return np.concatenate([self.scores, np.full(lacking, -math.inf if self.fake else math.inf)])


def group_names(pictures: Sequence[Picture]) -> dict[str, tuple[bool, str]]:
    """Class and group of each digest."""
    counts: dict[tuple[bool, str], int] = {}
    for p in pictures:
        counts[p.fake, p.source] = counts.get((p.fake, p.source), 0) + 1
    small = f"groups with fewer than {SMALL}"
    return {p.sha256: (p.fake, p.source if counts[p.fake, p.source] >= SMALL else small) for p in pictures}


def groups_of(
    names: Mapping[str, tuple[bool, str]], looks: Mapping[tuple[str, str], Look], view: str,
    said: Mapping[str, Said],
) -> tuple[Group, ...]:  # fmt: skip
    """``said``: by digest, in that view. Real groups first, each by name; groups that the view cannot show
    are left out."""
    members: dict[tuple[bool, str], list[Said]] = {}
    for sha256, key in sorted(names.items()):
        if not looks[sha256, view].reason:
            members.setdefault(key, []).append(said[sha256])
    return tuple(_group(key, members[key]) for key in sorted(members))


def _group(key: tuple[bool, str], said: Sequence[Said]) -> Group:
    opinions = {v.value: sum(s.opinion is v for s in said) for v in Opinion}
    return Group(
        name=key[1], fake=key[0], n=len(said),
        scores=np.array([s.score for s in said if s.score is not None], np.float64),
        llrs=np.array([s.llr for s in said if s.llr is not None], np.float64),
        failed=sum(s.outcome is Outcome.FAILED for s in said),
        abstained=sum(s.outcome is Outcome.ABSTAINED for s in said),
        opinions=opinions if any(s.opinion for s in said) else {},
    )  # fmt: skip


def places(real: Sequence[Array], fake: Array) -> Array:
    """For each generated picture the share of real ones below it, ties half, every real group alike."""
    values = np.concatenate(real)
    weights = np.concatenate([np.full(len(g), 1 / (len(g) * len(real))) for g in real])
    order = np.argsort(values, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(weights[order])])
    ordered = values[order]
    left, right = (below[np.searchsorted(ordered, fake, side)] for side in ("left", "right"))
    return np.asarray((left + right) / 2)


def mean_auc(real: Sequence[Array], fake: Sequence[Array]) -> float:
    """Mean over generators of the probability that one of its pictures scores above a picture of a real group
    that is drawn first."""
    return float(np.mean([places(real, g).mean() for g in fake]))


def threshold(real: Sequence[Array], share: float) -> float:
    """The lowest score that at most such a share of real pictures lies above, every group alike."""
    values = np.concatenate(real)
    weights = np.concatenate([np.full(len(g), 1 / (len(g) * len(real))) for g in real])
    order = np.argsort(-values, kind="stable")
    ordered, above = values[order], np.cumsum(weights[order])
    within = above <= share + 1e-12
    # Of equal scores all lie above a threshold or none does.
    last = np.append(ordered[1:] != ordered[:-1], True)
    allowed = np.flatnonzero(within & last)
    first_not = allowed[-1] + 1 if len(allowed) else 0
    return float(ordered[first_not]) if first_not < len(ordered) else -math.inf


def mean_recall(real: Sequence[Array], fake: Sequence[Array], share: float) -> float:
    at = threshold(real, share)
    return float(np.mean([(g > at).mean() for g in fake]))


def mean_cllr(real: Sequence[Array], fake: Sequence[Array]) -> float:
    """Cost of natural log-likelihood ratios in bits, every group alike (``detector.core.metrics.cllr``)."""
    missed = np.mean([np.logaddexp(0, -g).mean() for g in fake])
    alarm = np.mean([np.logaddexp(0, g).mean() for g in real])
    return float((missed + alarm) / (2 * math.log(2)))


def left_out_llrs(real: Sequence[Array], fake: Sequence[Array]) -> tuple[list[Array], list[Array]] | None:
    """Scores as log-likelihood ratios of lines (logistic regression) that saw nothing of the group; None
    where a class has one group, because then nothing can be left out."""
    folds = min(_FOLDS, len(real), len(fake))
    if folds < 2:
        return None
    out: list[list[Array]] = [[np.array([])] * len(real), [np.array([])] * len(fake)]
    for fold in range(folds):
        taught = [[g for n, g in enumerate(groups) if n % folds != fold] for groups in (real, fake)]
        line = _line(*taught)
        for groups, found in zip((real, fake), out, strict=True):
            for n in range(fold, len(groups), folds):
                found[n] = line[0] * groups[n] + line[1]
    return out[0], out[1]


def _line(real: Sequence[Array], fake: Sequence[Array]) -> tuple[float, float]:
    """Slope, never below zero, and intercept."""
    values = np.concatenate([*real, *fake])
    labels = np.repeat([0.0, 1.0], [sum(map(len, real)), sum(map(len, fake))])
    shares = np.concatenate([np.full(len(g), 0.5 / (len(g) * len(c))) for c in (real, fake) for g in c])
    middle, spread = float(np.median(values)), float(np.std(values)) or 1.0
    design = np.stack([np.clip((values - middle) / spread, -10, 10), np.ones(len(values))], axis=1)
    theta = fit_logistic(design, labels, np.array([_PENALTY, 0.0]), shares)
    slope = max(0.0, float(theta[0])) / spread
    return slope, (float(theta[1]) - slope * middle if slope else 0.0)
