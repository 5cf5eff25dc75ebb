"""What a trial measures, from what was scored; nothing is scored here.

An interval covers both the choice of pictures and the choice of sub-folders: each resample draws sub-folders
of a class with replacement, and of each its pictures. For the row of one sub-folder its own pictures are
drawn alone, against such resamples of the real ones. Where a class has one sub-folder, an interval knows
nothing of how sub-folders differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.metrics import Array, Estimate, auc, cllr, cllr_min, nested, true_positives
from detector.lab.steps.evaluation import PictureScore, answered
from detector.lab.trial.columns import Column
from detector.models.card import SetResult

FALSE_ALARMS = 0.02
UNKNOWN = "unknown"
ROUNDS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNumbers:
    """One sub-folder. The figures against all real pictures are None for a real one, and where nothing was
    scored. ``recall`` is the share found while ``FALSE_ALARMS`` of the real pictures are, ``cllr`` is of the
    ratios as a report prints them, in bits."""

    result: SetResult
    recall: Estimate | None = None
    cllr: float | None = None
    cllr_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """One detector in one view. ``auc``, ``recall``, ``cllr`` and ``cllr_min`` are over all pictures,
    ``macro_auc`` is the mean over the generated sub-folders; None where a class has no score. Generated
    sub-folders come first in ``sources``. ``kinds`` has the answers by what a picture is taken for, both
    classes apart; empty for a detector that does not tell kinds apart."""

    detector: str
    view: str
    sources: tuple[SourceNumbers, ...]
    kinds: tuple[SetResult, ...]
    auc: Estimate | None
    macro_auc: Estimate | None
    recall: Estimate | None
    cllr: Estimate | None
    cllr_min: float | None

    @property
    def results(self) -> tuple[SetResult, ...]:
        return tuple(s.result for s in self.sources)


def measured(column: Column) -> Numbers:
    """All numbers of one detector in one view. Deterministic."""
    logits = _Classes(column.logits(fake=False), column.logits(fake=True))
    ratios = _Classes(column.ratios(fake=False), column.ratios(fake=True))
    names = dict.fromkeys((r.fake, r.set_name) for r in column.rows)
    return Numbers(
        detector=column.detector, view=column.view,
        sources=tuple(
            _source(column, name, fake, logits, ratios)
            for fake, name in sorted(names, key=lambda n: not n[0])
        ),
        kinds=_by_kind(column), auc=logits.estimate(_pooled(auc)), macro_auc=logits.estimate(_macro(auc)),
        recall=logits.estimate(_pooled(_recall)), cllr=ratios.estimate(_pooled(cllr)),
        cllr_min=ratios.of(_pooled(cllr_min)),
    )  # fmt: skip


def _source(column: Column, name: str, fake: bool, logits: _Classes, ratios: _Classes) -> SourceNumbers:
    mine = [r for r in column.rows if r.set_name == name and r.fake is fake]
    return SourceNumbers(
        result=answered(mine, name, logits.one(name, auc) if fake else None),
        recall=logits.one(name, _recall) if fake else None,
        cllr=ratios.only(name, cllr) if fake else None,
        cllr_min=ratios.only(name, cllr_min) if fake else None,
    )  # fmt: skip


def _by_kind(column: Column) -> tuple[SetResult, ...]:
    if not any(column.kinds):
        return ()
    parts: dict[tuple[str, bool], list[PictureScore]] = {}
    for row, kind in zip(column.rows, column.kinds, strict=True):
        parts.setdefault((kind or UNKNOWN, row.fake), []).append(row)
    return tuple(answered(mine, kind, None) for (kind, _), mine in sorted(parts.items()))


def _recall(real: Array, fake: Array) -> float:
    return true_positives(real, fake, false_positives=FALSE_ALARMS)


Plain = Callable[[Array, Array], float]  # of all real, of generated pictures
ByPart = Callable[[Array, Sequence[Array]], float]  # of all real pictures, of generated ones by sub-folder


def _pooled(measure: Plain) -> ByPart:
    return lambda real, parts: measure(real, np.concatenate(parts))


def _macro(measure: Plain) -> ByPart:
    return lambda real, parts: float(np.mean([measure(real, part) for part in parts]))


class _Classes:
    """Values of both classes by sub-folder, and resamples of them, which all estimates share."""

    def __init__(self, real: dict[str, Array], fake: dict[str, Array]) -> None:
        self._fake = fake
        self._real = np.concatenate([*real.values(), np.array([])])
        rng = np.random.default_rng(0)
        rounds = range(ROUNDS if real and fake else 0)
        self._reals = [np.concatenate(nested([*real.values()], rng)) for _ in rounds]
        self._fakes = [nested([*fake.values()], rng) for _ in rounds]

    def of(self, measure: ByPart) -> float | None:
        return measure(self._real, [*self._fake.values()]) if self._reals else None

    def estimate(self, measure: ByPart) -> Estimate | None:
        value = self.of(measure)
        if value is None:
            return None
        n = len(self._real) + sum(map(len, self._fake.values()))
        drawn = [measure(r, f) for r, f in zip(self._reals, self._fakes, strict=True)]
        return _with_interval(value, drawn, n)

    def only(self, name: str, measure: Plain) -> float | None:
        return measure(self._real, self._fake[name]) if self._reals and name in self._fake else None

    def one(self, name: str, measure: Plain) -> Estimate | None:
        value = self.only(name, measure)
        if value is None:
            return None
        own, rng = self._fake[name], np.random.default_rng(1)
        drawn = [measure(real, rng.choice(own, len(own))) for real in self._reals]
        return _with_interval(value, drawn, len(self._real) + len(own))


def _with_interval(value: float, drawn: Sequence[float], n: int) -> Estimate:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value=value, low=float(low), high=float(high), n=n)
