"""What a score table says of a detector: every figure from ratios and points that saw neither the source nor
the generator of the picture that they are about.

Sources are cut into folds. The ratios of a fold come from a line fitted without its sources and generators
(``score_fit.crossed``), its answers from points certified without them (``answered``). Intervals resample
whole sources and generators, since pictures of one are alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.bounds import at_most
from detector.core.metrics import Estimate, auc, cllr, cllr_min, proportion
from detector.lab.steps.certify import certify
from detector.lab.steps.score_fit import Array, Mask, Table, apart, crossed, folds_of, lines_of, table_of
from detector.lab.steps.scores import ScoreRow
from detector.models.calibration import Calibration
from detector.models.card import Answers, GroupResult, Judged, Ranking
from detector.models.condition import JPEG
from detector.models.given import UNKNOWN
from detector.models.guarantees import MIN_LOG10_RATIO, Guarantees, covers
from detector.models.kinds import Kind
from detector.models.score import Answer

WORST_FROM = 40
MACRO_FROM = 10  # pictures of a generator that counts in the mean of areas, where any has so many
SMALLER = "sources with fewer than"  # the row of all others
OWN_ROW = 20  # pictures of a source or generator that has a row of its own
KIND_OF_GENERATOR = 20  # pictures of a generator that counts for the rule of succession
PASSES = 0.6  # the area below which a generator's pictures are said to score as photos do
ROUNDS = 400
SIZES = ((1, "under 300 px"), (300, "300 to 599 px"), (600, "600 to 1199 px"), (1200, "from 1200 px"))
QUALITIES = ((1, "JPEG below 80"), (80, "JPEG 80 to 92"), (93, "JPEG from 93"))
_FACES = ("stylegan", "styleswin", "progan", "progressive gan", "thispersondoesnotexist")
_LN10 = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A table with what is said of every row: log ratios before and after mix and cap, and the answer."""

    table: Table
    line: Array
    llr: Array
    answers: NDArray[np.str_]
    unknown: float

    def of(self, mask: Mask) -> Seen:
        return replace(
            self,
            table=self.table.of(mask),
            line=self.line[mask],
            llr=self.llr[mask],
            answers=self.answers[mask],
        )

    @property
    def fake(self) -> Mask:
        return self.table.fake


def judge_table(
    rows: Sequence[ScoreRow], kind_limit: float | None, *, faces: Collection[str] | None = None,
    given_kind: bool = True,
) -> tuple[Judged, ...]:  # fmt: skip
    """Of every view that has both classes. ``faces`` names the generators of GAN faces; without, they are
    told by their names. Raises ``CalibrationError``."""
    seen = seen_of(table_of(rows, kind_limit), kind_limit, given_kind=given_kind)
    return judged_views(seen, faces)


def seen_of(table: Table, kind_limit: float | None, *, given_kind: bool = True) -> Seen:
    """Without ``given_kind`` kinds choose points and gate answers, and the ratio is not given them. Raises
    ``CalibrationError``."""
    given = table if given_kind else table.blind()
    line = crossed(given)
    unknown = unknown_share(table, line)
    llr = mixed(given, line, unknown)
    return Seen(
        table=table, line=line, llr=llr, answers=answered(table, line, llr, kind_limit), unknown=unknown
    )


def judged_views(seen: Seen, faces: Collection[str] | None = None) -> tuple[Judged, ...]:
    views = np.array([r.view for r in seen.table.rows])
    parts = [(v, seen.of(views == v)) for v in dict.fromkeys(views.tolist())]
    return tuple(_judged(v, part, faces) for v, part in parts if {True, False} <= set(part.fake.tolist()))


def tested_views(
    rows: Sequence[ScoreRow], kind_limit: float | None, calibration: Calibration, guarantees: Guarantees
) -> tuple[Judged, ...]:
    """Of pictures that neither the line nor the guarantees were fitted on, by these. Raises
    ``CalibrationError``."""
    table = table_of(rows, kind_limit)
    line = lines_of(calibration, table)
    llr = mixed(table, line, calibration.unknown)
    answers = np.array(answers_at(table, line, llr, guarantees), dtype="<U12")
    return judged_views(Seen(table=table, line=line, llr=llr, answers=answers, unknown=calibration.unknown))


