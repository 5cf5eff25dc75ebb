"""Fitting the log-ratio line of a score table: given kind and condition, and blind to both as labels.

Weights. A source of real pictures, and a generator, weighs as the square root of its pictures, of which at
most ``MOST_PICTURES`` count; generators with fewer than ``OWN_CLUSTER`` pictures are taken together per
source. A picture weighs the same in however many views it is. Within every bin of kind, size and encoding
both classes then weigh alike, as much as the rarer of them; a bin that has only one class has no weight.

Left out. Whatever is measured of the ratios is measured on lines that saw neither the source nor the
generator of the picture (``crossed``); intervals of the line that ships resample whole sources and
generators.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError
from detector.core.logistic import fit_logistic
from detector.lab.steps.scores import ScoreRow
from detector.models.calibration import MIN_ITEMS, Calibration
from detector.models.condition import Condition
from detector.models.given import BASE, REFERENCE_QUALITY, REFERENCE_SIDE, UNKNOWN, Given
from detector.models.kinds import Kind

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_PICTURES = 60
OWN_CLUSTER = 5
FOLDS = 5
MIN_STRETCH = 50  # pictures of each class behind a kind whose slope is its own
_SIDES = (300, 600, 1200)
_QUALITIES = (80, 93)
_RIDGE = {"score": 1e-3, "shift": 3e-3, "stretch": 1e-2}
_OUTER = 0.01  # share of the weight beyond either end of the conditions that a line is fitted on
_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The columns of a score table; ``kinds`` are those that the content head is sure enough of."""

    rows: tuple[ScoreRow, ...]
    fake: Mask
    logit: Array
    kinds: tuple[Kind | None, ...]
    clusters: NDArray[np.str_]

    def blind(self) -> Table:
        """The same without kinds: for a line that is not given them."""
        return replace(self, kinds=(None,) * len(self.rows))

    def of(self, mask: Mask) -> Table:
        places = np.flatnonzero(mask)
        return Table(
            rows=tuple(self.rows[i] for i in places), fake=self.fake[mask], logit=self.logit[mask],
            kinds=tuple(self.kinds[i] for i in places), clusters=self.clusters[mask],
        )  # fmt: skip


def table_of(rows: Sequence[ScoreRow], kind_limit: float | None) -> Table:
    """``kind_limit``: the probability below which a predicted kind is unknown; None for a detector without a
    content head. Raises ``CalibrationError`` for fewer than ``MIN_ITEMS`` pictures of a class."""
    kinds = tuple(
        r.predicted if kind_limit is not None and (r.kind_probability or 0.0) >= kind_limit else None
        for r in rows
    )
    table = Table(
        rows=tuple(rows), fake=np.array([r.fake for r in rows], bool),
        logit=np.array([r.logit for r in rows], np.float64), kinds=kinds, clusters=_clusters(rows),
    )  # fmt: skip
    real, fake = counted(table)
    if min(real, fake) < MIN_ITEMS:
        raise CalibrationError(f"{real} real and {fake} fake pictures; {MIN_ITEMS} of each are needed")
    return table


def counted(table: Table) -> tuple[int, int]:
    """Real and generated pictures, each once."""
    return tuple(len({r.sha256 for r in table.rows if r.fake is fake}) for fake in (False, True))  # type: ignore[return-value]


def _clusters(rows: Sequence[ScoreRow]) -> NDArray[np.str_]:
    """Of real pictures the source; of generated ones the generator, small ones together per source."""
    sizes = Counter(g for g, _ in {(r.generator, r.sha256) for r in rows if r.fake})
    return np.array([_cluster(r, sizes) for r in rows])


