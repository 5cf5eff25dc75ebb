"""What an engine's codes say about each axis, and where two engines disagree.

A single success code is never read alone: a device certificate that acted as its own time-stamp authority got
``timeStamp.trusted`` beside a failure. An engine abstains (``NOT_EXAMINED``) where it said nothing, and where
it is known not to evaluate what stands in the file (``Abstention``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authn.evidence import Axis, Finding, Outcome
from authn.provenance.engines import EngineAnswer, EngineCode, EngineState

BINDING_MATCH = frozenset(
    {
        "assertion.dataHash.match",
        "assertion.bmffHash.match",
        "assertion.boxesHash.match",
        "assertion.collectionHash.match",
    }
)
# A digest or a signature was computed, and it differs: no opinion about structure can weaken that.
MISMATCH = frozenset(
    {
        "assertion.dataHash.mismatch",
        "assertion.bmffHash.mismatch",
        "assertion.boxesHash.mismatch",
        "assertion.boxesHash.unknownBox",
        "assertion.collectionHash.mismatch",
        "assertion.hashedURI.mismatch",
        "claimSignature.mismatch",
    }
)
_SIGNER_PREFIX = "signingCredential."
_TIME_PREFIX = "timeStamp."
_HISTORY_PREFIXES = ("assertion.action.", "ingredient.", "manifest.update.", "manifest.compressed.")
_IDENTITY_PREFIX = "cawg."
# They speak about the signer's validity or revocation, not about the bytes.
_NOT_INTEGRITY = (
    _SIGNER_PREFIX,
    _TIME_PREFIX,
    *_HISTORY_PREFIXES,
    _IDENTITY_PREFIX,
    "claimSignature.outside",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstention:
    """A known limit of one engine that explains its answer on one axis (docs/decisions/0004).

    ``by_clock``: it depends on the day of reading, so it is no finding; a report must read the same for ever.
    """

    engine: str
    axis: Axis
    reason: str
    by_clock: bool = False


def engine_outcome(answer: EngineAnswer, axis: Axis) -> Outcome:
    """Of integrity, signer and time only; the other axes are not the engines' to answer."""
    if answer.state is not EngineState.READ:
        return Outcome.NOT_EXAMINED
    return {Axis.INTEGRITY: _integrity, Axis.SIGNER: _signer, Axis.TIME: _time}[axis](answer)


def axis_of(code: EngineCode) -> Axis:
    """The axis that a failure code belongs to."""
    name = code.code
    if name.startswith(_SIGNER_PREFIX):
        return Axis.REVOCATION if ".ocsp." in name or name.endswith(".revoked") else Axis.SIGNER
    if name.startswith("claimSignature.outside"):
        return Axis.SIGNER
    if name.startswith(_TIME_PREFIX):
        return Axis.TIME
    if name.startswith((*_HISTORY_PREFIXES, _IDENTITY_PREFIX)):
        return Axis.HISTORY
    return Axis.INTEGRITY


def integrity_failures(answer: EngineAnswer) -> tuple[EngineCode, ...]:
    return tuple(c for c in answer.failures() if not c.code.startswith(_NOT_INTEGRITY))


def disagreement(
    axis: Axis, views: Mapping[str, Outcome], abstentions: tuple[Abstention, ...]
) -> tuple[Finding, ...]:
    """Findings that name who differs about what; empty where all who speak agree."""
    findings = [
        Finding(
            code="assay.engines.abstention",
            outcome=Outcome.NOT_EXAMINED,
            detail=f"{a.engine} is not heard on {axis.value}: {a.reason}",
            facts=(("axis", axis.value), ("engine", a.engine)),
        )
        for a in abstentions
        if a.axis is axis and a.engine in views and not a.by_clock
    ]
    spoken = speaking(axis, views, abstentions)
    if len(set(spoken.values())) > 1:
        words = ", ".join(f"{who} says {outcome.value}" for who, outcome in spoken.items())
        findings.append(
            Finding(
                code="assay.engines.disagreement",
                outcome=Outcome.NOT_EXAMINED,
                detail=f"on {axis.value} {words}",
                facts=(("axis", axis.value), *((who, outcome.value) for who, outcome in spoken.items())),
            )
        )
    return tuple(findings)


def speaking(
    axis: Axis, views: Mapping[str, Outcome], abstentions: tuple[Abstention, ...]
) -> dict[str, Outcome]:
    """The views that count on this axis: not silent, not excused."""
    excused = {a.engine for a in abstentions if a.axis is axis}
    return {w: o for w, o in views.items() if o is not Outcome.NOT_EXAMINED and w not in excused}


def _integrity(answer: EngineAnswer) -> Outcome:
    if integrity_failures(answer):
        return Outcome.REFUTED
    bound = any(c.code in BINDING_MATCH and c.kind == "success" for c in answer.codes)
    signed = answer.has("claimSignature.validated", kind="success")
    return Outcome.ESTABLISHED if bound and signed else Outcome.NOT_EXAMINED


def _signer(answer: EngineAnswer) -> Outcome:
    if any(axis_of(c) is Axis.SIGNER for c in answer.failures()):
        return Outcome.REFUTED
    trusted = answer.has("signingCredential.trusted", kind="success")
    return Outcome.ESTABLISHED if trusted else Outcome.NOT_EXAMINED


def _time(answer: EngineAnswer) -> Outcome:
    said = {
        c.code.removeprefix(_TIME_PREFIX)
        for c in answer.codes
        if c.code.startswith(_TIME_PREFIX) and not c.about
    }
    if said - {"validated", "trusted"}:
        return Outcome.REFUTED
    return Outcome.ESTABLISHED if said == {"validated", "trusted"} else Outcome.NOT_EXAMINED
