"""One HTML page over thousands of reports: what was found, what was not looked at, and who must look.

Decides nothing about any file. Reads each report once and keeps a short row of it, so that memory grows with
the number of files and not with the size of their reports. Needs no script, no network and no other file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authn.core.evidence import Axis, HeuristicOutcome, Outcome, Question
from authn.core.instants import instant
from authn.core.visible import visible
from authn.report import wording
from authn.report.cards import Document, moment, outcome_of
from authn.report.html import content_security_policy, environment
from authn.report.vouching import guarantee_sentence, joint_of

MAX_REASONS_LISTED = 40
MAX_OTHERS_LISTED = 400
MAX_DISTINCT_REASONS = 2000
OTHER_REASONS = "other reasons; the JSON lines name each"

# Facets over the cryptographic column only; the key is also a class in the style sheet.
SITUATIONS = {
    "listed": "Unchanged, signed by somebody on your lists",
    "outside": "Unchanged, signed by somebody outside your lists",
    "changed": "Changed after it was signed, or its signature is broken",
    "partly": "Signed, with a part that was refuted or not examined",
    "damaged": "A credential that is damaged",
    "none": "No credential, which proves nothing",
    "unseen": "Credential not looked for",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What the audit knows about itself; ``skipped`` are (name, code, reason) of files without
    a report, ``others`` the names of those that are no media, ``beside`` how many of
    those are receipts or manifest stores."""

    started_at: datetime
    finished_at: datetime
    source: str
    counts: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, str, str], ...] = ()
    others: tuple[str, ...] = ()
    beside: int = 0
    results_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """What the page shows of one report; ``reasons`` say why a person should look, most pressing first."""

    name: str
    situation: str
    proof: str
    guess: str
    reasons: tuple[str, ...]
    contradicts: bool
    refuted: bool
    warned: bool


@dataclass(slots=True, kw_only=True)
class Gathered:
    files: list[FileRow] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    axes: Counter[tuple[str, str]] = field(default_factory=Counter)
    detectors: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    not_examined: Counter[tuple[str, str]] = field(default_factory=Counter)
    no_answer: Counter[tuple[str, str]] = field(default_factory=Counter)


def render_summary(rows: Iterable[dict[str, Any]], run: RunView) -> str:
    """HTML of an audit from its report JSON objects, read once; one with an ``error`` is a skipped file."""
    gathered = gather(rows)
    gathered.skipped.extend(run.skipped)
    pressing = sorted((f for f in gathered.files if f.reasons), key=_urgency)
    return (
        environment()
        .get_template("summary.html.j2")
        .render(
            source=visible(run.source, 200),
            started=moment(instant(run.started_at)),
            finished=moment(instant(run.finished_at)),
            counts=tuple((visible(k, 60), v) for k, v in run.counts),
            results_sha256=run.results_sha256,
            files=gathered.files,
            pressing=pressing,
            skipped=tuple((visible(n, 160), visible(c, 80), visible(d, 300)) for n, c, d in gathered.skipped),
            others=tuple(visible(name, 160) for name in run.others[:MAX_OTHERS_LISTED]),
            others_count=len(run.others),
            beside=run.beside,
            axis_rows=_axis_rows(gathered.axes),
            outcomes=tuple(wording.BADGES[o] for o in Outcome),
            detector_rows=_detector_rows(gathered.detectors),
            answers=tuple(wording.HEURISTIC_BADGES[o] for o in HeuristicOutcome),
            facets=_facets(gathered.files),
            not_examined=_most(gathered.not_examined),
            no_answer=_most(gathered.no_answer),
            situations=SITUATIONS,
            words=wording,
            policy=content_security_policy(),
        )
    )


def gather(rows: Iterable[dict[str, Any]]) -> Gathered:
    """Read every row once."""
    into = Gathered()
    for row in rows:
        if "error" in row:
            into.skipped.append((row["subject"]["name"], row["error"]["code"], row["error"]["detail"]))
            continue
        into.files.append(_file_row(row))
        for axis in Axis:
            into.axes[axis.value, outcome_of(axis, row["cryptographic"]["axes"][axis.value])] += 1
        for item in row["not_examined"]:
            _count(into.not_examined, (visible(item["what"], 80), visible(item["why"], 200)))
        for d in _answering(row):
            into.detectors[visible(d["id"], 60), d["question"], d["outcome"]] += 1
            if d["outcome"] == HeuristicOutcome.ABSTAIN.value:
                _count(into.no_answer, (visible(d["id"], 60), visible(d["reason"], 200)))
    return into


def _count(counter: Counter[tuple[str, str]], key: tuple[str, str]) -> None:
    """Reasons can quote a file; past a bound, new ones are counted together."""
    if key not in counter and len(counter) >= MAX_DISTINCT_REASONS:
        key = (key[0], OTHER_REASONS)
    counter[key] += 1


