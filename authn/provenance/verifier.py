"""From bytes to cryptographic evidence. The whole procedure; every block below bears its number.

 1. locate the manifest store in the bytes ourselves (``signer.proof.container``); two stores are refused, and
    so is to add up readers that look at different manifests
 2. read the file with both engines, network off, as much of it as it takes (``authn.provenance.asking``)
 3. credential axis: is there one, can it be read, does policy accept its claim version
 4. take the claim signature apart and verify it with the leaf's key (``signer.proof.cose``)
 5. time axis: verify every time-stamp token against the time-stamping roots only; proven time = genTime
 6. signer axis: the leaf's kind, validity and path against the signer roots only, at the proven time, or at
    the as-of time where no time is proven
 7. integrity axis: hard binding and assertion digests by both engines and by us, as far as we compute them
    (``authn.provenance.binding``), claim signature by us
 8. for 5 to 7, compare all who examined: a disagreement is a finding and never ends as established
 9. device axis: look the leaf's key up in the registry view; its status at the proven time, and whether
    another capture bears the same number
10. revocation axis: registry and revocation lists against the proven time, and what engines found stapled
11. history axis: actions and ingredients, and what was recorded about them
12. the signer's claims, as claims, and whom identity assertions name (``identity``)
13. log axis: receipts
14. the lower end of the time: the witnessed checkpoint that the capture commits to (``freshness``)

It decides on bytes, roots, registry view and times; it opens no file and no socket and reads no clock.
Its callers must still: cap and sniff the bytes (``authn.core.media``), choose the roots, say which time is
meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from authn.core.evidence import Axis, AxisEvidence, CryptographicEvidence, EngineView, Finding, Outcome
from authn.devices import RegistryView
from authn.pki.roots import TrustRoots
from authn.provenance import axes
from authn.provenance.answers import Asked, EngineAnswer, EngineState, asked_of, showing
from authn.provenance.binding import FileRead
from authn.provenance.counted import with_repetition
from authn.provenance.freshness import lower_bound
from authn.provenance.history import asserted_claims, claim_version, history_axis
from authn.provenance.identity import identities
from authn.provenance.limits import known_limits
from authn.provenance.logs import LogTrust, log_axis
from authn.provenance.own import OwnReading
from authn.provenance.reading import engine_outcome
from authn.provenance.revocation import Judged, Known, revocation_axis
from authn.provenance.said import with_structure

MIN_CLAIM_VERSION = 2  # in version 1 the time-stamp does not cover the signature (c2pa-rs#2317)


def verify_file(
    read: FileRead,
    *,
    answers: Sequence[EngineAnswer],
    roots: TrustRoots,
    registry: RegistryView | None,
    as_of: datetime,
    logs: LogTrust,
    receipt: str | None,
) -> CryptographicEvidence:
    """``read``: steps 1 and 4; ``answers``: step 2, one per engine (``authn.examine.examiner``)."""
    everybody, answers = answers, asked_of(answers)
    read = _of_one_manifest(read, answers)
    own = read.own
    if not own.store_found and all(a.state is not EngineState.READ for a in answers):
        return _without_manifest(own, answers, receipt, logs)
    abstentions = known_limits(own, answers, roots.usages)
    credential = with_structure(_credential_axis(own, answers), answers)  # 3
    stamps = axes.time_axis(own, roots.tsa, answers, abstentions, as_of)  # 5, 8
    at = stamps.proven or as_of
    signer = axes.signer_axis(
        own, roots.signer, at, answers, abstentions, time_open=stamps.open, usages=roots.usages
    )  # 6
    integrity = axes.integrity_axis(own, (*answers, read.answer), abstentions)  # 7
    key = own.certificates[0] if own.certificates and own.signature_holds else None
    device = with_repetition(axes.device_axis(key, registry, stamps.proven, as_of), own, registry)  # 9
    known = Known(certificates=own.certificates, roots=roots.signer, crls=roots.crls, registry=registry)
    judged = Judged(proven=stamps.proven, as_of=as_of)
    revocation = revocation_axis(known if key else None, judged, answers)  # 10
    history = history_axis(answers, own.signature_holds)  # 11
    log = log_axis(own, receipt, logs)  # 13
    time, not_before = _with_lower_bound(stamps, integrity, showing(answers), logs)  # 14
    return CryptographicEvidence(
        axes=(credential, integrity, signer.axis, device, time, revocation, history, log),
        engines=_views(everybody),
        claims=asserted_claims(answers, own),  # 12
        chain=signer.chain,
        identities=identities(answers),  # 12
        not_before=not_before,
        not_after=stamps.not_after,
    )


def is_uncontested(proof: CryptographicEvidence) -> bool:
    """Whether everything that engines are asked about holds, or is not there: then more of them about more of
    the file could only say so again."""
    fine = dict.fromkeys((Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER, Axis.TIME, Axis.HISTORY), _FINE)
    fine[Axis.SIGNER] = _FINE | {Outcome.OUTSIDE_LISTS}
    return all(proof.axis(axis).outcome in outcomes for axis, outcomes in fine.items())


_FINE = frozenset({Outcome.ESTABLISHED, Outcome.ABSENT})


def _of_one_manifest(read: FileRead, answers: Sequence[EngineAnswer]) -> FileRead:
    """Readers that look at two manifests of one file must not be added up to one statement."""
    own = read.own
    others = [a.engine for a in answers if own.label and a.active and a.active != own.label]
    if not others:
        return read
    why = f"{' and '.join(others)} read another manifest of this file than our own check"
    return read.dropped(why)


def _with_lower_bound(
    stamps: axes.TimeResult, integrity: AxisEvidence, answer: EngineAnswer, logs: LogTrust
) -> tuple[AxisEvidence, datetime | None]:
    """Step 14. An empty interval means that somebody's clock lies: then neither end is relied on."""
    if integrity.outcome is not Outcome.ESTABLISHED:
        return stamps.axis, None
    bound = lower_bound(answer, logs)
    if bound.finding is None:
        return stamps.axis, None
    findings = (*stamps.axis.findings, bound.finding)
    if bound.not_before and stamps.not_after and bound.not_before > stamps.not_after:
        detail = "the checkpoint is younger than the time-stamp: a clock of one of them is wrong"
        empty = Finding(code="assay.time.intervalEmpty", outcome=Outcome.REFUTED, detail=detail)
        return AxisEvidence.of(Axis.TIME, *findings, empty, outcome=Outcome.REFUTED), None
    return replace(stamps.axis, findings=findings), bound.not_before