def unknown_share(table: Table, line: Array) -> float:
    """The rule of succession over generators left out: of k, ``passing`` score as real pictures do; the
    next one does with probability (passing + 1) / (k + 2)."""
    real = line[~table.fake]
    areas = [auc(real, line[table.clusters == g]) for g in _large(table, KIND_OF_GENERATOR)]
    return (sum(a < PASSES for a in areas) + 1) / (len(areas) + 2)


def _large(table: Table, least: int) -> list[str]:
    """Clusters of generators with so many pictures, as they come."""
    sizes = Counter(c for c, _ in _pictures(table, fake=True))
    return [c for c, n in sizes.items() if n >= least]


def _pictures(table: Table, *, fake: bool) -> list[tuple[str, str]]:
    return list(
        dict.fromkeys(
            (str(c), r.sha256) for c, r in zip(table.clusters, table.rows, strict=True) if r.fake is fake
        )
    )


def mixed(table: Table, line: Array, unknown: float) -> Array:
    """As a report prints it: with the kinds of generators that score as photos do, within the cap of the
    kind."""
    names = [k.value if k else UNKNOWN for k in table.kinds]
    found = Counter(
        (n, f) for n, f, _ in {(n, r.fake, r.sha256) for n, r in zip(names, table.rows, strict=True)}
    )
    caps = np.array([math.log(max(1, min(found[n, False], found[n, True]))) for n in names])
    out: Array = np.clip(np.logaddexp(math.log1p(-unknown) + line, math.log(unknown)), -caps, caps)
    return out


def answered(table: Table, line: Array, llr: Array, kind_limit: float | None) -> NDArray[np.str_]:
    """The answer to every row, at points that were certified without its source and generator."""
    fold = folds_of(table)
    out = np.full(len(table.rows), Answer.ABSTAIN.value, dtype="<U12")
    for n in np.unique(fold):
        others = apart(table, fold, int(n))
        guarantees = certify(table.of(others), line[others], kind_limit)
        mine = fold == n
        out[mine] = answers_at(table.of(mine), line[mine], llr[mine], guarantees)
    return out


def answers_at(table: Table, line: Array, llr: Array, guarantees: Guarantees) -> list[str]:
    """As ``detector.models.guarantees.decide`` answers."""
    out = []
    for row, kind, x, shown in zip(table.rows, table.kinds, line / _LN10, llr / _LN10, strict=True):
        certified = next((c for c in guarantees.supports if c.kind is kind), None)
        if certified is None or certified.log10_ratio is None:
            out.append(Answer.ABSTAIN.value)
        elif x >= certified.log10_ratio and shown >= MIN_LOG10_RATIO:
            out.append(Answer.SUPPORTS.value)
        else:
            earned = [e for e in guarantees.against if e.kind is kind and covers(e, row.side)]
            spoken = any(x <= e.log10_ratio for e in earned) and shown <= -MIN_LOG10_RATIO
            out.append((Answer.AGAINST if spoken else Answer.INCONCLUSIVE).value)
    return out


def _judged(view: str, seen: Seen, faces: Collection[str] | None) -> Judged:
    table = seen.table
    placed = Placed.of(table, seen.line)
    groups = _groups(table)
    ranking = _ranking(placed, groups, table, faces)
    return Judged(
        view=view, real=int((~table.fake).sum()), generated=int(table.fake.sum()),
        sources=len({r.source for r in table.rows if not r.fake}),
        generators=len({r.generator for r in table.rows if r.fake}),
        macro_auc=ranking.macro_auc, worst=ranking.worst, worst_from=WORST_FROM, faces=ranking.faces,
        score=_ranking(Placed.of(table, table.logit), groups, table, faces), cllr=_cost(seen),
        cllr_macro=float(np.mean([_group_cost(seen, g) for g in groups])),
        by_generator=tuple(_rows(seen, placed, _named_generator(table), fake=True)),
        by_source=tuple(_rows(seen, placed, _named_source(table), fake=False)),
        by_kind=tuple(_both(seen, placed, _kind_name)),
        by_size=tuple(_both(seen, placed, lambda r, _: _step(SIZES, r.side))),
        by_encoding=tuple(_both(seen, placed, lambda r, _: encoding_of(r))), answers=tuple(_answers(seen)),
    )  # fmt: skip


