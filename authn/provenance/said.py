"""Findings from what the engines say, in their words."""

from __future__ import annotations

from collections.abc import Sequence

from authn.core.evidence import Axis, AxisEvidence, Finding, Outcome
from authn.provenance.answers import EngineAnswer, EngineCode, EngineState
from authn.provenance.reading import (
    LEAVES_OUT,
    Abstention,
    axis_of,
    code_outcome,
    is_private,
    left_out,
    structure_refused,
)


def engine_codes(
    answers: Sequence[EngineAnswer],
    axis: Axis,
    but: str,
    abstentions: tuple[Abstention, ...] = (),
    *,
    whole: bool = True,
) -> tuple[Finding, ...]:
    """Failure codes of the engines that are heard on this axis, verbatim, each code once, from an engine that
    refutes by it if there is one. ``whole`` as in ``is_mismatch``."""
    excused = {a.engine for a in abstentions if a.axis is axis}
    found: dict[str, tuple[EngineAnswer, EngineCode]] = {}
    for answer in (a for a in answers if a.engine not in excused):
        for code in answer.failures():
            if axis_of(code) is not axis or code.code == but:
                continue
            if code.code not in found or code_outcome(code, whole=whole) is Outcome.REFUTED:
                found[code.code] = (answer, code)
    return tuple(
        Finding(
            code=name,
            outcome=code_outcome(code, whole=whole),
            detail=f"{answer.engine}: {code.detail or name}",
            facts=(("engine", answer.engine),),
        )
        for name, (answer, code) in found.items()
    )


def bound_in_part(answers: Sequence[EngineAnswer]) -> Finding | None:
    """Where the signer left content out of the binding: what fits then is not the file."""
    said = left_out(answers)
    if said is None:
        return None
    detail = f"the signer did not bind the whole file ({said.detail or said.code}); the rest may have changed"
    return Finding(code=LEAVES_OUT, outcome=Outcome.NOT_EXAMINED, detail=detail)


def private_codes(answers: Sequence[EngineAnswer]) -> tuple[Finding, ...]:
    """What an engine says in codes of its own: shown, each once, and counted on no axis."""
    found = {c.code: (a.engine, c) for a in answers for c in a.codes if c.kind == "failure" and is_private(c)}
    return tuple(
        Finding(
            code="assay.engines.ownCode",
            outcome=Outcome.NOT_EXAMINED,
            detail=f"{engine} says {name}, which C2PA does not list: {code.detail or 'without a reason'}",
            facts=(("engine", engine), ("code", name)),
        )
        for name, (engine, code) in found.items()
    )


def with_structure(credential: AxisEvidence, answers: Sequence[EngineAnswer]) -> AxisEvidence:
    """The credential axis, refuted where every engine finds something missing, doubled or out of form in the
    store. That says nothing about the bytes beside it."""
    read = [a for a in answers if a.state is EngineState.READ]
    wrong = structure_refused(read) if len(read) > 1 else ()
    if not wrong:
        return credential
    finding = Finding(
        code="assay.credential.malformed",
        outcome=Outcome.REFUTED,
        detail=f"every reader finds the manifest store out of form: {', '.join(wrong)}",
    )
    return AxisEvidence.of(Axis.CREDENTIAL, finding, *credential.findings)
