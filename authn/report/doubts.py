"""Which axes are refuted, as sentences that stand before everything else a report says.

They are made from outcomes and words alone, and no policy takes part in it: whoever reads the first sentence
of a report has read every refutation (docs/decisions/0015). Works on the evidence and on its stored JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authn.evidence import Axis, AxisEvidence, Outcome
from authn.report import wording

_UNCHANGED_OUTSIDE = (Outcome.ESTABLISHED, Outcome.OUTSIDE_LISTS)
ID = "assay.statement.refuted"
ID_PREFIX = f"{ID}."
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
    """An axis that is refuted, or established while one of its findings is."""

    axis: Axis
    sentence: str

    @property
    def id(self) -> str:
        return ID_PREFIX + self.axis.value


def doubts(axes: Axes) -> tuple[Doubt, ...]:
    """The heaviest first; none of them ever left out."""
    return tuple(
        Doubt(axis=axis, sentence=sentence)
        for axis in _ORDER
        if (sentence := _sentence(axis, axes[axis])) is not None
    )


def _sentence(axis: Axis, found: AxisEvidence) -> str | None:
    title = wording.AXIS_TITLES[axis]
    if found.outcome is Outcome.REFUTED:
        words = wording.axis_words(axis, found.outcome, (f.code for f in found.findings))
        return wording.AXIS_REFUTED.format(axis=title, answer=words.answer[0].lower() + words.answer[1:])
    if found.outcome is Outcome.ESTABLISHED:
        for finding in found.findings:
            if finding.outcome is Outcome.REFUTED:
                return wording.PART_REFUTED.format(axis=title, detail=finding.detail.rstrip("."))
    return None


def beside(found: tuple[Doubt, ...]) -> str:
    """What every other sentence begins with while these stand."""
    names = ", ".join(wording.AXIS_TITLES[d.axis].lower() for d in found)
    return wording.REFUTED_BESIDE.format(axes=names)


def alone(axes: Axes) -> str:
    """The sentence of a report in which no other sentence holds: what the rows below it say, no more."""
    if axes[Axis.CREDENTIAL].outcome is Outcome.ABSENT:
        return wording.ABSENT_ALONE.format(answer=wording.AXIS_WORDS[Axis.CREDENTIAL, Outcome.ABSENT].answer)
    if (axes[Axis.INTEGRITY].outcome, axes[Axis.SIGNER].outcome) == _UNCHANGED_OUTSIDE:
        unchanged = wording.AXIS_WORDS[Axis.INTEGRITY, Outcome.ESTABLISHED].answer
        return f"{unchanged}. {wording.AXIS_WORDS[Axis.SIGNER, Outcome.OUTSIDE_LISTS].answer}."
    held = [wording.AXIS_TITLES[a].lower() for a in Axis if axes[a].outcome is Outcome.ESTABLISHED]
    return wording.ESTABLISHED_ALONE.format(axes=", ".join(held)) if held else wording.NO_STATEMENT
