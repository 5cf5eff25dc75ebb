"""Which axes are refuted, as sentences that stand before everything else a report says.

They are made from outcomes and words alone, and no policy takes part in it: whoever reads the first sentence
of a report has read every refutation (docs/decisions/0015). Works on the evidence and on its stored JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authn.core.evidence import Axis, AxisEvidence, Outcome
from authn.report import wording
from authn.report.language import t, translated

_UNCHANGED_OUTSIDE = (Outcome.ESTABLISHED, Outcome.OUTSIDE_LISTS)
IN_SHORT_ID = "assay.statement.inShort"  # of ``alone``, where it stands in the report
ID, PART_ID = "assay.statement.refuted", "assay.statement.notReliedOn"
ID_PREFIX, PART_PREFIX = f"{ID}.", f"{PART_ID}."
# What weighs most is said first.
_ORDER = (
    Axis.INTEGRITY,
    Axis.REVOCATION,
    Axis.SIGNER,
    Axis.DEVICE,
    Axis.TIME,
    Axis.CREDENTIAL,
    Axis.HISTORY,
    Axis.LOG,
)


Axes = Mapping[Axis, AxisEvidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An axis that is refuted, or (not ``whole``) one that is established while one of its findings is."""

    axis: Axis
    sentence: str
    whole: bool

    @property
    def id(self) -> str:
        return (ID_PREFIX if self.whole else PART_PREFIX) + self.axis.value


def doubts(axes: Axes) -> tuple[Doubt, ...]:
    """What is refuted as a whole before what is in part, the heaviest first; none of them ever left out."""
    order = sorted(_ORDER, key=lambda axis: axes[axis].outcome is not Outcome.REFUTED)
    return tuple(
        Doubt(axis=axis, sentence=sentence, whole=axes[axis].outcome is Outcome.REFUTED)
        for axis in order
        if (sentence := _sentence(axis, axes[axis])) is not None
    )


def _sentence(axis: Axis, found: AxisEvidence) -> str | None:
    title = wording.AXIS_TITLES[axis]
    if found.outcome is Outcome.REFUTED:
        words = wording.axis_words(axis, found.outcome, (f.code for f in found.findings))
        return t("doubt.refuted", axis=title, answer=words.answer[0].lower() + words.answer[1:])
    if found.outcome is Outcome.ESTABLISHED:
        for finding in found.findings:
            if finding.outcome is Outcome.REFUTED:
                detail = translated(finding.detail)
                if detail is None:  # a sentence of two languages would be none
                    return t("doubt.part.untold", axis=title, code=finding.code)
                return t("doubt.part", axis=title, detail=detail.rstrip("."))
    return None


def beside(found: tuple[Doubt, ...]) -> str:
    """What every other sentence begins with while these stand."""
    said = []
    for whole, key in ((True, "beside.refuted"), (False, "beside.part")):
        if names := [axis_name(d.axis) for d in found if d.whole is whole]:
            said.append(t(key, axes=", ".join(names)))
    return " ".join(said)


def alone(axes: Axes) -> str:
    """The sentence of a report in which no other sentence holds: what the rows below it say, no more."""
    if axes[Axis.CREDENTIAL].outcome is Outcome.ABSENT:
        return t("alone.absent", answer=wording.AXIS_WORDS[Axis.CREDENTIAL, Outcome.ABSENT].answer)
    if (axes[Axis.INTEGRITY].outcome, axes[Axis.SIGNER].outcome) == _UNCHANGED_OUTSIDE:
        unchanged = wording.AXIS_WORDS[Axis.INTEGRITY, Outcome.ESTABLISHED].answer
        return f"{unchanged}. {wording.AXIS_WORDS[Axis.SIGNER, Outcome.OUTSIDE_LISTS].answer}."
    held = [axis_name(a) for a in Axis if axes[a].outcome is Outcome.ESTABLISHED]
    return t("alone.established", axes=", ".join(held)) if held else t("alone.nothing")


def axis_name(axis: Axis) -> str:
    """The title of an axis as it stands within a sentence."""
    title = wording.AXIS_TITLES[axis]
    return title.lower() if t("nouns.lower") == "yes" else title
