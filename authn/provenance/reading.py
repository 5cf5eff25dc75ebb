"""What an engine's codes say about each axis, and where two engines disagree.

A single success code is never read alone: a device certificate that acted as its own time-stamp authority got
``timeStamp.trusted`` beside a failure. An engine abstains (``NOT_EXAMINED``) where it said nothing, and where
it is known not to evaluate what stands in the file (``Abstention``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authn.core.evidence import Axis, Finding, Outcome
from authn.provenance import c2pa_codes
from authn.provenance.answers import Asked, EngineAnswer, EngineCode, EngineState

BINDING_MATCH = frozenset(
    {
        "assertion.dataHash.match",
        "assertion.bmffHash.match",
        "assertion.boxesHash.match",
        "assertion.collectionHash.match",
    }
)
DATA_HASH = "c2pa.hash.data"
OWN = "assay"  # our own check, where it answers in the form of an engine
# Our own word for a binding that leaves out more than the store, and C2PA's two. Its third, of ISO media, is
# also said of boxes without content, which every signer leaves out (``authn.provenance.left_out``).
LEAVES_OUT = "assay.integrity.leavesOut"
_LEAVES_OUT = frozenset(
    {LEAVES_OUT, *(f"assertion.{kind}Hash.additionalExclusionsPresent" for kind in ("data", "boxes"))}
)
_TIME_PREFIX = "timeStamp."
UNTRUSTED = "signingCredential.untrusted"
# A reader that refuses the certificate may give up there, and call a signature wrong that it did not compute
_GIVES_UP = frozenset(
    {"signingCredential.invalid", "signingCredential.expired", "claimSignature.outsideValidity"}
)


# Of a range that a hard binding leaves out, and of a part of it that is not allowed.
_NOT_COMPUTED = ("exclusion", "inithash must not be present")


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


def axis_of(code: EngineCode) -> Axis | None:
    """The axis that a failure code belongs to; None, and counted on none, where C2PA does not list it."""
    name = code.code
    for axis, listed in _AXES:
        if name in listed:
            return axis
    is_match = name in BINDING_MATCH  # c2pa-rs has this word for a hash that differs, too
    return Axis.INTEGRITY if is_match else None


_AXES = (
    (Axis.INTEGRITY, c2pa_codes.BYTES),
    (Axis.SIGNER, c2pa_codes.SIGNER),
    (Axis.REVOCATION, c2pa_codes.REVOCATION),
    (Axis.TIME, c2pa_codes.TIME),
    (Axis.HISTORY, c2pa_codes.HISTORY),
)


def is_private(code: EngineCode) -> bool:
    """Neither C2PA's nor about an identity assertion (``authn.provenance.identity``)."""
    return axis_of(code) is None and not code.code.startswith(c2pa_codes.IDENTITY_PREFIX)


def integrity_failures(answer: EngineAnswer) -> tuple[EngineCode, ...]:
    """What an engine says against the bytes and the structure around them."""
    found = tuple(
        c for c in answer.failures() if axis_of(c) is Axis.INTEGRITY and c.code not in c2pa_codes.COULD_NOT
    )
    gave_up = any(c.code in _GIVES_UP for c in answer.failures())
    return tuple(c for c in found if not (gave_up and c.code == "claimSignature.mismatch"))


def left_out(answers: Sequence[EngineAnswer]) -> EngineCode | None:
    """Where any reader finds that the signer bound less than the file. It is allowed, so that no engine calls
    it a failure; but whoever changes what was left out changes no digest. An engine also says so of a range
    without bytes; where our own check computed the digest, there was nothing."""
    if any(a.engine == OWN and engine_outcome(a, Axis.INTEGRITY) is Outcome.ESTABLISHED for a in answers):
        return None
    return next((c for a in answers for c in a.codes if c.code in _LEAVES_OUT), None)


def is_mismatch(code: EngineCode, *, whole: bool = True) -> bool:
    """A digest or a signature was computed, and it differs. Both engines also say so where they compute none,
    because of what the binding leaves out. That is about its form, where ``whole``: our own check finds the
    claim as it was signed; else something was put in beside it, for all that anybody knows."""
    listed = code.code in c2pa_codes.MISMATCH or code.code in BINDING_MATCH
    return listed and not (whole and any(words in code.detail.lower() for words in _NOT_COMPUTED))


def _is_structure(code: EngineCode) -> bool:
    return not is_mismatch(code) and code.code not in c2pa_codes.COULD_NOT


def structure_refused(answers: Sequence[EngineAnswer]) -> tuple[str, ...]:
    """What is wrong with the manifest store, where each engine that read it finds something; else empty."""
    each = [{c.code for c in integrity_failures(a) if _is_structure(c)} for a in answers]
    return tuple(sorted(set().union(*each))) if each and all(each) else ()


def code_outcome(code: EngineCode, *, whole: bool = True) -> Outcome:
    """How one failure code stands to the question of its axis; ``whole`` as in ``is_mismatch``."""
    if code.code in (UNTRUSTED, f"{_TIME_PREFIX}untrusted"):
        return Outcome.OUTSIDE_LISTS
    unknown = code.code == "signingCredential.ocsp.unknown"  # the responder has never heard of it
    if unknown or (axis_of(code) is Axis.INTEGRITY and not is_mismatch(code, whole=whole)):
        return Outcome.NOT_EXAMINED
    return Outcome.REFUTED


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
    if any(c.code in c2pa_codes.COULD_NOT for c in answer.failures()):
        return Outcome.NOT_EXAMINED
    bound = any(c.code in BINDING_MATCH and c.kind == "success" for c in answer.codes)
    bound |= answer.asked is Asked.OUTLINE and confirms_binding(answer)
    signed = answer.has("claimSignature.validated", kind="success")
    return Outcome.ESTABLISHED if bound and signed else Outcome.NOT_EXAMINED


def confirms_binding(answer: EngineAnswer) -> bool:
    """Whether the engine found the digests of the bytes, as the binding states them, to be those signed."""
    place = f"/{answer.active}/c2pa.assertions/{DATA_HASH}"
    return any(
        c.code == "assertion.hashedURI.match" and c.kind == "success" and c.where.endswith(place)
        for c in answer.codes
    )


def _signer(answer: EngineAnswer) -> Outcome:
    against = {code_outcome(c) for c in answer.failures() if axis_of(c) is Axis.SIGNER}
    if against:
        return Outcome.REFUTED if Outcome.REFUTED in against else Outcome.OUTSIDE_LISTS
    trusted = answer.has("signingCredential.trusted", kind="success")
    return Outcome.ESTABLISHED if trusted else Outcome.NOT_EXAMINED


def _time(answer: EngineAnswer) -> Outcome:
    said = {
        c.code.removeprefix(_TIME_PREFIX)
        for c in answer.codes
        if c.code.startswith(_TIME_PREFIX) and not c.about
    }
    if against := said - {"validated", "trusted"}:
        return Outcome.OUTSIDE_LISTS if against == {"untrusted"} else Outcome.REFUTED
    return Outcome.ESTABLISHED if said == {"validated", "trusted"} else Outcome.NOT_EXAMINED
