"""Steps 5 to 9: one function an axis. The numbers are those of ``authn.provenance.verifier``.

Each decides its axis from our own check and from what the engines said: established only where our own check
holds and nobody who examined it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from authn.core.errors import CredentialExpired, CredentialInvalid, UntrustedChain
from authn.core.evidence import Axis, AxisEvidence, CertificateView, Facts, Finding, Outcome
from authn.core.instants import instant, spoken
from authn.core.keys import spki_sha256
from authn.devices import DeviceRecord, RegistryView
from authn.devices.view import device_view
from authn.pki.chains import verify_signer_path
from authn.provenance.answers import Asked, EngineAnswer
from authn.provenance.limits import by_clock, of_fractions
from authn.provenance.own import OwnReading
from authn.provenance.reading import (
    BINDING_MATCH,
    OWN,
    Abstention,
    disagreement,
    engine_outcome,
    integrity_failures,
    is_mismatch,
    speaking,
)
from authn.provenance.said import bound_in_part, engine_codes, private_codes
from authn.provenance.stamps import read_tokens
from signer.proof.certificates import Certificate
from signer.proof.reach import reaches
from signer.proof.timestamp import VerifiedTimestamp
from signer.proof.usages import SIGNER_USAGES

NO_MANIFEST = "assay.credential.none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeResult:
    """``open``: there is a time-stamp, and whether it proves a time was not found out."""

    axis: AxisEvidence
    proven: datetime | None = None
    not_after: datetime | None = None
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerResult:
    axis: AxisEvidence
    chain: tuple[CertificateView, ...] = ()


def version_refused(version: int) -> Finding:
    return Finding(
        code="assay.policy.claimVersion",
        outcome=Outcome.REFUTED,
        detail=f"claim version {version} is below the version that policy accepts; no statement rests on it",
        facts=(("claim_version", version),),
    )


def nothing_to_examine(outcome: Outcome) -> Finding:
    return Finding(code=NO_MANIFEST, outcome=outcome, detail="there is no manifest to examine")


def time_axis(
    own: OwnReading,
    roots: Sequence[Certificate],
    answers: Sequence[EngineAnswer],
    abstentions: tuple[Abstention, ...],
    as_of: datetime,
) -> TimeResult:
    """Step 5. Of several valid tokens the earliest genTime counts."""
    signature = own.signature
    if signature is None:
        return TimeResult(axis=silent(Axis.TIME, "the claim signature cannot be read"))
    if not signature.tokens_v2 and not signature.responses_v1:
        finding = Finding(code="assay.time.absent", outcome=Outcome.ABSENT, detail="there is no time-stamp")
        return TimeResult(axis=AxisEvidence.of(Axis.TIME, finding))
    if not roots:
        return TimeResult(axis=silent(Axis.TIME, "no time-stamping roots were given"), open=True)
    heard = {a.engine: engine_outcome(a, Axis.TIME) for a in answers}
    verified, refused = read_tokens(
        signature, own.claim, roots, trusted=Outcome.ESTABLISHED in heard.values()
    )
    if not verified:
        said = {f.outcome for f in refused}
        order = (Outcome.REFUTED, Outcome.NOT_EXAMINED, Outcome.OUTSIDE_LISTS)
        outcome = next(o for o in order if o in said)
        axis = AxisEvidence.of(Axis.TIME, *refused, outcome=outcome)
        return TimeResult(axis=axis, open=outcome is not Outcome.REFUTED)
    stamp = min(verified, key=lambda v: v.gen_time)
    latest = _no_later_than(stamp)
    if stamp.gen_time > as_of:
        return TimeResult(axis=silent(Axis.TIME, "the time-stamp is later than the as-of time"))
    views = heard | {OWN: Outcome.ESTABLISHED}
    excused = (*abstentions, *of_fractions(stamp, answers))
    differing = disagreement(Axis.TIME, views, excused)
    agreed = set(speaking(Axis.TIME, views, excused).values()) == {Outcome.ESTABLISHED}
    outcome = Outcome.ESTABLISHED if agreed else Outcome.NOT_EXAMINED
    axis = AxisEvidence.of(Axis.TIME, _stamped(stamp), *differing, *refused, outcome=outcome)
    if not agreed:
        return TimeResult(axis=axis, open=True)
    return TimeResult(axis=axis, proven=stamp.gen_time, not_after=latest)


def _no_later_than(stamp: VerifiedTimestamp) -> datetime:
    """genTime and the clock's own error, up to the next whole second: a bound may only be rounded outwards,
    and every form of a report shows this one."""
    latest = stamp.gen_time + timedelta(seconds=stamp.accuracy_s or 0)
    return latest if not latest.microsecond else latest.replace(microsecond=0) + timedelta(seconds=1)


def _stamped(stamp: VerifiedTimestamp) -> Finding:
    until = spoken(_no_later_than(stamp))
    return Finding(
        code="timeStamp.trusted",
        outcome=Outcome.ESTABLISHED,
        detail=f"signed not after {until}, as a time-stamp authority of your list states",
        facts=(
            ("gen_time", instant(stamp.gen_time)),
            ("accuracy_s", stamp.accuracy_s),
            ("authority", stamp.certificate.subject.rfc4514_string()),
            ("policy", stamp.policy),
            ("serial", str(stamp.serial)),
        ),
    )


def signer_axis(
    own: OwnReading,
    roots: Sequence[Certificate],
    at: datetime,
    answers: Sequence[EngineAnswer],
    abstentions: tuple[Abstention, ...],
    *,
    time_open: bool = False,
    usages: frozenset[x509.ObjectIdentifier] = SIGNER_USAGES,
) -> SignerResult:
    """Step 6. ``time_open`` as in ``TimeResult``. Where the signature was not computed, or a certificate of
    the file cannot be read, a path that is refused for want of it says nothing."""
    certificates = own.certificates
    unknown = own.failure or next(iter(own.unreadable), "")
    if own.signature_holds is False:
        finding = Finding(
            code="claimSignature.mismatch",
            outcome=Outcome.REFUTED,
            detail="the claim signature does not verify: no key can be said to have made it",
        )
        return SignerResult(axis=AxisEvidence.of(Axis.SIGNER, finding))
    if own.signature_holds is None or not certificates:
        return SignerResult(
            axis=silent(Axis.SIGNER, unknown or "the claim signature could not be located by our own check")
        )
    if not roots:
        axis = silent(Axis.SIGNER, "no signer roots were given")
        return SignerResult(axis=axis, chain=_views(certificates, ()))
    try:
        path = verify_signer_path(certificates[0], certificates[1:], roots, at=at, usages=usages)
        ours, finding = Outcome.ESTABLISHED, _trusted(path, at)
        chain = _views(path, roots)
    except UntrustedChain as e:
        ours, finding = _refused(e, certificates, roots, at, time_open=time_open)
        # A path that is refused for want of a certificate, or by us alone for its form, accuses nobody.
        heard = {engine_outcome(a, Axis.SIGNER) for a in answers}
        alone = e.code == UntrustedChain.code and heard == {Outcome.ESTABLISHED}
        if (ours is Outcome.OUTSIDE_LISTS and unknown) or alone:
            ours, finding = Outcome.NOT_EXAMINED, Finding.not_examined(Axis.SIGNER, unknown or e.detail)
        if isinstance(e, CredentialExpired):
            abstentions = (*abstentions, *by_clock(answers))
        chain = _views(certificates, roots)
    views = {a.engine: engine_outcome(a, Axis.SIGNER) for a in answers} | {OWN: ours}
    axis = AxisEvidence.of(
        Axis.SIGNER,
        finding,
        *engine_codes(answers, Axis.SIGNER, finding.code, abstentions),
        *disagreement(Axis.SIGNER, views, abstentions),
        outcome=_joint(Axis.SIGNER, ours, views, abstentions),
    )
    return SignerResult(axis=axis, chain=chain)


def _refused(
    error: UntrustedChain,
    certificates: Sequence[Certificate],
    roots: Sequence[Certificate],
    at: datetime,
    *,
    time_open: bool,
) -> tuple[Outcome, Finding]:
    """What the certificate itself fails is refuted, whoever issued it. But where the file brings a time-stamp
    that could not be judged, nobody knows whether it had run out by then. Of the path, only what signatures
    do lead to a root of the list can fail; all else is outside the lists."""
    own, code, detail = Outcome.REFUTED, error.code, error.detail
    if isinstance(error, CredentialExpired) and time_open:
        own, detail = Outcome.NOT_EXAMINED, f"{detail}; whether that was so when it signed is not known"
    then = at if own is Outcome.REFUTED else None
    if (then is None or code == UntrustedChain.code) and not reaches(certificates, roots, then):
        own, code = Outcome.OUTSIDE_LISTS, UntrustedChain.code
    elif code == UntrustedChain.code:
        code = CredentialInvalid.code
    return own, Finding(code=code, outcome=own, detail=detail)


def _joint(
    axis: Axis, own: Outcome, views: dict[str, Outcome], abstentions: tuple[Abstention, ...]
) -> Outcome:
    """Our own refusal stands. Our own acceptance stands only where nobody who examined it differs."""
    if own is not Outcome.ESTABLISHED:
        return own
    said = set(speaking(axis, views, abstentions).values())
    return own if said == {own} else Outcome.NOT_EXAMINED


def _trusted(path: tuple[Certificate, ...], at: datetime) -> Finding:
    return Finding(
        code="signingCredential.trusted",
        outcome=Outcome.ESTABLISHED,
        detail="the signer's certificate chains to a root of your list at the time it is judged at",
        facts=(
            ("judged_at", instant(at)),
            ("root", path[-1].subject.rfc4514_string()),
            ("certificate_serial", f"{path[0].serial_number:x}"),
        ),
    )


def integrity_axis(
    own: OwnReading, answers: Sequence[EngineAnswer], abstentions: tuple[Abstention, ...]
) -> AxisEvidence:
    """Step 7. ``answers``: of all who read the file, us among them. Only a computed digest or signature that
    differs refutes, whoever computed it. An opinion about structure leaves the axis open: nobody compared the
    bytes."""
    signature_holds, failure = own.signature_holds, own.failure
    whole = signature_holds is True
    differs = any(is_mismatch(c, whole=whole) for a in answers for c in integrity_failures(a))
    views = {a.engine: engine_outcome(a, Axis.INTEGRITY) for a in answers}
    refuted_by_us = "claimSignature.mismatch" if signature_holds is False else ""
    findings = [*engine_codes(answers, Axis.INTEGRITY, refuted_by_us, abstentions, whole=whole)]
    if signature_holds is False:
        findings.insert(0, Finding(code="claimSignature.mismatch", outcome=Outcome.REFUTED, detail=failure))
    elif signature_holds is None:
        why = failure or "our own check found no claim signature"
        findings.append(Finding.not_examined(Axis.INTEGRITY, why))
    findings += disagreement(Axis.INTEGRITY, views, abstentions)
    if signature_holds is False or differs:
        outcome = Outcome.REFUTED
    elif signature_holds and (less := bound_in_part(answers)) is not None:
        outcome = Outcome.NOT_EXAMINED
        findings.insert(0, less)
    elif signature_holds and _agreed(views):
        outcome = Outcome.ESTABLISHED
        findings.append(_unchanged(answers))
    else:
        outcome = Outcome.NOT_EXAMINED
        if not findings:
            why = "an engine did not evaluate the hard binding"
            findings.append(Finding.not_examined(Axis.INTEGRITY, why))
    findings += private_codes(answers)
    return AxisEvidence.of(Axis.INTEGRITY, *findings, outcome=outcome)


def _agreed(views: dict[str, Outcome]) -> bool:
    """Whoever compared the bytes with the binding found them the same, and at least two did, so that one of
    them is no part of Assay. An engine that cannot read a file is not asked (docs/decisions/0004)."""
    spoken = [who for who, outcome in views.items() if outcome is not Outcome.NOT_EXAMINED]
    return len(spoken) > 1 and {views[who] for who in spoken} == {Outcome.ESTABLISHED}


def _unchanged(answers: Sequence[EngineAnswer]) -> Finding:
    agree = [a for a in answers if engine_outcome(a, Axis.INTEGRITY) is Outcome.ESTABLISHED]
    codes = [c.code for a in agree for c in a.codes if c.code in BINDING_MATCH and c.kind == "success"]
    names = [a.engine for a in agree]
    who = [*(n for n in names if n != OWN), *(["our own check"] if OWN in names else [])]
    said = f"{', '.join(who[:-1])} and {who[-1]} agree"
    if confirming := [a.engine for a in agree if a.asked is Asked.OUTLINE]:
        said = f"our own check finds their digest, and {' and '.join(confirming)} that it was signed"
    return Finding(
        code=codes[0],
        outcome=Outcome.ESTABLISHED,
        detail=f"the bytes are those that were signed: {said}",
    )


def device_axis(
    leaf: Certificate | None, registry: RegistryView | None, proven: datetime | None, as_of: datetime
) -> AxisEvidence:
    """Step 9. The key decides, not the name in the certificate."""
    if leaf is None:
        return silent(Axis.DEVICE, "there is no verified signature whose key could be looked up")
    if registry is None:
        return silent(Axis.DEVICE, "no device registry was asked")
    device = registry.device_by_key(spki_sha256(leaf.public_key()))
    if device is None:
        finding = Finding(
            code="assay.device.unknown",
            outcome=Outcome.ABSENT,
            detail="the key belongs to no registered device",
        )
        return AxisEvidence.of(Axis.DEVICE, finding)
    if revoked_at_time(device, proven or as_of):
        finding = Finding(
            code="assay.device.revoked",
            outcome=Outcome.REFUTED,
            detail="the device was revoked at the time the signature is judged at",
            facts=device_facts(device),
        )
    else:
        finding = Finding(
            code="assay.device.registered",
            outcome=Outcome.ESTABLISHED,
            detail=f"the key is registered as {device.name!r}",
            facts=device_facts(device),
        )
    return AxisEvidence.of(Axis.DEVICE, finding)


def revoked_at_time(device: DeviceRecord, at: datetime) -> bool:
    since = device.invalid_since or device.revoked_at
    return since is not None and since <= at


def device_facts(device: DeviceRecord) -> Facts:
    shown = device_view(device)
    del shown["spki_sha256"]
    reason = shown.pop("revocation_reason")
    return (*shown.items(), ("reason", reason))


def _views(path: tuple[Certificate, ...], roots: Sequence[Certificate]) -> tuple[CertificateView, ...]:
    return tuple(_view(i, c, roots) for i, c in enumerate(path))


def _view(index: int, certificate: Certificate, roots: Sequence[Certificate]) -> CertificateView:
    issued_by_itself = certificate.issuer == certificate.subject
    return CertificateView(
        role="signer" if index == 0 else "root" if issued_by_itself else "intermediate",
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        spki_sha256=spki_sha256(certificate.public_key()),
        in_given_roots=certificate in roots,
    )


def silent(axis: Axis, why: str) -> AxisEvidence:
    return AxisEvidence.of(axis, Finding.not_examined(axis, why))
