"""Joining two score tables: the ratios that a report would print of both, one logistic fit, a table of its
own.

Both tables hold scores of heads and networks that saw neither generator nor source, and their ratios come
from lines that did not either, so the fit is on pictures that neither detector was fitted on. The joint
score of a picture comes from a fit without its source and generator too, and calibration then reads the new
table as it reads any other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, CorpusError
from detector.core.files import read_file
from detector.core.logistic import fit_logistic
from detector.core.metrics import Estimate, cllr
from detector.lab.steps.calibrate_table import calibrate_table
from detector.lab.steps.judge_table import mixed, unknown_share
from detector.lab.steps.score_fit import Array, Mask, Table, apart, crossed, folds_of, table_of, weighing
from detector.lab.steps.scores import ScoreRow, read_scores
from detector.models.card import Judged, ModelCard, open_card
from detector.models.guarantees import Guarantees
from detector.models.joint import Dependence, JointCard, Part
from detector.models.kinds import Kind
from detector.models.registry import JOINT_MODEL

_RIDGE = 1e-3
_LEAST = 30  # pictures behind a correlation
_SLACK = 0.005  # of a Cllr: what refitting a line moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One detector: its card (calibrated), its score table, and its limit of kinds and whether its ratio is
    given them, as in ``calibrate_table``."""

    card: ModelCard
    rows: Sequence[ScoreRow]
    kind_limit: float | None
    given_kind: bool = True


def side_of_run(folder: Path, model_id: str) -> Side:
    """A run folder whose weights are those that ship: its left-out table. Raises ``CorpusError`` for other
    weights, ``FileFailed`` and ``ModelUnavailable``."""
    card = open_card(model_id)
    ran = hashlib.sha256(read_file(folder / f"{model_id}.safetensors", f"{model_id}.safetensors")).hexdigest()
    if ran != card.weights_sha256:
        raise CorpusError(f"the run made other weights than the {model_id} that ships")
    limit = card.guarantees.kind_limit if card.guarantees else None
    return Side(card=card, rows=read_scores(folder / "left-out.csv"), kind_limit=limit)


def join_tables(
    first: Side, second: Side, *, faces: Collection[str] | None = None, rounds: int = 100
) -> JointCard:
    """``first`` is the one that tells kinds apart. Pictures that stand in both tables in the same view
    count. Raises ``CalibrationError`` where too few do, or nothing is gained: no joint detector may silence
    what a part vouches for alone, nor cost more than the first one does."""
    both = {(r.sha256, r.view) for r in first.rows} & {(r.sha256, r.view) for r in second.rows}
    tables = [_shared(side, both) for side in (first, second)]
    given = [t if s.given_kind else t.blind() for s, t in zip((first, second), tables, strict=True)]
    ratios = np.stack([_printed(t) for t in given], 1)
    table = tables[0]
    *weights, start = map(float, _fit(table, ratios, np.ones(len(ratios), bool)))
    scores = start + sum(weights) * _directed(table, ratios)
    joined = [replace(r, logit=float(s)) for r, s in zip(table.rows, scores, strict=True)]
    parts = calibrate_table(joined, first.kind_limit, faces=faces, given_kind=first.given_kind, rounds=rounds)
    _refuse_silence(parts.guarantees, [first.card, second.card])
    _refuse_loss(parts.judged, given[0], ratios[:, 0])
    cards = (first.card, second.card)
    return JointCard(
        model_id=JOINT_MODEL, question="synthetic", start=start, calibration=parts.calibration,
        guarantees=parts.guarantees, judged=parts.judged,
        parts=tuple(
            Part(
                model_id=c.model_id, weights_sha256=c.weights_sha256,
                calibration_id=c.calibration.calibration_id, weight=w,
            )
            for c, w in zip(cards, weights, strict=True)
        ),
        dependence=tuple(_dependence(table, ratios, (cards[0].model_id, cards[1].model_id))),
    )  # fmt: skip


