"""Steps 11 and 12 of the procedure: what the claims say happened, and what was recorded about ingredients.

Everything here was written by signers and claim generators: repeated as theirs, shortened, never believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cryptography.x509.oid import NameOID

from authn.core.evidence import AssertedClaim, Axis, AxisEvidence, ClaimedAction, Finding, Outcome
from authn.core.plain import Json, list_of, map_of
from authn.provenance import c2pa_codes
from authn.provenance.answers import EngineAnswer, EngineCode, EngineState, Scope, assertions_of, showing
from authn.provenance.own import OwnReading
from authn.provenance.reading import axis_of
from signer.claim import BURST_ASSERTION, DEVICE_ASSERTION

MAX_CLAIMS = 64
MAX_TEXT = 300

_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_NOBODY_S = Finding(
    code="assay.history.notExamined",
    outcome=Outcome.NOT_EXAMINED,
    detail="the claim signature does not verify: nobody can be said to have written this history",
)
# Statements about who signed an ingredient, not about whether it was changed.
_UNSETTLED = frozenset(
    {"signingCredential.untrusted", "signingCredential.expired", "timeStamp.untrusted"} | c2pa_codes.COULD_NOT
)


def history_axis(answers: Sequence[EngineAnswer], signature_holds: bool | None = True) -> AxisEvidence:
    """Established: actions are well-formed and nothing recorded about an ingredient speaks against it.

    Where the claim signature is refuted, nobody can be said to have written any of it."""
    answer = showing(answers)
    if answer.state is not EngineState.READ:
        return AxisEvidence.of(Axis.HISTORY, _not_read(answer))
    findings = tuple(_failures(answer, [a for a in answers if a is not answer]))
    broken = [f for f in findings if f.outcome is Outcome.REFUTED]
    if broken:
        outcome = Outcome.REFUTED
    elif findings:
        outcome = Outcome.NOT_EXAMINED
    elif signature_holds is False:
        return AxisEvidence.of(Axis.HISTORY, _NOBODY_S)
    else:
        return AxisEvidence.of(Axis.HISTORY, _nothing_against(answer))
    return AxisEvidence.of(Axis.HISTORY, *findings, outcome=outcome)


def asserted_claims(answers: Sequence[EngineAnswer], own: OwnReading) -> tuple[AssertedClaim, ...]:
    """What the manifests say, as text: generator, title, actions, source types, device assertion. Who says
    it is whose key our own check found to have signed the active manifest; of the others an engine's word."""
    found: list[AssertedClaim] = []
    answer = showing(answers)
    # the active one first; an engine has them in any order
    for label in sorted(answer.manifests, key=lambda name: (name != answer.active, name)):
        manifest = map_of(answer.manifests[label])
        by = _signer(own) if label in (answer.active, own.label) else _named(manifest)
        found.extend(_manifest_claims(label, manifest, by))
    return tuple(found[:MAX_CLAIMS])


def claimed_actions(answers: Sequence[EngineAnswer]) -> tuple[ClaimedAction, ...]:
    """What the active manifest says was done, in its order."""
    return tuple(map(_claimed, list(_actions(showing(answers).shown))[:MAX_CLAIMS]))


def claim_version(answers: Sequence[EngineAnswer]) -> int | None:
    version = showing(answers).shown.get("claim_version")
    return version if isinstance(version, int) else None


def _failures(first: EngineAnswer, others: Iterable[EngineAnswer]) -> Iterable[Finding]:
    """What the engine found that shows the claims, then what only another one says: that is left open."""
    seen: set[tuple[str, str, str]] = set()
    for code in first.codes:
        key = (code.code, code.about, code.scope)
        if code.kind == "failure" and _is_history(code) and key not in seen:
            seen.add(key)
            yield _finding(first, code, alone=False)
    known = {name for name, _, _ in seen}
    for other in others:
        for code in other.failures():
            if _is_history(code) and code.code not in known:
                known.add(code.code)
                yield _finding(other, code, alone=True)


def _is_history(code: EngineCode) -> bool:
    if axis_of(code) is None:  # nobody's listed code, or about an identity: shown elsewhere
        return False
    return code.scope is not Scope.ACTIVE or axis_of(code) is Axis.HISTORY


