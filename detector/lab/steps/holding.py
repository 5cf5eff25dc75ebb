"""What the points of a detector hang on: the sources of real pictures that happen to be at hand.

A point keeps every source with ``SOURCE_PICTURES`` pictures at the goal, so one source can set it for all. So
the points are certified again without each of these sources, and on sources that are drawn anew, and what is
counted is what changes for users: how many generated pictures get "supports". Generated pictures are not
drawn: the interval is of the sources of real ones alone, and since points are extremes, which resampling
knows badly, it tells a size and keeps no level. Points stand on all views of the table, pictures are counted
in one; ratios are of lines that saw neither source nor generator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.core.errors import CorpusError
from detector.core.metrics import Estimate
from detector.core.progress import Report, silent
from detector.lab.steps.certify import SOURCE_PICTURES, certify
from detector.lab.steps.judge_table import answers_at, mixed, unknown_share
from detector.lab.steps.score_fit import Array, Mask, Table, crossed, table_of
from detector.lab.steps.scores import ScoreRow
from detector.models.kinds import Kind
from detector.models.score import Answer

Kinds = tuple[Kind | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """``without`` is the source that was left out, with so many ``pictures``; None for the points of all.
    ``log10_ratio`` of every kind, None where there is no answer; ``supported``: generated pictures that get
    the answer, by the kind that they are taken for."""

    without: str | None
    pictures: int
    log10_ratio: tuple[float | None, ...]
    supported: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The points of a table, and without each large source, those that set most free first. ``generated``
    pictures are taken for the kinds, in ``view``; ``share`` of each that gets "supports", with the interval
    over draws of sources (None for 0 rounds), and of all kinds together last."""

    view: str
    kinds: Kinds
    generated: tuple[int, ...]
    points: Points
    without: tuple[Points, ...]
    share: tuple[Estimate, ...] | None


def what_holds(
    rows: Sequence[ScoreRow], kind_limit: float | None, *, view: str | None = None, rounds: int = 0,
    report: Report = silent,
) -> Holding:  # fmt: skip
    """``view``: that of the first row unless named. Raises ``CorpusError`` for a view without
    generated pictures, and ``CalibrationError`` as ``table_of`` and ``crossed``."""
    table = table_of(rows, kind_limit)
    view = view or rows[0].view
    if view not in {r.view for r in rows if r.fake}:
        raise CorpusError(f"no generated picture of the table is in the view {view!r}")
    line = crossed(table)
    counted = _Counted.of(table, line, view)
    large = _large(table)
    here = counted.points(table, line, kind_limit, None, 0)
    without = []
    for n, (source, pictures) in enumerate(large):
        rest = np.array([r.fake or r.source != source for r in table.rows])
        without.append(counted.points(table.of(rest), line[rest], kind_limit, source, pictures))
        report("leaving out", n + 1, len(large))
    without.sort(key=lambda p: -sum(p.supported))
    drawn = np.array([counted.drawn(table, line, kind_limit, n, rounds, report) for n in range(rounds)])
    return Holding(
        view=view, kinds=counted.kinds, generated=counted.generated, points=here, without=tuple(without),
        share=_shares(counted.generated, here.supported, drawn) if rounds else None,
    )  # fmt: skip