def _directed(table: Table, ratios: Array) -> Array:
    """Both ratios by the weights of fits that saw neither source nor generator, these weights adding up to 1:
    how much one of them counts beside the other is all that is taken from such a fit. Its scale would differ
    from fold to fold, and the line that is fitted on the joint score finds a scale anyway."""
    out, fold = np.empty(len(ratios)), folds_of(table)
    for n in np.unique(fold):
        others, mine = apart(table, fold, int(n)), fold == n
        weights = _fit(table, ratios, others)[:-1]
        out[mine] = ratios[mine] @ (weights / weights.sum())
    return out


def _refuse_loss(joint: Sequence[Judged], table: Table, ratios: Array) -> None:
    """A joint ratio has to be worth more than the first detector's alone, on the same pictures: mean Cllr
    over the views."""
    views = np.array([r.view for r in table.rows])
    alone = [
        cllr(ratios[(views == j.view) & ~table.fake], ratios[(views == j.view) & table.fake]) for j in joint
    ]
    before, after = float(np.mean(alone)), float(np.mean([j.cllr.value for j in joint]))
    if after > before + _SLACK:
        raise CalibrationError(
            f"the joint ratio costs more than that of the first detector alone: {after:.3f}, {before:.3f}"
        )


def _refuse_silence(joint: Guarantees, cards: Sequence[ModelCard]) -> None:
    """A joint detector answers in place of its parts; one that certifies fewer kinds would take answers
    away."""
    certified = {c.kind for c in joint.supports if c.log10_ratio is not None}
    for card in cards:
        alone = card.guarantees.supports if card.guarantees else ()
        if lost := {c.kind for c in alone if c.log10_ratio is not None and c.kind is not None} - certified:
            names = ", ".join(sorted(k.value for k in lost))
            raise CalibrationError(
                f"too few pictures stand in both tables: {card.model_id} vouches for answers to {names}, "
                "the joint ratio does not"
            )


def _shared(side: Side, both: set[tuple[str, str]]) -> Table:
    rows = sorted((r for r in side.rows if (r.sha256, r.view) in both), key=lambda r: (r.sha256, r.view))
    if not rows:
        raise CalibrationError("no picture stands in both tables in the same view")
    return table_of(rows, side.kind_limit)


def _printed(table: Table) -> Array:
    """Natural log ratios as a report prints them, of lines that saw neither source nor generator."""
    line = crossed(table)
    return mixed(table, line, unknown_share(table, line))


def _columns(ratios: Array) -> Array:
    return np.column_stack([ratios, np.ones(len(ratios))])


def _fit(table: Table, ratios: Array, mask: Mask) -> Array:
    """Weights of both ratios, and the start. Raises ``CalibrationError``."""
    part = table.of(mask)
    w = weighing(part).balanced()
    used = w > 0
    penalty = np.array([_RIDGE, _RIDGE, 0.0])
    return fit_logistic(_columns(ratios[mask])[used], part.fake[used].astype(float), penalty, w[used])


def _dependence(table: Table, ratios: Array, parts: tuple[str, str]) -> Iterator[Dependence]:
    views = np.array([r.view for r in table.rows])
    kinds = np.array([k.value if k else "" for k in table.kinds])
    for view in dict.fromkeys(views.tolist()):
        for fake in (False, True):
            for kind in (None, *Kind):
                mine = (views == view) & (table.fake == fake) & (kinds == kind.value if kind else True)
                if mine.sum() >= _LEAST:
                    found = _correlation(ratios[mine])
                    yield Dependence(parts=parts, kind=kind, fake=fake, view=view, correlation=found)


def _correlation(pairs: NDArray[np.float64]) -> Estimate:
    """Pearson's, with Fisher's interval, which takes every picture for itself. 0 where one ratio is
    constant."""
    n = len(pairs)
    first, second = pairs.T
    r = float(np.corrcoef(first, second)[0, 1]) if min(first.std(), second.std()) > 0 else 0.0
    z, half = math.atanh(max(-0.999999, min(0.999999, r))), 1.959964 / math.sqrt(n - 3)
    return Estimate(value=r, low=math.tanh(z - half), high=math.tanh(z + half), n=n)
