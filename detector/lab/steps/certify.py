"""Which answers a score table vouches for, from log ratios of lines that saw neither source nor generator.

``supports``. What the content head takes a picture for chooses the point; what vouches for it is counted
over the real pictures that *are* of the kind, whatever they are taken for: the upper bound of those that
get the answer is at most the goal, in every view that has enough of them. Pictures whose kind the head does
not know are a group like a kind. Points begin at the least ratio that may be an answer and are raised, past
the lowest scores first, until the bounds of all kinds hold and no source with ``SOURCE_PICTURES`` pictures
has, over all views, a larger share than the goal. A number of errors is allowed only where every smaller
one is: so the bound keeps its level although the point is chosen by it, since fewer pictures pass a higher
one (Bates et al., "Distribution-free, risk-controlling prediction sets", 2021). A kind with too few
pictures for any bound gets no answer.

Pictures of one source are alike. Where a kind has ``MIN_SOURCES`` sources, the bound is the larger of two:
every picture for itself, and hits and pictures divided by the design effect that sources show among those
beyond the point (``core.bounds``). Where nothing is beyond, nothing is seen of it, and the first bound is
all.

``against``. In a kind and a range of sizes, up to the largest of five shares of the real pictures at which
the upper bound of the share of generated pictures over theirs is at most a third, the five sharing the
level (Bonferroni), and at which no generator with ``GENERATOR_PICTURES`` pictures has, as measured, a
larger one. A generated picture counts when any of its views in the range is spoken against, a real one when
all are.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.bounds import at_least, at_most, design_effect
from detector.lab.steps.score_fit import Array, Mask, Table
from detector.models.guarantees import (
    GOAL,
    MIN_LOG10_RATIO,
    MOST_AGAINST,
    SURE,
    Certified,
    Earned,
    Guarantees,
)
from detector.models.kinds import Kind

MIN_SOURCES = 20
SOURCE_PICTURES = 50
GENERATOR_PICTURES = 20
RANGES: tuple[tuple[int, int | None], ...] = ((1, 400), (400, 1000), (1000, None))
_TRIED = (0.5, 0.4, 0.3, 0.2, 0.1)  # shares of the real pictures that may be spoken against
_LN10 = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """At most ``allowed`` of the rows ``places`` may be beyond their points."""

    places: NDArray[np.intp]
    allowed: int


def certify(
    table: Table, llr: Array, kind_limit: float | None, *, goal: float = GOAL, sure: float = SURE
) -> Guarantees:
    """``llr``: natural log ratios of the rows, before mix and cap."""
    groups = _groups(table, kind_limit)
    bounded = {
        k: [_counted(table, llr, places, goal, sure) for places in _views(table, members)]
        for k, members in _members(table, groups, kind_limit).items()
    }
    points = {
        k: MIN_LOG10_RATIO * _LN10 if any(c.allowed is not None for c in found) else math.inf
        for k, found in bounded.items()
    }
    sorts = table.kinds if kind_limit is not None else (None,) * len(llr)
    rules = [*_rules_of(bounded.values()), *_of_sources(table, goal)]
    if kind_limit is None:
        rules += _of_kinds(table, llr, goal, sure)
    _raise(points, rules, llr, sorts)
    beyond = llr >= np.array([points[k] for k in sorts])
    supports = tuple(
        _certified(table, kind, points[kind], llr, beyond, found, goal, sure)
        for kind, found in bounded.items()
    )
    return Guarantees(
        kind_limit=kind_limit, supports=supports, against=tuple(_earned(table, llr, groups, sure))
    )


def _groups(table: Table, kind_limit: float | None) -> dict[Kind | None, Mask]:
    """Rows by what the content head takes them for; None where it does not know, or there is none."""
    if kind_limit is None:
        return {None: np.ones(len(table.rows), bool)}
    return {k: np.array([kind is k for kind in table.kinds]) for k in (*Kind, None)}


def _members(
    table: Table, groups: dict[Kind | None, Mask], kind_limit: float | None
) -> dict[Kind | None, Mask]:
    """Real pictures that a guarantee is counted over: of a kind those that are of it, and where nobody said,
    those that are taken for it; of None those that the head does not know."""
    if kind_limit is None:
        return groups
    true = [r.kind or kind for r, kind in zip(table.rows, table.kinds, strict=True)]
    return {k: groups[None] if k is None else np.array([t is k for t in true]) for k in groups}


def _views(table: Table, mask: Mask) -> Iterator[NDArray[np.intp]]:
    """Places of the real pictures, view by view: in a view every picture stands once."""
    views = np.array([r.view for r in table.rows])
    for view in dict.fromkeys(r.view for r in table.rows):
        yield np.flatnonzero(mask & (views == view) & ~table.fake)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Real pictures in one view, and how many of them may err, those with the highest ratios first; None
    where not even none is few enough."""

    places: NDArray[np.intp]
    sizes: Counter[str]  # pictures per source
    allowed: int | None

    def bounds(self, hits: Counter[str], sure: float) -> tuple[float, float | None]:
        """Every picture for itself, and by source; ``hits`` per source."""
        found, n = sum(hits.values()), sum(self.sizes.values())
        alone = at_most(found, n, sure=sure)
        if len(self.sizes) < MIN_SOURCES:
            return alone, None
        effect = design_effect([(hits[name], m) for name, m in self.sizes.items()])
        return alone, at_most(found / effect, n / effect, sure=sure)