def _file_row(report: Document) -> FileRow:
    said = {axis: _said(report, axis) for axis in Axis}
    refuted = [f"{wording.AXIS_TITLES[a]}: {w.answer}" for a, (o, w) in said.items() if _counts_against(o, w)]
    pointing = [
        d for d in report["heuristic"]["detectors"] if d["outcome"] == HeuristicOutcome.SUPPORTS.value
    ]
    contradictions = [f"Contradiction: {visible(c['text'], 200)}" for c in report["contradictions"][:5]]
    return FileRow(
        name=visible(report["subject"]["name"], 160),
        situation=situation_of({a: o for a, (o, _) in said.items()}),
        proof=_established(said),
        guess="; ".join(_guess(d) for d in _answering(report)[:8]),
        reasons=(*contradictions, *refuted, *(_guess(d) for d in pointing[:8])),
        contradicts=bool(contradictions),
        refuted=bool(refuted),
        warned=bool(pointing),
    )


def _said(report: Document, axis: Axis) -> tuple[Outcome, wording.Words]:
    evidence = report["cryptographic"]["axes"][axis.value]
    outcome = outcome_of(axis, evidence)
    return outcome, wording.axis_words(axis, outcome, (f["code"] for f in evidence["findings"]))


def _counts_against(outcome: Outcome, words: wording.Words) -> bool:
    """Refuted, or left open by a disagreement. Outside the reader's lists is neither."""
    return outcome is Outcome.REFUTED or words is wording.disagreement()


def situation_of(outcomes: dict[Axis, Outcome]) -> str:
    """The facet of a file, from its cryptographic outcomes alone."""
    credential, integrity = outcomes[Axis.CREDENTIAL], outcomes[Axis.INTEGRITY]
    if credential is Outcome.ABSENT:
        return "none"
    if credential is Outcome.REFUTED:
        return "damaged"
    if integrity is Outcome.REFUTED:
        return "changed"
    if credential is Outcome.NOT_EXAMINED:
        return "unseen"
    if Outcome.REFUTED in outcomes.values() or integrity is not Outcome.ESTABLISHED:
        return "partly"
    signer = outcomes[Axis.SIGNER]
    return {Outcome.ESTABLISHED: "listed", Outcome.OUTSIDE_LISTS: "outside"}.get(signer, "partly")


def _established(said: dict[Axis, tuple[Outcome, wording.Words]]) -> str:
    """What is refuted first: no row may read well over a refuted axis."""

    def axes(wanted: Outcome) -> str:
        return ", ".join(wording.AXIS_TITLES[a].lower() for a, (o, _) in said.items() if o is wanted)

    refuted, held = axes(Outcome.REFUTED), axes(Outcome.ESTABLISHED)
    shown = f"established: {held}" if held else "nothing established"
    return f"refuted: {refuted}; {shown}" if refuted else shown


def _answering(report: Document) -> list[Document]:
    """Without those that another one joins: it answers in their place."""
    return [d for d in report["heuristic"]["detectors"] if joint_of(d) is None]


def _guess(d: Document) -> str:
    question, outcome = Question(d["question"]), HeuristicOutcome(d["outcome"])
    words = wording.heuristic_words(question, outcome, d["kind"], applicable=d["applicable"])
    vouched = guarantee_sentence(d)
    return f"{visible(d['id'], 60)}: {words.answer}" + ("" if vouched is None else f". {vouched.rstrip('.')}")


def _urgency(row: FileRow) -> int:
    """Contradictions first, then what signatures refute, then what only heuristics point to."""
    return 0 if row.contradicts else 1 if row.refuted else 2


def _axis_rows(counts: Counter[tuple[str, str]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(
        (wording.AXIS_TITLES[axis], tuple(counts[axis.value, o.value] for o in Outcome)) for axis in Axis
    )


def _detector_rows(counts: Counter[tuple[str, str, str]]) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    kinds = sorted({(d, q) for d, q, _ in counts})
    return tuple(
        (d, wording.QUESTIONS[Question(q)], tuple(counts[d, q, o.value] for o in HeuristicOutcome))
        for d, q in kinds
    )


def _facets(files: list[FileRow]) -> tuple[tuple[str, str, int], ...]:
    """(class, label, count) of every facet that has files; ``all`` is first."""
    by_situation = Counter(f.situation for f in files)
    facets = [
        ("all", "All files", len(files)),
        ("look", "A person should look", sum(bool(f.reasons) for f in files)),
        ("contra", "With a contradiction", sum(f.contradicts for f in files)),
        ("warned", "A heuristic points to something", sum(f.warned for f in files)),
        *((key, label, by_situation[key]) for key, label in SITUATIONS.items()),
    ]
    return tuple(f for f in facets if f[2] or f[0] == "all")


def _most(counter: Counter[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    listed = [(what, why, n) for (what, why), n in counter.most_common(MAX_REASONS_LISTED)]
    if rest := sum(counter.values()) - sum(n for _, _, n in listed):
        listed.append(("…", OTHER_REASONS, rest))
    return tuple(listed)
