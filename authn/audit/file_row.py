"""One report in a line of a page, and whether a person should look at it.

Decides nothing about a file: it says what its report says, shorter. What presses more comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

from authn.audit.results import Row, is_not_media
from authn.core.evidence import Axis, HeuristicOutcome, Outcome, Question
from authn.core.visible import visible
from authn.report import wording
from authn.report.cards import Document, outcome_of
from authn.report.language import t, told
from authn.report.vouching import guarantee_sentence, joint_of

# Facets over the cryptographic column only; each is also a class in the style sheet.
SITUATIONS = ("listed", "outside", "changed", "partly", "damaged", "none", "unseen")

# What a person should see sooner is smaller.
CONTRADICTS, REFUTED, WARNED, WITHOUT_REPORT, QUIET, NO_MEDIA = range(6)


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

    @property
    def urgency(self) -> int:
        """Contradictions first, then what signatures refute, then what only heuristics point to."""
        if self.contradicts:
            return CONTRADICTS
        if self.refuted:
            return REFUTED
        return WARNED if self.warned else QUIET

    @property
    def facets(self) -> tuple[str, ...]:
        said = (("look", bool(self.reasons)), ("contra", self.contradicts), ("warned", self.warned))
        return tuple(name for name, applies in said if applies)


def urgency_of_refusal(row: Row) -> int:
    """Of a row without a report."""
    return NO_MEDIA if is_not_media(row) else WITHOUT_REPORT


def file_row(report: Document) -> FileRow:
    """What a page shows of one report."""
    said = {axis: _said(report, axis) for axis in Axis}
    refuted = [f"{wording.AXIS_TITLES[a]}: {w.answer}" for a, (o, w) in said.items() if _counts_against(o, w)]
    pointing = [
        d for d in report["heuristic"]["detectors"] if d["outcome"] == HeuristicOutcome.SUPPORTS.value
    ]
    contradictions = [
        t("audit.contradiction", text=told(c["text"], 200)) for c in report["contradictions"][:5]
    ]
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
    shown = t("audit.established", axes=held) if held else t("audit.established.nothing")
    return t("audit.refuted", axes=refuted, rest=shown) if refuted else shown


def _answering(report: Document) -> list[Document]:
    """Without those that another one joins: it answers in their place."""
    return [d for d in report["heuristic"]["detectors"] if joint_of(d) is None]


def _guess(d: Document) -> str:
    question, outcome = Question(d["question"]), HeuristicOutcome(d["outcome"])
    words = wording.heuristic_words(question, outcome, d["kind"], applicable=d["applicable"], source=d["id"])
    vouched = guarantee_sentence(d)
    return f"{visible(d['id'], 60)}: {words.answer}" + ("" if vouched is None else f". {vouched.rstrip('.')}")
