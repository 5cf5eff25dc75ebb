"""What contradictions are found among: a report before it has any, and what a row of their table is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from authn.core.contradiction_codes import ContradictionCode, could_show
from authn.core.evidence import (
    Axis,
    ClaimedAction,
    CryptographicEvidence,
    FactValue,
    HeuristicEvidence,
    HeuristicOutcome,
    Outcome,
)
from authn.core.likeness import Recovered
from authn.core.report import Contradiction, Severity

CAMERA_SOURCES = frozenset({"digitalCapture", "computationalCapture"})
GENERATED_SOURCES = frozenset({"trainedAlgorithmicMedia", "algorithmicMedia", "virtualRecording"})
_UNTOUCHED = frozenset({"c2pa.created", "c2pa.published"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What stands in a report before its contradictions, and what the active manifest claims was done."""

    proof: CryptographicEvidence
    actions: tuple[ClaimedAction, ...]
    guesses: tuple[HeuristicEvidence, ...]
    recovered: tuple[Recovered, ...] = ()

    @property
    def intact(self) -> bool:
        return self.proof.axis(Axis.INTEGRITY).outcome is Outcome.ESTABLISHED

    @property
    def captured(self) -> str:
        """The source type under which an intact file claims that a camera made it; else ""."""
        types = (a.source_type for a in self.actions if a.source_type in CAMERA_SOURCES)
        return next(types, "") if self.intact else ""

    @property
    def untouched(self) -> str:
        """As ``captured``, where no action after that is claimed either."""
        return self.captured if all(a.action in _UNTOUCHED for a in self.actions) else ""

    @property
    def generated(self) -> str:
        """The source type under which an intact file claims that a generator made all of it; else ""."""
        types = (a.source_type for a in self.actions if a.source_type in GENERATED_SOURCES)
        return next(types, "") if self.intact else ""

    @property
    def device(self) -> str:
        """The name of the registered device whose key signed, not revoked by then; else ""."""
        axis = self.proof.axis(Axis.DEVICE)
        if not self.intact or axis.outcome is not Outcome.ESTABLISHED:
            return ""
        return str(dict(axis.findings[0].facts).get("name") or "")

    @property
    def stripped(self) -> bool:
        return self.proof.axis(Axis.CREDENTIAL).outcome is Outcome.ABSENT

    def pointing(self, code: ContradictionCode) -> Iterator[tuple[str, HeuristicEvidence]]:
        """Sources from which a side of this contradiction can come and that point to it, each with its
        place."""
        for place, g in self.each():
            if could_show(g, code) and g.outcome is HeuristicOutcome.SUPPORTS:
                yield place, g

    def each(self) -> Iterator[tuple[str, HeuristicEvidence]]:
        return ((f"/heuristic/detectors/{i}", g) for i, g in enumerate(self.guesses))

    def camera(self) -> tuple[str, dict[str, FactValue]] | None:
        """Where EXIF names a camera with its exposure, and what it says there."""
        for place, g in self.each():
            for finding in g.findings:
                if finding.code == "assay.metadata.camera":
                    return place, dict(finding.facts)
        return None


Found = tuple[str, str, dict[str, str]]  # two places in the report, and what fills the sentence
Finds = Callable[[Seen], Iterable[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``sides`` says in words what is set beside what, ``innocent`` how it comes about without a lie."""

    code: ContradictionCode
    severity: Severity
    sides: tuple[str, str]
    text: str
    innocent: str
    finds: Finds

    def among(self, seen: Seen) -> Iterator[Contradiction]:
        for first, second, values in self.finds(seen):
            text = self.text.format(**values)
            yield Contradiction(
                between=(first, second), text=text, code=self.code.value, severity=self.severity
            )
