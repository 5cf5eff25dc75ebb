"""What stands on top of a report: sentences about proof, one about heuristics, and what a policy adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authn.core.evidence import HeuristicOutcome, Question
from authn.core.visible import visible
from authn.report import wording
from authn.report.cards import MAX_ROWS, Document, stored_axes
from authn.report.doubts import IN_SHORT_ID, alone, beside, doubts
from authn.report.language import ENGLISH, Told, speaking, spoken, t, tell
from authn.report.vouching import guarantee_sentence, joint_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """Every refuted axis, or else the first true statement; the other true ones; one on the other column."""

    sentence: Told
    others: tuple[Told, ...]
    heuristic: str
    refuted: bool = False


def headline(report: Document) -> Headline:
    """From the statements of the report. Those of an earlier release may lack a refutation: then it is said,
    and nothing else is."""
    statements = [s for s in report["statements"] if s["value"] is True]
    axes = stored_axes(report)
    found = doubts(axes)
    ids = {d.id for d in found}
    whole = ids <= {s["id"] for s in statements}
    with speaking(ENGLISH):
        before = f"{beside(found)} " if found else ""
    in_short = Told(alone(axes), spoken())
    own = {p["id"]: p["texts"] for p in report.get("policy_statements", ()) if p["value"] is True}
    true = [
        in_short if s["id"] == IN_SHORT_ID else _statement(s, own.get(s["id"], {}), before, beside(found))
        for s in statements
        if s["id"] not in ids
    ]
    first = [Told(visible(d.sentence), spoken()) for d in found] or true[:1] or [in_short]
    return Headline(
        sentence=Told(" ".join(s.text for s in first), first[0].code),
        others=tuple(true[0 if found else 1 : MAX_ROWS]) if whole else (),
        heuristic=heuristic_sentence(report["heuristic"]["detectors"]),
        refuted=bool(found),
    )


def _statement(statement: Document, texts: Mapping[str, str], before: str, beside_now: str) -> Told:
    """A statement in the language of the rendering: the policy's own text of it, or the table's; without what
    it begins with while an axis is refuted, since the sentence above it says that."""
    if spoken() != ENGLISH and spoken() in texts:
        return Told(visible(texts[spoken()].removeprefix(f"{beside_now} ")), spoken())
    text: str = statement["text"]
    return tell(text.removeprefix(before))


def policy_hints(report: Document) -> tuple[Told, ...]:
    """What the policy says that does not rest on proof alone, each with its kind in it. Most reports have
    none."""
    said = [
        s["texts"]
        for s in report.get("policy_statements", ())[:MAX_ROWS]
        if s["value"] is True and s["kind"] != "cryptographic"
    ]
    codes = [spoken() if spoken() in texts else ENGLISH for texts in said]
    return tuple(
        Told(visible(texts[code], 900), code)
        for texts, code in zip(said, codes, strict=True)
        if code in texts
    )


def heuristic_sentence(detectors: list[Document]) -> str:
    """How the heuristic answers are spread; a count of answers, never a sum of them. What is joined counts
    once."""
    if not detectors:
        return t("heuristics.none")
    detectors = [d for d in detectors if joint_of(d) is None]
    of = {o: [d for d in detectors if d["outcome"] == o.value] for o in HeuristicOutcome}
    parts = []
    if pointing := of[HeuristicOutcome.SUPPORTS]:
        parts.append(", ".join(_pointing(d) for d in pointing[:4]))
    others = (HeuristicOutcome.AGAINST, HeuristicOutcome.INCONCLUSIVE, HeuristicOutcome.ABSTAIN)
    parts += [t(f"heuristics.{o.value}", n=len(of[o])) for o in others if of[o]]
    return t("heuristics" if pointing else "heuristics.quiet", parts="; ".join(parts))


def _pointing(d: Document) -> str:
    title = wording.QUESTION_TITLES[Question(d["question"])]
    said = t("heuristics.pointing", source=visible(d["id"], 40), title=title)
    vouched = guarantee_sentence(d)
    return said if vouched is None else f"{said} ({vouched[0].lower()}{vouched[1:].rstrip('.')})"