def _cluster(row: ScoreRow, sizes: Counter[str]) -> str:
    if not row.fake:
        return f"real {row.source}"
    if sizes[row.generator] >= OWN_CLUSTER:
        return row.generator
    return f"{row.source}, its rarer generators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """Weights of rows before and after bins are balanced."""

    alone: Array
    bins: NDArray[np.intp]
    fake: Mask

    def balanced(self, times: Array | None = None) -> Array:
        """One weight per row, summing to 1; ``times`` is how often each row's cluster counts. Raises
        ``CalibrationError`` where no bin has both classes."""
        w = self.alone if times is None else self.alone * times
        sums = np.stack([np.bincount(self.bins, w * (self.fake == fake)) for fake in (False, True)])
        least = sums.min(0)
        if not least.sum() > 0:
            raise CalibrationError("no kind, size and encoding has both real and generated pictures")
        with np.errstate(divide="ignore", invalid="ignore"):
            factors = np.where(sums > 0, least / sums, 0.0)
        w = w * factors[self.fake.astype(int), self.bins]
        out: Array = w / w.sum()
        return out


def weighing(table: Table) -> Weighing:
    views = Counter(r.sha256 for r in table.rows)
    sizes = Counter(c for c, _ in {(c, r.sha256) for c, r in zip(table.clusters, table.rows, strict=True)})
    alone = [
        math.sqrt(min(sizes[c], MOST_PICTURES)) / sizes[c] / views[r.sha256]
        for c, r in zip(table.clusters, table.rows, strict=True)
    ]
    names = [_bin(r, k) for r, k in zip(table.rows, table.kinds, strict=True)]
    _, bins = np.unique(names, return_inverse=True)
    return Weighing(alone=np.array(alone), bins=bins, fake=table.fake)


def _bin(row: ScoreRow, kind: Kind | None) -> str:
    quality = "none" if row.quality is None else str(np.searchsorted(_QUALITIES, row.quality, "right"))
    return f"{kind} {np.searchsorted(_SIDES, row.side, 'right')} {quality}"


def fit_given(table: Table, *, rounds: int = 100, seed: int = 0) -> Calibration:
    """The line of a score table with its covariance over ``rounds`` resamples of sources and generators (none
    for 0 rounds); the
    share of unknown kinds of generators is not set here. Raises ``CalibrationError``, also for a score that
    does not rank generated pictures above real ones in every kind and condition of the table."""
    weigh = weighing(table)
    ridge = 1.0
    for _ in range(_TRIES):
        line = _fitted(table, weigh.balanced(), ridge)
        if _ranks(table, line):
            break
        ridge *= 10
    else:
        raise CalibrationError(
            "the score does not rank generated pictures above real ones in every condition"
        )
    return (
        _with_covariance(table, weigh, line, ridge, rounds, np.random.default_rng(seed)) if rounds else line
    )


def _ranks(table: Table, line: Calibration) -> bool:
    assert line.given is not None
    sample = {(k, r.condition) for k, r in zip(table.kinds, table.rows, strict=True)}
    return all(line.given.slope(k, c) > 0 for k, c in sample)


def _fitted(table: Table, w: Array, ridge: float) -> Calibration:
    blank = _blank(table, w)
    weights = _solve(_design(table, blank), table.fake, w, blank, ridge)
    given = replace(blank, weights=tuple(map(float, weights)))
    real, fake = counted(table)
    at = Condition(side=REFERENCE_SIDE, quality=REFERENCE_QUALITY, media_type="image/jpeg")
    slope = given.slope(Kind.PHOTO, at)
    start = float(given.row(0.0, Kind.PHOTO, at) @ weights)
    return Calibration(
        slope=slope,
        intercept=start,
        covariance=(0.0, 0.0, 0.0),
        real_items=real,
        fake_items=fake,
        given=given,
    )


def _blank(table: Table, w: Array) -> Given:
    """The columns, without a fit."""
    centre = float(w @ table.logit)
    scale = float(np.sqrt(w @ (table.logit - centre) ** 2)) + 1e-9
    items = _items(table)
    terms = ["size"] if len({r.side for r in table.rows}) > 1 else []
    qualities = [r.quality for r in table.rows if r.quality is not None]
    if len(set(qualities)) > 1:
        terms.append("quality")
    if 0 < len(qualities) < len(table.rows):
        terms.append("no_table")
    kinds = [(n, real, fake) for n, real, fake in items if n != BASE and min(real, fake) >= MIN_ITEMS]
    if len(items) > 1:
        terms += [n for n, _, _ in kinds]
    sides = np.array([float(r.side) for r in table.rows])
    known = np.array([r.quality is not None for r in table.rows])
    quality = np.array([float(r.quality or REFERENCE_QUALITY) for r in table.rows])
    return Given(
        centre=centre, scale=scale, terms=tuple(terms),
        flat=tuple(n for n, real, fake in kinds if min(real, fake) < MIN_STRETCH and n in terms),
        weights=(), covariance=(), sides=_ends(sides, w),
        qualities=_ends(quality[known], w[known]) if known.any() else (REFERENCE_QUALITY, REFERENCE_QUALITY),
        items=items,
    )  # fmt: skip


def _items(table: Table) -> tuple[tuple[str, int, int], ...]:
    """Pictures (kind, real, generated)."""
    seen = {
        (k.value if k else UNKNOWN, r.fake, r.sha256) for k, r in zip(table.kinds, table.rows, strict=True)
    }
    found = Counter((name, fake) for name, fake, _ in seen)
    names = [k.value for k in Kind] + [UNKNOWN]
    return tuple((n, found[n, False], found[n, True]) for n in names if found[n, False] or found[n, True])


def _ends(values: Array, w: Array) -> tuple[float, float]:
    """Where all but ``_OUTER`` of the weight lies, on either side."""
    order = np.argsort(values)
    share = np.cumsum(w[order]) / max(float(w.sum()), 1e-12)
    low, high = np.searchsorted(share, [_OUTER, 1 - _OUTER])
    return float(values[order[low]]), float(values[order[min(high, len(values) - 1)]])


def _design(table: Table, given: Given) -> Array:
    return np.stack(
        [
            given.row(float(x), k, r.condition)
            for x, k, r in zip(table.logit, table.kinds, table.rows, strict=True)
        ]
    )


def _solve(design: Array, fake: Mask, w: Array, given: Given, ridge: float) -> Array:
    shifts = len(given.terms)
    stretches = design.shape[1] - 2 - shifts
    penalty = np.array(
        [_RIDGE["score"], 0.0, *[_RIDGE["shift"]] * shifts, *[_RIDGE["stretch"] * ridge] * stretches]
    )
    used = w > 0
    return fit_logistic(design[used], fake[used].astype(float), penalty, w[used])


def _with_covariance(
    table: Table, weigh: Weighing, line: Calibration, ridge: float, rounds: int, rng: np.random.Generator
) -> Calibration:
    """Sources and generators drawn whole, each class for itself."""
    assert line.given is not None
    design = _design(table, line.given)
    names, place = np.unique(table.clusters, return_inverse=True)
    of_fake = np.zeros(len(names), bool)
    of_fake[place] = table.fake
    found = []
    for _ in range(rounds):
        times = np.zeros(len(names))
        for fake in (False, True):
            mine = np.flatnonzero(of_fake == fake)
            np.add.at(times, rng.choice(mine, len(mine)), 1.0)
        found.append(_solve(design, table.fake, weigh.balanced(times[place]), line.given, ridge))
    covariance = np.atleast_2d(np.cov(np.array(found).T))
    given = replace(line.given, covariance=tuple(tuple(map(float, row)) for row in covariance))
    return replace(line, given=given)


def folds_of(table: Table, folds: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row, by its source: equal for all views, and stable under other rows."""
    return np.array(
        [int(hashlib.sha256(r.source.encode()).hexdigest()[:8], 16) % folds for r in table.rows], np.int64
    )


def apart(table: Table, fold: NDArray[np.int64], n: int) -> Mask:
    """Rows of other folds that share neither a source nor a generator with fold ``n``."""
    made = {r.generator for r, f in zip(table.rows, fold, strict=True) if f == n and r.fake}
    met = np.array([r.fake and r.generator in made for r in table.rows])
    out: Mask = (fold != n) & ~met
    return out


def crossed(table: Table, *, folds: int = FOLDS) -> Array:
    """The natural log ratio of every row, before mix and cap, by a line that saw neither its source nor its
    generator. Raises ``CalibrationError`` where a fold leaves too little to fit on."""
    fold = folds_of(table, folds)
    out = np.empty(len(table.rows))
    for n in np.unique(fold):
        line = fit_given(table.of(apart(table, fold, int(n))), rounds=0)
        mine = fold == n
        out[mine] = lines_of(line, table.of(mine))
    return out


def lines_of(line: Calibration, table: Table) -> Array:
    """Natural log ratios of all rows, before mix and cap."""
    assert line.given is not None
    out: Array = _design(table, line.given) @ np.array(line.given.weights)
    return out
