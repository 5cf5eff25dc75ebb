"""From the numbers of many pictures to heads, and to the score of each picture by heads that saw nothing of
its like."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.logistic import fit_logistic
from detector.core.threads import one_thread
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.manifest import Row
from detector.lab.whole.fitting import Design, design_of, fit_binary, fit_content
from detector.lab.whole.folds import FOLDS, Folds, folds_of, making_of, shares_of
from detector.lab.whole.kinds import kind_of
from detector.lab.whole.views import View
from detector.models.semantic_head import KINDS, MAKINGS, Heads

Half = NDArray[np.float16]
Array = NDArray[np.float64]
# How often a making is met, against text-to-image: by it a head that finds little else costs few false
# alarms.
PRIORS = {"t2i": 1.0, "gan": 0.05, "edit": 0.05}
_LINE_RIDGE = 1e-4
_NEVER = -30.0  # log-odds of a making that nobody taught: nothing of it in the sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """``heads`` learned from all ``rows``; ``of_fold`` are those that each fold's pictures are scored by."""

    rows: tuple[Row, ...]
    folds: Folds
    heads: Heads
    of_fold: tuple[Heads, ...]


def apart_in(taught: Taught) -> Callable[[Row], int | None]:
    """For a picture that taught nothing: the first fold whose heads saw neither the family of its generator
    nor its source; None where none is left."""
    names = [(source_of(r), family_of(r.generator)) for r in taught.rows]
    seen = [
        {name for pair, may in zip(names, taught.folds.may_teach[:, k], strict=True) if may for name in pair}
        for k in range(FOLDS)
    ]

    def fold(row: Row) -> int | None:
        own = names_of([row])
        return next((k for k in range(FOLDS) if not own & seen[k]), None)

    return fold


def names_of(rows: Iterable[Row]) -> set[str]:
    """Their sources, and the families of their generators."""
    return {n for r in rows for n in (source_of(r), *((family_of(r.generator),) if r.fake else ()))}


def teach(rows: Sequence[Row], views: Mapping[View, Half]) -> Taught:
    """Heads from pictures whose numbers (rows, d) are given in each view; the first view calibrates them.
    A making that none of them shows is never answered. Raises ``CalibrationError`` where a fold lacks one of
    the others, or a class."""
    fake = np.array([r.fake for r in rows])
    makings = np.array([making_of(r) for r in rows])
    folds, shares = folds_of(rows), shares_of(rows)
    whom = np.concatenate([folds.may_teach, np.ones((len(rows), 1), bool)], 1)  # the last column: everybody
    balanced = shares.copy()
    for chosen in (fake, ~fake):
        balanced[chosen] /= balanced[chosen].sum()
    with one_thread():
        design = design_of(list(views.values()), balanced)
        met = [m for m in MAKINGS if (makings == m).any()]
        columns = [whom * (shares * (~fake | (makings == m)))[:, None] for m in met]
        theta, bias = fit_binary(design, fake, np.concatenate(columns, 1))
        kinds = np.array([KINDS.index(k) if (k := kind_of(r)) in KINDS else -1 for r in rows])
        content, content_bias = fit_content(design, kinds, whom * shares[:, None], len(KINDS))
    wide = FOLDS + 1
    joined = {m: (theta[:, i * wide :][:, :wide], bias[i * wide :][:wide]) for i, m in enumerate(met)}
    for making, (weights, biases) in joined.items():
        own = _own(design, folds, weights[:, :FOLDS], biases[:FOLDS])
        slope, intercept = _line(own, fake, makings == making, shares)
        joined[making] = (weights * slope, biases * slope + intercept + math.log(PRIORS[making]))
    never = (np.zeros_like(theta[:, :wide]), np.full(wide, _NEVER, np.float32))
    each = [joined.get(m, never) for m in MAKINGS]
    every = tuple(
        Heads(
            mean=design.mean, scale=design.scale,
            making=np.stack([w[:, k] for w, _ in each]).astype(np.float32),
            making_bias=np.array([b[k] for _, b in each], np.float32),
            content=np.ascontiguousarray(content[k].T), content_bias=content_bias[k],
        )
        for k in range(wide)
    )  # fmt: skip
    return Taught(rows=tuple(rows), folds=folds, heads=every[-1], of_fold=every[:-1])


def _own(design: Design, folds: Folds, theta: NDArray[np.float32], bias: NDArray[np.float32]) -> Array:
    """(n,): every picture in the first view by the head of its fold."""
    n = design.pictures
    every = (design.x[:n] @ torch.from_numpy(theta) + torch.from_numpy(bias)).numpy()
    out: Array = every[np.arange(n), folds.fold].astype(np.float64)
    return out


def _line(
    scores: Array, fake: NDArray[np.bool_], mine: NDArray[np.bool_], shares: Array
) -> tuple[float, float]:
    """Slope and intercept that make log-odds of left-out scores of one making, both classes alike."""
    used = mine | ~fake
    w = np.where(used, shares, 0.0)
    for chosen in (mine, ~fake):
        w[chosen] *= 0.5 / w[chosen].sum()
    design = np.column_stack([scores, np.ones(len(scores))])
    slope, intercept = fit_logistic(design, fake.astype(np.float64), np.array([_LINE_RIDGE, 0.0]), w)
    return float(slope), float(intercept)
