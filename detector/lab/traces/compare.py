"""Whether one detector separates better than another: two score tables of the same pictures.

Families of generators that have enough pictures in a view, each against all real pictures; the mean over
families, then over views. Intervals are of differences: families, sources of real pictures, and pictures of
both are drawn anew for both tables alike, so that what is hard for both is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import TooFewPictures
from detector.core.metrics import Array, Estimate, auc
from detector.lab.steps.scores import ScoreRow

MIN_FAMILY = 20
FALSE_ALARMS = 0.02
_ROUNDS = 1000

_Places = NDArray[np.intp]
_Groups = Mapping[str, _Places]  # name -> places of its pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure in both tables, and the interval of what it gained."""

    name: str
    before: float
    after: float
    gained: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``mean`` over ``views`` of the mean area over families; ``families`` by the mean of their areas over
    views. ``recall``: the mean share of a family beyond what ``FALSE_ALARMS`` of the real pictures pass, by
    view, before and after. ``real`` pictures count whatever their views."""

    real: int
    mean: Change
    views: tuple[Change, ...]
    families: tuple[Change, ...]
    recall: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Both:
    """``scores`` (table, view, picture), NaN where a picture has no score in that view."""

    views: tuple[str, ...]
    scores: Array
    sources: _Groups
    families: _Groups

    def areas(self, real: _Places, family: _Places) -> Array:
        """(table, view); NaN where a class is empty."""
        out = np.full(self.scores.shape[:2], np.nan)
        for table, view in np.ndindex(*out.shape):
            a, b = (_there(self.scores[table, view, places]) for places in (real, family))
            if len(a) and len(b):
                out[table, view] = auc(a, b)
        return out

    def counted(self, view: int) -> list[str]:
        return [
            name for name, places in self.families.items()
            if len(_there(self.scores[0, view, places])) >= MIN_FAMILY
        ]  # fmt: skip


def compare(
    before: Sequence[ScoreRow], after: Sequence[ScoreRow], *, rounds: int = _ROUNDS, seed: int = 0
) -> Comparison:
    """Deterministic; of pictures and views that both tables hold. Raises ``TooFewPictures``."""
    both = _joined(before, after)
    names = [n for n in both.families if any(n in both.counted(v) for v in range(len(both.views)))]
    if not names or not both.sources:
        raise TooFewPictures(f"no family has {MIN_FAMILY} pictures that both tables hold, beside real ones")
    real = np.concatenate(list(both.sources.values()))
    for v, view in enumerate(both.views):
        if not len(_there(both.scores[0, v, real])) or not both.counted(v):
            why = f"has no real pictures, or no family of {MIN_FAMILY}, that both tables hold"
            raise TooFewPictures(f"the view {view} {why}; leave its rows out of one table")
    now = _by_family(both, real, {n: both.families[n] for n in names})
    drawn: list[Array] = []
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        chosen = _drawn(both.sources, list(both.sources), rng)
        drawn.append(_by_family(both, chosen, {n: _again(both.families[n], rng) for n in names}))
    picks = rng.integers(len(names), size=(rounds, len(names)))
    drawn_families = [x[p] for x, p in zip(drawn, picks, strict=True)]
    alone = ((k, f"{name} ({len(both.families[name])})") for k, name in enumerate(names))
    return Comparison(
        real=len(real), recall=_recall(both, real), mean=_change("all views", now, drawn_families),
        views=tuple(
            _change(view, now[:, :, v : v + 1], [x[:, :, v : v + 1] for x in drawn_families])
            for v, view in enumerate(both.views)
        ),
        families=tuple(_change(name, now[k : k + 1], [x[k : k + 1] for x in drawn]) for k, name in alone),
    )  # fmt: skip


def _joined(before: Sequence[ScoreRow], after: Sequence[ScoreRow]) -> _Both:
    tables = [{(r.sha256, r.view): r.logit for r in rows} for rows in (before, after)]
    rows = [r for r in before if (r.sha256, r.view) in tables[1]]
    views = tuple(dict.fromkeys(r.view for r in rows))
    pictures = {r.sha256: r for r in rows}
    scores = np.full((2, len(views), len(pictures)), np.nan)
    for n, sha256 in enumerate(pictures):
        for v, view in enumerate(views):
            if (sha256, view) in tables[0] and (sha256, view) in tables[1]:
                scores[:, v, n] = [t[sha256, view] for t in tables]
    return _Both(
        views=views, scores=scores,
        sources=_grouped([None if r.fake else r.source for r in pictures.values()]),
        families=_grouped([r.generator if r.fake else None for r in pictures.values()]),
    )  # fmt: skip


def _grouped(names: Sequence[str | None]) -> _Groups:
    return {
        name: np.array([n for n, other in enumerate(names) if other == name], np.intp)
        for name in dict.fromkeys(names)
        if name is not None
    }


def _by_family(both: _Both, real: _Places, families: _Groups) -> Array:
    """(family, table, view); NaN where a family has too few pictures in a view to count."""
    out = np.array([both.areas(real, places) for places in families.values()])
    for v in range(len(both.views)):
        small = set(families) - set(both.counted(v))
        out[[k for k, name in enumerate(families) if name in small], :, v] = np.nan
    return out


def _again(places: _Places, rng: np.random.Generator) -> _Places:
    return rng.choice(places, len(places))


def _drawn(groups: _Groups, names: Sequence[str], rng: np.random.Generator) -> _Places:
    """As many groups as there are, and of each as many of its pictures."""
    chosen = rng.integers(len(names), size=len(names))
    return np.concatenate([_again(groups[names[i]], rng) for i in chosen])


def _change(name: str, now: Array, drawn: Sequence[Array]) -> Change:
    """Of areas (family, table, view)."""
    before, after = _overall(now)
    of_draws = np.array([_overall(x) for x in drawn])
    low, high = np.nanquantile(of_draws[:, 1] - of_draws[:, 0], [0.025, 0.975])
    gained = Estimate(value=float(after - before), low=float(low), high=float(high), n=len(now))
    return Change(name=name, before=float(before), after=float(after), gained=gained)


def _overall(areas: Array) -> Array:
    """(table,): the mean over families, then over views."""
    return _mean(_mean(areas, 0), 1)


def _mean(x: Array, axis: int) -> Array:
    """Of what is there; NaN where nothing is."""
    there = ~np.isnan(x)
    with np.errstate(invalid="ignore"):
        out: Array = np.where(there, x, 0.0).sum(axis) / there.sum(axis)
    return out


def _there(x: Array) -> Array:
    out: Array = x[~np.isnan(x)]
    return out


def _recall(both: _Both, real: _Places) -> dict[str, tuple[float, float]]:
    out = {}
    for v, view in enumerate(both.views):
        shares = []
        for table in range(2):
            point = np.quantile(_there(both.scores[table, v, real]), 1 - FALSE_ALARMS)
            found = [
                np.mean(_there(both.scores[table, v, both.families[n]]) > point) for n in both.counted(v)
            ]
            shares.append(float(np.mean(found)) if found else float("nan"))
        out[view] = (shares[0], shares[1])
    return out


def comparison_page(found: Comparison) -> str:
    """As Markdown tables."""
    lines = [
        f"{found.real} real pictures; families of {MIN_FAMILY} or more; 95 % intervals of the gain.", "",
        "| area, mean over families | before | after | gained |", "|---|---|---|---|",
        *(_row(c) for c in (found.mean, *found.views)), "",
        "| family (n), mean over views | before | after | gained |", "|---|---|---|---|",
        *(_row(c) for c in found.families), "",
        f"| found at {FALSE_ALARMS:.0%} false alarms, mean over families | before | after |", "|---|---|---|",
        *(f"| {view} | {a:.3f} | {b:.3f} |" for view, (a, b) in found.recall.items()),
    ]  # fmt: skip
    return "\n".join(lines)


def _row(c: Change) -> str:
    gained = f"{c.gained.value:+.3f} [{c.gained.low:+.3f}, {c.gained.high:+.3f}]"
    return f"| {c.name} | {c.before:.3f} | {c.after:.3f} | {gained} |"
