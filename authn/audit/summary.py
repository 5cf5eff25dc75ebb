"""One HTML page over any number of reports: what was found, what was not looked at, and who must look.

Decides nothing about any file. It counts; the files themselves are on contact sheets (``pages``). Needs no
script and no network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from authn.audit.counts import Counts
from authn.audit.file_row import SITUATIONS, FileRow, file_row
from authn.audit.frame import environment, page_policy, page_style
from authn.audit.results import Row
from authn.core.evidence import Axis, HeuristicOutcome, Outcome, Question
from authn.core.instants import instant
from authn.core.visible import visible
from authn.report import wording
from authn.report.cards import moment
from authn.report.language import t

MAX_REASONS_LISTED = 40
MAX_OTHERS_LISTED = 400
MAX_LISTED = 200  # files on the summary; the others are on the sheets
FILES_PER_SHEET = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What the audit knows about itself; ``skipped`` are (name, code, reason) of files without a report,
    ``others`` the names of those that are no media, ``beside`` how many of those are receipts or manifest
    stores. Where there are more than are given, the counts say how many. ``sheets``: address, first, last;
    the first so many of what presses have ``reports`` of their own."""

    started_at: datetime
    finished_at: datetime
    source: str
    counts: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, str, str], ...] = ()
    skipped_count: int = 0
    others: tuple[str, ...] = ()
    others_count: int = 0
    beside: int = 0
    results_sha256: str | None = None
    sheets: tuple[tuple[str, int, int], ...] = ()
    reports: int = 0


@dataclass(slots=True, kw_only=True)
class Gathered:
    files: list[FileRow] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def render_summary(rows: Iterable[Row], run: RunView, counts: Counts | None = None) -> str:
    """HTML of an audit. ``rows`` are those to be named on it, of which one with an ``error`` is a skipped
    file; ``counts`` are those over all rows where these are not all."""
    gathered = gather(rows)
    said = counts or gathered.counts
    skipped = (*gathered.skipped, *run.skipped)
    pressing = sorted((f for f in gathered.files if f.reasons), key=lambda f: f.urgency)
    template = environment().get_template("summary.html.j2")
    return template.render(
        source=visible(run.source, 200),
        started=moment(instant(run.started_at)),
        finished=moment(instant(run.finished_at)),
        counts=tuple((visible(k, 60), v) for k, v in run.counts),
        results_sha256=run.results_sha256,
        reported=said["rows", "reported"],
        look=max(said["facet", "look"], len(pressing)),
        pressing=pressing[:MAX_LISTED],
        skipped=tuple((visible(n, 160), visible(c, 80), visible(d, 300)) for n, c, d in skipped),
        without_report=max(run.skipped_count, len(skipped)),
        others=tuple(visible(name, 160) for name in run.others[:MAX_OTHERS_LISTED]),
        others_count=max(run.others_count, len(run.others)),
        beside=run.beside,
        axis_rows=_axis_rows(said),
        outcomes=tuple(wording.BADGES[o] for o in Outcome),
        detector_rows=_detector_rows(said),
        answers=tuple(wording.HEURISTIC_BADGES[o] for o in HeuristicOutcome),
        facets=tuple((label, n) for _, label, n in facets(said)),
        not_examined=_most(said.pairs("not_examined")),
        no_answer=_most(said.pairs("no_answer")),
        sheets=run.sheets,
        reports=run.reports,
        per_sheet=FILES_PER_SHEET,
        words=wording,
        style=page_style(),
        policy=page_policy(),
    )


def gather(rows: Iterable[Row]) -> Gathered:
    """Read every row once."""
    into = Gathered()
    for row in rows:
        if "error" in row:
            into.counts.add(row)
            into.skipped.append((row["subject"]["name"], row["error"]["code"], row["error"]["detail"]))
            continue
        shown = file_row(row)
        into.files.append(shown)
        into.counts.add(row, situation=shown.situation, facets=shown.facets)
    return into


def facets(counts: Counts) -> tuple[tuple[str, str, int], ...]:
    """(class, label, count) of every facet that has files; ``all`` is first."""
    found = [
        ("all", t("audit.all"), counts["rows", "reported"] + counts["rows", "not_reported"]),
        ("look", t("audit.look"), counts["facet", "look"]),
        ("contra", t("audit.facet.contra"), counts["facet", "contra"]),
        ("warned", t("audit.facet.warned"), counts["facet", "warned"]),
        *((key, t(f"audit.situation.{key}"), counts["situation", key]) for key in SITUATIONS),
        ("refused", t("audit.facet.refused"), counts["rows", "not_reported"]),
    ]
    return tuple(f for f in found if f[2] or f[0] == "all")


def _axis_rows(counts: Counts) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(
        (wording.AXIS_TITLES[axis], tuple(counts["axis", axis.value, o.value] for o in Outcome))
        for axis in Axis
    )


def _detector_rows(counts: Counts) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    return tuple(
        (
            d,
            wording.QUESTIONS[Question(q)],
            tuple(counts["detector", d, q, o.value] for o in HeuristicOutcome),
        )
        for d, q in counts.detectors()
    )


def _most(counter: Counter[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    listed = [(what, why, n) for (what, why), n in counter.most_common(MAX_REASONS_LISTED)]
    if rest := sum(counter.values()) - sum(n for _, _, n in listed):
        listed.append(("…", t("audit.other_reasons"), rest))
    return tuple(listed)