def _counted(table: Table, llr: Array, places: NDArray[np.intp], goal: float, sure: float) -> _Counted:
    names = [table.rows[i].source for i in places[np.argsort(-llr[places], kind="stable")]]
    found = _Counted(places=places, sizes=Counter(names), allowed=None)
    allowed, hits = None, Counter[str]()
    for n in range(len(names)):
        if max(b for b in found.bounds(hits, sure) if b is not None) > goal:
            break
        allowed = n
        hits[names[n]] += 1
    return replace(found, allowed=allowed)


def _rules_of(bounded: Iterable[Sequence[_Counted]]) -> Iterator[_Rule]:
    for found in bounded:
        yield from (_Rule(places=c.places, allowed=c.allowed) for c in found if c.allowed is not None)


def _of_kinds(table: Table, llr: Array, goal: float, sure: float) -> Iterator[_Rule]:
    """The kinds that there are, for a detector that does not tell them apart."""
    for kind in Kind:
        mine = np.array([r.kind is kind for r in table.rows])
        yield from _rules_of([[_counted(table, llr, places, goal, sure) for places in _views(table, mine)]])


def _of_sources(table: Table, goal: float) -> Iterator[_Rule]:
    names = np.array([r.source for r in table.rows])
    sizes = Counter(source for source, _ in {(r.source, r.sha256) for r in table.rows if not r.fake})
    for source in (name for name, n in sizes.items() if n >= SOURCE_PICTURES):
        places = np.flatnonzero((names == source) & ~table.fake)
        yield _Rule(places=places, allowed=int(goal * len(places)))


def _raise(
    points: dict[Kind | None, float], rules: Sequence[_Rule], llr: Array, kinds: Sequence[Kind | None]
) -> None:
    """Raise points until every rule holds: where too many are beyond, past the lowest of them."""
    keys = list(points)
    group = np.array([keys.index(k) for k in kinds])
    at = np.array(list(points.values()))
    changed = True
    while changed:
        changed = False
        for rule in rules:
            beyond = rule.places[llr[rule.places] >= at[group[rule.places]]]
            if (surplus := len(beyond) - rule.allowed) <= 0:
                continue
            for i in beyond[np.argsort(llr[beyond], kind="stable")][:surplus]:
                at[group[i]] = max(at[group[i]], float(np.nextafter(llr[i], math.inf)))
            changed = True
    points.update(zip(keys, map(float, at), strict=True))


def tenfold(point: float, ratios: Array) -> float:
    """A point as a logarithm to ten, with the same of ``ratios`` below it: a point lies one step of its last
    digit above what it must leave out, and dividing can round that step away."""
    below, out = ratios[ratios < point].max(initial=-math.inf) / _LN10, point / _LN10
    return out if below < out else float(np.nextafter(out, math.inf))