def _large(table: Table) -> list[tuple[str, int]]:
    """Sources of real pictures that a rule stands for, the largest first."""
    sizes = Counter(s for s, _ in {(r.source, r.sha256) for r in table.rows if not r.fake})
    return [(s, n) for s, n in sizes.most_common() if n >= SOURCE_PICTURES]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """The generated pictures of one view, which are answered again and again."""

    made: Table
    line: Array
    llr: Array
    kinds: Kinds
    generated: tuple[int, ...]

    @classmethod
    def of(cls, table: Table, line: Array, view: str) -> _Counted:
        mine: Mask = table.fake & np.array([r.view == view for r in table.rows])
        made = table.of(mine)
        found = Counter(made.kinds)
        kinds = tuple(k for k in (*Kind, None) if found[k])
        return cls(
            made=made, line=line[mine], llr=mixed(table, line, unknown_share(table, line))[mine],
            kinds=kinds, generated=tuple(found[k] for k in kinds),
        )  # fmt: skip

    def points(
        self, table: Table, line: Array, kind_limit: float | None, without: str | None, pictures: int
    ) -> Points:
        guarantees = certify(table, line, kind_limit)
        at = {c.kind: c.log10_ratio for c in guarantees.supports}
        answers = answers_at(self.made, self.line, self.llr, guarantees)
        found = Counter(
            k for k, a in zip(self.made.kinds, answers, strict=True) if a == Answer.SUPPORTS.value
        )
        return Points(
            without=without, pictures=pictures, log10_ratio=tuple(at.get(k) for k in self.kinds),
            supported=tuple(found[k] for k in self.kinds),
        )  # fmt: skip

    def drawn(
        self, table: Table, line: Array, kind_limit: float | None, n: int, rounds: int, report: Report
    ) -> tuple[int, ...]:
        """Sources of real pictures drawn with replacement; a source that is drawn twice counts as two."""
        rng = np.random.default_rng(n)
        places: dict[str, list[int]] = {}
        for i, row in enumerate(table.rows):
            if not row.fake:
                places.setdefault(row.source, []).append(i)
        names = list(places)
        chosen = np.flatnonzero(table.fake).tolist()
        copies = [""] * len(chosen)
        for copy, k in enumerate(rng.integers(len(names), size=len(names))):
            chosen += places[names[k]]
            copies += [f" ({copy})"] * len(places[names[k]])
        mine = _renamed(table, chosen, copies)
        report("drawing sources", n + 1, rounds)
        return self.points(mine, line[chosen], kind_limit, None, 0).supported


def _renamed(table: Table, chosen: Sequence[int], copies: Sequence[str]) -> Table:
    rows = [
        replace(table.rows[i], source=table.rows[i].source + copy, sha256=table.rows[i].sha256 + copy)
        if copy
        else table.rows[i]
        for i, copy in zip(chosen, copies, strict=True)
    ]
    return Table(
        rows=tuple(rows), fake=table.fake[chosen], logit=table.logit[chosen],
        kinds=tuple(table.kinds[i] for i in chosen), clusters=table.clusters[chosen],
    )  # fmt: skip


def _shares(
    generated: Sequence[int], supported: Sequence[int], drawn: np.ndarray[tuple[int, int], np.dtype[np.int_]]
) -> tuple[Estimate, ...]:
    """Of every kind, then of all."""
    n = [*generated, sum(generated)]
    hits = [*supported, sum(supported)]
    every = np.column_stack([drawn, drawn.sum(1)]) / np.array(n)
    low, high = np.quantile(every, [0.025, 0.975], axis=0)
    return tuple(
        Estimate(value=h / m, low=float(a), high=float(b), n=m)
        for h, m, a, b in zip(hits, n, low, high, strict=True)
    )


def holding_page(found: Holding) -> str:
    """Markdown."""
    names = [k.value if k else "not known" for k in found.kinds]
    moved = [
        p
        for p in found.without
        if (p.log10_ratio, p.supported) != (found.points.log10_ratio, found.points.supported)
    ]
    head = ["points without", "pictures", *(f"{name}: point, supports" for name in names), "all"]
    lines = [
        f'Generated pictures that get "supports", of {sum(found.generated)} in the view {found.view}:',
        "",
        _row(head), "|" + "---|" * len(head),
        _points(found.points), *map(_points, moved),
        _row(["of", "", *(str(n) for n in found.generated), str(sum(found.generated))]),
    ]  # fmt: skip
    if found.share is not None:
        told = [f"{e.value:.1%} [{e.low:.1%}, {e.high:.1%}]" for e in found.share]
        lines += [_row(["share, sources drawn anew", "", *told])]
    others = len(found.without) - len(moved)
    lines += ["", f"Without any one of the other {others} such sources points stay where they are."]
    return "\n".join([*lines, ""])


def _points(p: Points) -> str:
    cells = [
        f"{'no answer' if at is None else f'{at:.2f}'}, {n}"
        for at, n in zip(p.log10_ratio, p.supported, strict=True)
    ]
    return _row([p.without or "nothing: as they are", str(p.pictures or ""), *cells, str(sum(p.supported))])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