def _groups(table: Table) -> dict[str, Mask]:
    """Places among the generated pictures, by cluster."""
    names = table.clusters[table.fake]
    return {g: names == g for g in dict.fromkeys(names.tolist())}


def _ranking(placed: Placed, groups: dict[str, Mask], table: Table, faces: Collection[str] | None) -> Ranking:
    many = [m for m in groups.values() if m.sum() >= MACRO_FROM] or list(groups.values())
    areas = {g: placed.area(m) for g, m in groups.items() if m.sum() >= WORST_FROM}
    names = [r.generator for r in table.rows if r.fake]
    face = np.array([is_face(n) if faces is None else n in faces for n in names])
    return Ranking(
        macro_auc=placed.macro(many), worst=min(areas.items(), key=lambda a: a[1].value, default=None),
        faces=placed.area(face) if face.any() else None,
    )  # fmt: skip


def is_face(generator: str) -> bool:
    return generator.lower().startswith(_FACES)


def encoding_of(row: ScoreRow) -> str:
    if row.quality is None:
        return "no JPEG" if row.media_type != JPEG else "JPEG without a table"
    return _step(QUALITIES, row.quality)


def _step(steps: Sequence[tuple[int, str]], value: int) -> str:
    return next(name for least, name in reversed(steps) if value >= least)