def _finding(answer: EngineAnswer, code: EngineCode, *, alone: bool) -> Finding:
    unsettled = alone or code.code in _UNSETTLED
    what = {
        Scope.ACTIVE: "about the active manifest",
        Scope.INGREDIENT: "about an ingredient",
        Scope.RECORDED: "recorded about an ingredient by the claim generator",
    }[code.scope]
    return Finding(
        code=code.code,
        outcome=Outcome.NOT_EXAMINED if unsettled else Outcome.REFUTED,
        detail=f"{what}: {code.detail or code.code}" + (f" (only {answer.engine} says so)" if alone else ""),
        facts=(("engine", answer.engine), ("scope", code.scope.value), ("about", code.about)),
    )


def _nothing_against(answer: EngineAnswer) -> Finding:
    manifests = answer.manifests
    ingredients = sum(len(list_of(map_of(m).get("ingredients"))) for m in manifests.values())
    return Finding(
        code="assay.history.consistent",
        outcome=Outcome.ESTABLISHED,
        detail="the actions are well-formed and nothing recorded about an ingredient speaks against it",
        facts=(("manifests", len(manifests)), ("ingredients", ingredients)),
    )


def _not_read(answer: EngineAnswer) -> Finding:
    return Finding(
        code="assay.history.notRead",
        outcome=Outcome.NOT_EXAMINED,
        detail=f"{answer.engine} could not read the claims: {answer.detail or answer.state.value}",
    )


def _signer(own: OwnReading) -> str:
    """Whoever wants a certificate's name beside a claim needs its key: anybody can bring the certificate."""
    if own.signature_holds is False:
        return "nobody: the claim signature does not verify"
    if not own.signature_holds or not own.certificates:
        return "somebody whose signature could not be checked"
    subject = own.certificates[0].subject
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if named := [str(a.value) for a in subject.get_attributes_for_oid(kind)]:
            return named[0]
    return subject.rfc4514_string() or "a signer without a name"


def _named(manifest: Mapping[str, Json]) -> str:
    """Of an ingredient, whose signature is the engine's to check: its findings stand under history."""
    signer = map_of(manifest.get("signature_info"))
    named = signer.get("common_name") or signer.get("issuer") or "a signer without a name"
    return f"{str(named)[:MAX_TEXT]} (by the certificate of an ingredient)"


def _manifest_claims(label: str, manifest: Mapping[str, Json], by: str) -> Iterable[AssertedClaim]:
    def claim(kind: str, statement: str) -> AssertedClaim:
        return AssertedClaim(
            label=kind, statement=statement[:MAX_TEXT], asserted_by=by[:MAX_TEXT], manifest=label[:MAX_TEXT]
        )

    told = manifest.get("claim_generator_info")  # a list in claims of version 1, and with c2pa-rs in all
    generator = [map_of(g) for g in (list_of(told) if isinstance(told, list) else [told] if told else [])]
    if generator:
        yield claim("generator", " ".join(str(generator[0].get(k, "")) for k in ("name", "version")).strip())
    if title := manifest.get("title"):
        yield claim("title", str(title))
    for action in _actions(manifest):
        source = str(action.get("digitalSourceType", "")).removeprefix(_SOURCE_TYPE)
        words = [
            str(action.get("action", "")),
            source and f"source type {source}",
            action.get("when") and f"at {action['when']}",
        ]
        yield claim("action", ", ".join(str(w) for w in words if w))
    for name, data in assertions_of(manifest):
        if name == DEVICE_ASSERTION:
            yield claim("device", json.dumps(data, sort_keys=True, ensure_ascii=False))
        if name == BURST_ASSERTION:
            yield claim("burst", f"photo {_of_burst(data)} that were signed as a set")
    for item in list_of(manifest.get("ingredients")):
        ingredient = map_of(item)
        yield claim(
            "ingredient", f"{ingredient.get('relationship', '')} {ingredient.get('title', '')}".strip()
        )


def _claimed(action: Mapping[str, Json]) -> ClaimedAction:
    return ClaimedAction(
        action=str(action.get("action", ""))[:MAX_TEXT],
        source_type=str(action.get("digitalSourceType") or "").removeprefix(_SOURCE_TYPE)[:MAX_TEXT],
        when=_instant(action.get("when")),
    )


def _instant(said: Json) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _actions(manifest: Mapping[str, Json]) -> Iterable[Mapping[str, Json]]:
    for label, data in assertions_of(manifest):
        if label.startswith("c2pa.actions"):
            yield from map(map_of, list_of(map_of(data).get("actions")))


def _of_burst(data: Json) -> str:
    said = map_of(data)
    return f"{said.get('index', '?')} of {len(list_of(said.get('uris')))}"