def _certified(
    table: Table, kind: Kind | None, point: float, llr: Array, beyond: Mask, found: Sequence[_Counted],
    goal: float, sure: float,
) -> Certified:  # fmt: skip
    """The view with the highest bound speaks for the kind."""
    fullest = max(found, key=lambda c: len(c.places), default=None)
    if not math.isfinite(point) or fullest is None:
        return Certified(
            kind=kind, goal=goal, sure=sure, log10_ratio=None, pictures=len(fullest.places) if fullest else 0,
            sources=len(fullest.sizes) if fullest else 0, false=0, bound=None, by_source=None,
        )  # fmt: skip
    seen = []
    for c in found:
        if c.allowed is not None:
            hits = Counter(table.rows[i].source for i in c.places[beyond[c.places]])
            seen.append((c, sum(hits.values()), *c.bounds(hits, sure)))
    worst, false, bound, by_source = max(seen, key=lambda s: max(s[2], s[3] or 0.0))
    return Certified(
        kind=kind, goal=goal, sure=sure, log10_ratio=tenfold(point, llr), pictures=len(worst.places),
        sources=len(worst.sizes), false=false, bound=bound, by_source=by_source,
    )  # fmt: skip


def _earned(table: Table, llr: Array, groups: dict[Kind | None, Mask], sure: float) -> Iterator[Earned]:
    sides = np.array([r.side for r in table.rows])
    for kind, mask in groups.items():
        for low, high in RANGES:
            inside = mask & (sides >= low) & (sides < (high or math.inf))
            found = _earned_in(table, llr, inside, sure)
            if found is not None:
                point, bound, worst, real, made = found
                yield Earned(
                    kind=kind, min_side=low, max_side=high, log10_ratio=point / _LN10, bound=bound,
                    worst=worst, sure=sure, pictures=len(real), sources=len({s for s, _ in real}),
                    generated=len(made), generators=len({g for g, _ in made}),
                )  # fmt: skip


_Pictures = list[tuple[str, float]]  # cluster, and the log ratio that has to be low


def _earned_in(
    table: Table, llr: Array, inside: Mask, sure: float
) -> tuple[float, float, float, _Pictures, _Pictures] | None:
    real = _pictures(table, llr, inside & ~table.fake, max)
    made = _pictures(table, llr, inside & table.fake, min)
    if not real or not made:
        return None
    scores = np.array([x for _, x in real])
    for share in _TRIED:
        point = min(float(np.quantile(scores, share)), -MIN_LOG10_RATIO * _LN10)
        bound = _ratio_bound(real, made, point, 1 - (1 - sure) / len(_TRIED))
        worst = _worst(real, made, point)
        if bound <= MOST_AGAINST and worst <= MOST_AGAINST:
            return point, bound, worst, real, made
    return None


def _pictures(table: Table, llr: Array, mask: Mask, of_views: Callable[[list[float]], float]) -> _Pictures:
    """(source or cluster of generators, log ratio) of each picture."""
    views: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for i in np.flatnonzero(mask):
        row = table.rows[i]
        views[(str(table.clusters[i]) if row.fake else row.source, row.sha256)].append(float(llr[i]))
    return [(name, of_views(x)) for (name, _), x in views.items()]


def _ratio_bound(real: _Pictures, made: _Pictures, point: float, sure: float) -> float:
    """Upper bound of the share of generated pictures below the point over that of real ones: each of two
    bounds fails in half of the cases that may fail."""
    each = 1 - (1 - sure) / 2
    (hits, n), (held, m) = (_shared(p, point) for p in (made, real))
    least = at_least(held, m, sure=each)
    return math.inf if least <= 0 else at_most(hits, n, sure=each) / least


def _shared(pictures: _Pictures, point: float) -> tuple[float, float]:
    """Hits and items, divided by the design effect where there are clusters enough to measure it."""
    sizes, hits = Counter(name for name, _ in pictures), Counter(name for name, x in pictures if x <= point)
    n, beyond = len(pictures), sum(hits.values())
    if len(sizes) < MIN_SOURCES:
        return beyond, n
    effect = design_effect([(hits[name], m) for name, m in sizes.items()])
    return beyond / effect, n / effect


def _worst(real: _Pictures, made: _Pictures, point: float) -> float:
    """The share of the generator that is spoken against most, over that of real pictures, as measured."""
    held = np.mean([x <= point for _, x in real])
    shares = [
        np.mean([x <= point for name, x in made if name == g])
        for g, n in Counter(name for name, _ in made).items()
        if n >= GENERATOR_PICTURES
    ]
    return math.inf if held == 0 else float(max(shares, default=0.0) / held)