def _credential_axis(own: OwnReading, answers: Sequence[EngineAnswer]) -> AxisEvidence:
    """Refuted: a store was found, and it is broken by our own check, or nobody can read it. One reader that
    cannot is a disagreement: it may be the reader."""
    silent = [a for a in answers if a.state is not EngineState.READ]
    findings = [_not_read(a) for a in silent]
    if own.malformed:
        findings.insert(0, _malformed(own, answers))
        return AxisEvidence.of(Axis.CREDENTIAL, *findings)
    if len(silent) == len(answers):
        return AxisEvidence.of(Axis.CREDENTIAL, *findings, _own_word(own), outcome=_unread(own, silent))
    if own.signature is None and silent:
        return AxisEvidence.of(Axis.CREDENTIAL, *findings, _own_word(own), outcome=Outcome.NOT_EXAMINED)
    version = own.claim_version or claim_version(answers)
    readers = [a.engine for a in answers if a.state is EngineState.READ]
    by = (
        "both engines can read"
        if not silent and len(readers) > 1
        else f"{' and '.join(readers)} and our own check can read"
    )
    present = Finding(
        code="assay.credential.present",
        outcome=Outcome.ESTABLISHED,
        detail=f"the file carries a C2PA manifest store that {by}",
        facts=(("claim_version", version),),
    )
    refused = [axes.version_refused(version)] if version is not None and version < MIN_CLAIM_VERSION else []
    return AxisEvidence.of(Axis.CREDENTIAL, present, *refused, *findings)