def _kind_name(row: ScoreRow, kind: Kind | None) -> str:
    """Of a real picture what it is, of a generated one what the content head takes it for."""
    said = kind if row.fake else row.kind
    return said.value if said else "not said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """``above``: (generated, sources) the share of each source's real pictures that each generated one is
    above, ties halved; ``sizes`` are pictures per source, ``clusters`` the generators. Areas and their
    resamples are sums of it."""

    above: Array
    sizes: Array
    clusters: NDArray[np.str_]

    @classmethod
    def of(cls, table: Table, values: Array) -> Placed:
        made = values[table.fake]
        sources = np.array([r.source for r in table.rows])
        columns, sizes = [], []
        for source in dict.fromkeys(sources[~table.fake].tolist()):
            scores = np.sort(values[(sources == source) & ~table.fake])
            below = np.searchsorted(scores, made, "left") + np.searchsorted(scores, made, "right")
            columns.append(below / (2 * len(scores)))
            sizes.append(len(scores))
        return cls(
            above=np.stack(columns, 1), sizes=np.array(sizes, np.float64), clusters=table.clusters[table.fake]
        )

    def area(self, mask: Mask) -> Estimate:
        """Of some generated pictures against all real ones; sources are drawn whole, generators too where
        there are several, else pictures."""
        rows = self.above[mask]
        names = self.clusters[mask]
        several = len(set(names.tolist())) > 1
        place: NDArray[np.intp] = np.arange(len(rows), dtype=np.intp)
        if several:
            place = np.unique(names, return_inverse=True)[1]
        units: Array = np.stack([np.bincount(place, column) for column in rows.T], 1).astype(np.float64)
        counts = np.bincount(place).astype(np.float64)
        return self._resampled(units, counts, len(rows))

    def macro(self, groups: Sequence[Mask]) -> Estimate:
        """The mean over generators of their areas."""
        units = np.stack([self.above[m].mean(0) for m in groups])
        return self._resampled(units, np.ones(len(groups)), len(self.above))

    def _resampled(self, units: NDArray[np.float64], counts: Array, n: int) -> Estimate:
        rng = np.random.default_rng(0)

        def value(drawn: NDArray[np.intp], sources: NDArray[np.intp]) -> float:
            weight = self.sizes[sources]
            return float((units[drawn][:, sources].sum(0) @ weight) / counts[drawn].sum() / weight.sum())

        whole = value(np.arange(len(units)), np.arange(len(self.sizes)))
        some = [
            value(
                rng.integers(len(units), size=len(units)), rng.integers(len(self.sizes), size=len(self.sizes))
            )
            for _ in range(ROUNDS)
        ]
        low, high = np.quantile(some, [0.025, 0.975])
        return Estimate(value=whole, low=float(low), high=float(high), n=n)


def _cost(seen: Seen) -> Estimate:
    """Cllr with an interval that resamples sources and generators."""
    rng = np.random.default_rng(0)
    sums = []
    for fake in (False, True):
        mine = seen.fake == fake
        costs = np.logaddexp(0, -seen.llr[mine] if fake else seen.llr[mine])
        _, place = np.unique(seen.table.clusters[mine], return_inverse=True)
        sums.append((np.bincount(place, costs), np.bincount(place).astype(float)))
    some = []
    for _ in range(ROUNDS):
        drawn = [rng.integers(len(c), size=len(c)) for c, _ in sums]
        some.append(sum(c[d].sum() / n[d].sum() for (c, n), d in zip(sums, drawn, strict=True)))
    low, high = np.quantile(some, [0.025, 0.975]) / (2 * math.log(2))
    value = cllr(seen.llr[~seen.fake], seen.llr[seen.fake])
    return Estimate(value=value, low=float(low), high=float(high), n=len(seen.llr))


def _group_cost(seen: Seen, cluster: str) -> float:
    return cllr(seen.llr[~seen.fake], seen.llr[seen.table.clusters == cluster])


def _named_generator(table: Table) -> list[str]:
    large = set(_large(table, OWN_ROW))
    return [str(c) if c in large else f"generators with fewer than {OWN_ROW}" for c in table.clusters]


def _named_source(table: Table) -> list[str]:
    sizes = Counter(r.source for r in table.rows if not r.fake)
    return [r.source if sizes[r.source] >= OWN_ROW else f"{SMALLER} {OWN_ROW}" for r in table.rows]


def _both(seen: Seen, placed: Placed, name: Callable[[ScoreRow, Kind | None], str]) -> Iterator[GroupResult]:
    names = [name(r, k) for r, k in zip(seen.table.rows, seen.table.kinds, strict=True)]
    for fake in (False, True):
        yield from _rows(seen, placed, names, fake=fake)


def _rows(seen: Seen, placed: Placed, names: Sequence[str], *, fake: bool) -> Iterator[GroupResult]:
    """Groups of one class, the largest first."""
    labels = np.array(names)
    real = seen.llr[~seen.fake]
    for name, n in Counter(labels[seen.fake == fake].tolist()).most_common():
        mine = (labels == name) & (seen.fake == fake)
        said = Counter(seen.answers[mine].tolist())
        wrong = said[(Answer.AGAINST if fake else Answer.SUPPORTS).value]
        yield GroupResult(
            name=name, fake=fake, n=n, auc=placed.area(mine[seen.fake]) if fake else None,
            supports=proportion(said[Answer.SUPPORTS.value], n),
            against=proportion(said[Answer.AGAINST.value], n), silent=said[Answer.ABSTAIN.value],
            wrong_at_most=at_most(wrong, n), cllr=cllr(real, seen.llr[mine]) if fake else None,
            cllr_min=cllr_min(seen.line[~seen.fake], seen.line[mine]) if fake else None,
        )  # fmt: skip


def _answers(seen: Seen) -> Iterator[Answers]:
    kinds = np.array([_kind_name(r, k) for r, k in zip(seen.table.rows, seen.table.kinds, strict=True)])
    for fake in (False, True):
        for kind in (None, *Kind):
            mine = (seen.fake == fake) & (kinds == kind.value if kind else True)
            if n := int(mine.sum()):
                said = Counter(seen.answers[mine].tolist())
                answered_ones = said[Answer.SUPPORTS.value] + said[Answer.AGAINST.value]
                wrong = said[(Answer.AGAINST if fake else Answer.SUPPORTS).value]
                yield Answers(
                    fake=fake, kind=kind, n=n, answered=proportion(answered_ones, n),
                    wrong=proportion(wrong, answered_ones) if answered_ones else None,
                )  # fmt: skip