def _not_read(answer: EngineAnswer) -> Finding:
    return Finding(
        code="assay.credential.unreadable",
        outcome=Outcome.NOT_EXAMINED,
        detail=f"{answer.engine} cannot read the manifest store: {answer.detail or 'it finds none'}",
        facts=(("engine", answer.engine),),
    )


def _malformed(own: OwnReading, answers: Sequence[EngineAnswer]) -> Finding:
    """Broken, or, where every engine takes the same bytes for whole, an opinion about their structure."""
    whole = not own.torn and all(engine_outcome(a, Axis.INTEGRITY) is Outcome.ESTABLISHED for a in answers)
    return Finding(
        code="assay.credential.malformed",
        outcome=Outcome.NOT_EXAMINED if whole else Outcome.REFUTED,
        detail=f"the manifest store is malformed: {own.failure}"
        + (" (only our own check says so)" if whole else ""),
    )


def _unread(own: OwnReading, silent: Sequence[EngineAnswer]) -> Outcome:
    """Both engines looked at a store that we found too, could make nothing of it, and no signature holds."""
    all_tried = all(a.state is EngineState.UNREADABLE for a in silent)
    return Outcome.REFUTED if all_tried and own.signature_holds is not True else Outcome.NOT_EXAMINED


def _own_word(own: OwnReading) -> Finding:
    said = own.failure or "it can read the manifest store"
    return Finding.not_examined(Axis.CREDENTIAL, f"nobody else confirms what our own check finds: {said}")


def _without_manifest(
    own: OwnReading, answers: Sequence[EngineAnswer], receipt: str | None, logs: LogTrust
) -> CryptographicEvidence:
    """No store was seen by anybody: absent, or not examined. Nothing here can refute."""
    finding = _nothing_seen(own, answers)
    rest = Outcome.ABSENT if finding.outcome is Outcome.ABSENT else Outcome.NOT_EXAMINED
    nothing = axes.nothing_to_examine(rest)
    others = (AxisEvidence.of(axis, nothing) for axis in list(Axis)[1:-1])
    credential = AxisEvidence.of(Axis.CREDENTIAL, finding)
    return CryptographicEvidence(
        axes=(credential, *others, log_axis(own, receipt, logs)), engines=_views(answers)
    )


def _nothing_seen(own: OwnReading, answers: Sequence[EngineAnswer]) -> Finding:
    broken = [a for a in answers if a.state is EngineState.UNREADABLE]
    if any(a.state is EngineState.REMOTE_ONLY for a in answers):
        return Finding(
            code="manifest.inaccessible",
            outcome=Outcome.NOT_EXAMINED,
            detail="the manifest is only named by an address; Assay never fetches what a file names",
        )
    if broken:
        readers = [f"{a.engine} cannot read the file: {a.detail}" for a in broken]
        return Finding(
            code="assay.credential.unreadable",
            outcome=Outcome.NOT_EXAMINED,
            detail="; ".join([*readers, *filter(None, [own.not_looked_through])]),
            facts=(("engine", broken[0].engine),),
        )
    detail = "the file carries no C2PA manifest; that proves nothing about it"
    if own.not_looked_through:
        detail = f"neither engine finds a C2PA manifest; our own reader: {own.not_looked_through}"
    return Finding(code="assay.credential.absent", outcome=Outcome.ABSENT, detail=detail)


def _views(answers: Sequence[EngineAnswer]) -> tuple[EngineView, ...]:
    return tuple(
        EngineView(
            name=a.engine,
            version=a.by.version,
            state=_word(a),
            codes=tuple(
                dict.fromkeys(c.code for c in a.codes if c.kind == "failure" or "timeStamp" in c.code)
            ),
            detail=a.detail or _NOT_ASKED.get(a.asked, ""),
        )
        for a in answers
    )


def _word(answer: EngineAnswer) -> str:
    """The engine's own, where it judged the whole file."""
    return (answer.asked is Asked.WHOLE and answer.word) or answer.state.value


_NOT_ASKED = {
    Asked.NOTHING: "not asked: the other engine and our own check agree about a file that has one reading",
    Asked.OUTLINE: "asked about everything but the compressed pixels",
    Asked.CLAIMS: "asked what the manifest says; the other engine and our own check judge it",
}
