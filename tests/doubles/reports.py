"""Reports for every case a reader meets, built from the real evidence types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from authn.core.evidence import (
    AssertedClaim,
    Axis,
    AxisEvidence,
    CertificateView,
    CryptographicEvidence,
    EngineView,
    Finding,
    HeuristicEvidence,
    HeuristicOutcome,
    NotExamined,
    Outcome,
    Question,
)
from authn.core.report import Contradiction, Report, Run, Severity, Statement, Subject, ToolView
from authn.devices import ASSURANCE_LEVELS, ASSURANCE_LIMITS
from detector.models.condition import Condition
from detector.models.kinds import Kind
from detector.models.score import Answer, Guarantee, Ratio, StabilityRange

SIGNED_AT = datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)
AS_OF = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
MANIFEST = "urn:c2pa:6f1c2a70-0f5e-4a55-9a53-5d3c8f0a9b11"

Found = tuple[Outcome, tuple[Finding, ...]]

ABSENT = dict.fromkeys(Axis, (Outcome.ABSENT, ()))


def finding(code: str, outcome: Outcome, detail: str, **facts: str | int | float | bool | None) -> Finding:
    return Finding(code=code, outcome=outcome, detail=detail, facts=tuple(facts.items()))


def established(code: str, detail: str, **facts: str | int | float | bool | None) -> Found:
    return Outcome.ESTABLISHED, (finding(code, Outcome.ESTABLISHED, detail, **facts),)


def refuted(code: str, detail: str, **facts: str | int | float | bool | None) -> Found:
    return Outcome.REFUTED, (finding(code, Outcome.REFUTED, detail, **facts),)


def absent(code: str, detail: str) -> Found:
    return Outcome.ABSENT, (finding(code, Outcome.ABSENT, detail),)


def not_examined(code: str, detail: str) -> Found:
    return Outcome.NOT_EXAMINED, (finding(code, Outcome.NOT_EXAMINED, detail),)


def axes(found: Mapping[Axis, Found]) -> tuple[AxisEvidence, ...]:
    full = {**ABSENT, **found}
    return tuple(AxisEvidence(axis=a, outcome=full[a][0], findings=full[a][1]) for a in Axis)


def certificate(
    role: str, subject: str, issuer: str, *, days: tuple[int, int], given: bool
) -> CertificateView:
    start, end = (datetime(2026, 10, 1, tzinfo=UTC).toordinal() + d for d in days)
    return CertificateView(
        role=role,
        subject=subject,
        issuer=issuer,
        serial="4f" * 10,
        not_before=datetime.fromordinal(start).replace(tzinfo=UTC),
        not_after=datetime.fromordinal(end).replace(tzinfo=UTC),
        spki_sha256="5c" * 32,
        in_given_roots=given,
    )


CHAIN = (
    certificate(
        "signer",
        "CN=Field camera 7,O=Harbour Gazette",
        "CN=Assay device issuing CA",
        days=(0, 90),
        given=False,
    ),
    certificate(
        "intermediate", "CN=Assay device issuing CA", "CN=Assay device root", days=(-60, 1000), given=False
    ),
    certificate("root", "CN=Assay device root", "CN=Assay device root", days=(-60, 3600), given=True),
)
STRANGER = (
    certificate(
        "signer", "CN=Leica M11-P,O=Leica Camera AG", "CN=Some unknown CA", days=(-300, 65), given=False
    ),
    certificate("intermediate", "CN=Some unknown CA", "CN=Some unknown root", days=(-600, 1300), given=False),
)
ENGINES = (
    EngineView(name="c2pa-rs", version="0.91.3", state="Trusted", codes=("claimSignature.validated",)),
    EngineView(name="encypher-c2pa", version="1.7.1", state="Trusted", codes=("claimSignature.validated",)),
)
CLAIMS = (
    AssertedClaim(
        label="action",
        statement="c2pa.created, source type digitalCapture",
        asserted_by="CN=Field camera 7,O=Harbour Gazette",
        manifest=MANIFEST,
    ),
    AssertedClaim(
        label="org.assay.device",
        statement="device 0199c0de-7000, capture counter 41",
        asserted_by="CN=Field camera 7,O=Harbour Gazette",
        manifest=MANIFEST,
    ),
)
SIGNED: dict[Axis, Found] = {
    Axis.CREDENTIAL: established("assay.credential.present", "one manifest, claim version 2", manifests=1),
    Axis.INTEGRITY: established(
        "assertion.dataHash.match", "every byte outside the manifest has the signed hash"
    ),
    Axis.SIGNER: established(
        "signingCredential.trusted", "the chain ends in the root 'Assay device root' of your list"
    ),
    Axis.DEVICE: established(
        "assay.device.registered",
        "Field camera 7, enrolled 2026-10-01",
        device_id="0199c0de-7000",
        assurance_level=3,
        assurance=ASSURANCE_LEVELS[3],
        assurance_limit=ASSURANCE_LIMITS[3],
        attestation_fmt="android-key",
        attested_at="2026-10-01T08:00:00Z",
    ),
    Axis.TIME: established(
        "timeStamp.validated",
        "stamped by 'Assay time-stamp authority'",
        gen_time="2026-11-20T14:03:22Z",
    ),
    Axis.REVOCATION: established(
        "assay.revocation.notRevoked", "the registry lists no revocation at that time"
    ),
    Axis.HISTORY: established("assay.history.recorded", "one action, no ingredients", actions="c2pa.created"),
    Axis.LOG: not_examined("assay.log.notConfigured", "no transparency log is configured"),
}
LEARNED = HeuristicEvidence(
    detector="assay-small",
    version="1",
    kind="learned",
    question=Question.SYNTHETIC,
    outcome=HeuristicOutcome.INCONCLUSIVE,
    reason="the score lies where photos and generated pictures overlap",
    raw=-0.42,
    llr=Ratio(log10=-0.31, low=-0.9, high=0.2, calibration_id="assay-small-cal-1", calibration_items=1200),
    stability=StabilityRange(variants=6, low=-1.1, high=0.7, flips=1),
    model_sha256="ab" * 32,
)
METADATA = HeuristicEvidence(
    detector="metadata",
    version="1",
    kind="metadata",
    question=Question.SYNTHETIC,
    outcome=HeuristicOutcome.AGAINST,
    reason="no generator marker in EXIF, XMP or text chunks",
    findings=(finding("assay.metadata.noMarker", Outcome.ABSENT, "no marker found"),),
)
COMPRESSION = HeuristicEvidence(
    detector="compression",
    version="1",
    kind="signal",
    question=Question.EDITED,
    outcome=HeuristicOutcome.ABSTAIN,
    applicable=False,
    reason="no reference quantisation tables are known for this camera",
)
TOOL = ToolView(
    version="0.1.0",
    engines=(("c2pa-rs", "0.91.3"), ("encypher-c2pa", "1.7.1")),
    models=(("assay-small", "ab" * 32),),
    signer_roots_sha256="11" * 32,
    tsa_roots_sha256="22" * 32,
    policy="assay-default",
    policy_sha256="33" * 32,
)
LIMITS = (
    "A photo of a screen or of a print is signed like any other photo.",
    "A signature proves who held a key, not that a scene was as it looks.",
)


def statement(identifier: str, text: str, *, value: bool | None = True) -> Statement:
    return Statement(id=identifier, value=value, text=text)


def signed_report() -> Report:
    """Signed by a registered device, unchanged, with a time-stamp; heuristics have nothing to say."""
    return Report(
        subject=Subject(
            sha256="9c" * 32,
            bytes=4_571_203,
            media_type="image/jpeg",
            media_type_claimed="image/jpeg",
            width=4032,
            height=3024,
            name="harbour-fire.jpg",
        ),
        evaluated_as_of=AS_OF,
        tool=TOOL,
        cryptographic=CryptographicEvidence(
            axes=axes(SIGNED),
            engines=ENGINES,
            claims=CLAIMS,
            chain=CHAIN,
            not_before=datetime(2026, 11, 20, 13, 58, tzinfo=UTC),
            not_after=SIGNED_AT,
        ),
        heuristic=(LEARNED, METADATA, COMPRESSION),
        contradictions=(),
        statements=(
            statement(
                "assay.unchanged",
                "Unchanged since Field camera 7 signed it, no later than 2026-11-20 14:03:22 UTC.",
            ),
            statement("assay.trustedTime", "The time of signing is bounded by a time-stamp of your list."),
        ),
        limits=LIMITS,
        not_examined=(NotExamined(what="log", why="no transparency log is configured"),),
        run=Run(report_id="0199c0de-7000-7000-8000-00000000c0de", generated_at=AS_OF, elapsed_ms=143.2),
    )


def altered_report() -> Report:
    """The signature holds, the picture does not match it."""
    base = signed_report()
    found = {
        **SIGNED,
        Axis.INTEGRITY: refuted(
            "assertion.dataHash.mismatch", "the hash of the bytes differs from the signed one"
        ),
    }
    return replace(
        base,
        cryptographic=replace(base.cryptographic, axes=axes(found)),
        statements=(
            statement("assay.changed", "Changed after Field camera 7 signed it."),
            statement("assay.unchanged", "Unchanged since it was signed.", value=False),
        ),
    )


def unsigned_report() -> Report:
    """No credential at all: absence proves nothing."""
    base = signed_report()
    found = {
        **ABSENT,
        Axis.CREDENTIAL: absent("assay.credential.absent", "no manifest in the file"),
    }
    return replace(
        base,
        cryptographic=CryptographicEvidence(axes=axes(found)),
        statements=(statement("assay.noCredential", "No credential. Its absence proves nothing."),),
        not_examined=(*base.not_examined, NotExamined(what="signer", why="there is no signature")),
    )


def untrusted_report() -> Report:
    """Intact, but the signer chains to no root of the given lists."""
    base = signed_report()
    found = {
        **SIGNED,
        Axis.SIGNER: (
            Outcome.OUTSIDE_LISTS,
            (
                finding(
                    "signingCredential.untrusted",
                    Outcome.OUTSIDE_LISTS,
                    "the chain ends in 'Some unknown CA', which is in none of your lists",
                ),
            ),
        ),
        Axis.DEVICE: absent("assay.device.unknown", "the key is not in the registry"),
        Axis.TIME: absent("assay.time.absent", "no time-stamp; the signer claims 2026-11-02T08:00:00Z"),
        Axis.REVOCATION: not_examined("assay.revocation.unknown", "nothing is known about this issuer"),
    }
    return replace(
        base,
        cryptographic=replace(
            base.cryptographic, axes=axes(found), chain=STRANGER, not_before=None, not_after=None
        ),
        statements=(
            statement("assay.outside", "Unchanged since it was signed by somebody outside your lists."),
        ),
    )


def contradicting_report() -> Report:
    """A signed capture that carries the marker of a generator: a person must look."""
    base = signed_report()
    marker = HeuristicEvidence(
        detector="metadata",
        version="1",
        kind="metadata",
        question=Question.SYNTHETIC,
        outcome=HeuristicOutcome.SUPPORTS,
        reason="IPTC digital source type is trainedAlgorithmicMedia",
        findings=(
            finding(
                "assay.metadata.aiMarker",
                Outcome.ESTABLISHED,
                "Iptc4xmpExt:DigitalSourceType = trainedAlgorithmicMedia",
            ),
        ),
    )
    learned = replace(
        LEARNED,
        outcome=HeuristicOutcome.SUPPORTS,
        reason="the score is typical of generated pictures",
        raw=3.9,
        llr=replace(LEARNED.llr, log10=1.62, low=1.1, high=2.05) if LEARNED.llr else None,
        stability=StabilityRange(variants=6, low=2.8, high=4.4, flips=0),
    )
    return replace(
        base,
        heuristic=(learned, marker, COMPRESSION),
        contradictions=(
            Contradiction(
                between=("/cryptographic/axes/history", "/heuristic/detectors/1"),
                text="The signer claims digitalCapture; metadata finds a mark that generators write.",
                code="assay.contradiction.capturedButMarked",
                severity=Severity.HIGH,
            ),
        ),
    )


def joint_report(answer: Answer = Answer.SUPPORTS) -> Report:
    """Two learned detectors whose ratios are joined, and what vouches for the joint answer."""
    base = signed_report()
    condition = Condition(side=1024, quality=87, media_type="image/jpeg")
    vouched = Guarantee(
        answer=answer, kind=Kind.PHOTO, bound=0.02 if answer is Answer.SUPPORTS else 1 / 3, sure=0.95,
        pictures=1411, sources=56, generated=0 if answer is Answer.SUPPORTS else 812,
    )  # fmt: skip
    part = replace(
        LEARNED, reason="one of the readings that assay-joint joins; the answer is there", content=Kind.PHOTO,
        condition=condition, part_of="assay-joint",
        llr=replace(LEARNED.llr, log10=0.9, low=0.4, high=1.3) if LEARNED.llr else None,
    )  # fmt: skip
    other = replace(part, detector="assay-large", model_sha256="cd" * 32, content=None, stability=None)
    answered = answer in (Answer.SUPPORTS, Answer.AGAINST)
    joint = replace(
        part, detector="assay-joint", outcome=HeuristicOutcome(answer.value), part_of=None, stability=None,
        reason="the ratios of assay-small and assay-large, read together, point there",
        guarantee=vouched if answered else None, model_sha256="ef" * 32,
    )  # fmt: skip
    return replace(base, heuristic=(METADATA, part, other, joint, COMPRESSION))


def hostile_report(text: str) -> Report:
    """Every text that a stranger chooses is ``text``: file name, certificate, claims, findings, reasons."""
    base = untrusted_report()
    chain = tuple(replace(c, subject=text, issuer=text, serial=text) for c in STRANGER)
    found = {a: (Outcome.REFUTED, (finding(text, Outcome.REFUTED, text, title=text),)) for a in Axis}
    return replace(
        base,
        subject=replace(base.subject, name=text, media_type_claimed=text),
        cryptographic=replace(
            base.cryptographic,
            axes=axes(found),
            chain=chain,
            claims=tuple(
                replace(c, label=text, statement=text, asserted_by=text, manifest=text) for c in CLAIMS
            ),
            engines=tuple(replace(e, state=text, codes=(text,), detail=text) for e in ENGINES),
        ),
        heuristic=(replace(METADATA, outcome=HeuristicOutcome.SUPPORTS, reason=text), LEARNED),
        contradictions=(Contradiction(between=("/a", "/b"), text=text, code=text, severity=Severity.LOW),),
        statements=(statement("assay.hostile", text),),
        limits=(text,),
        not_examined=(NotExamined(what=text, why=text),),
    )


SAMPLES = {
    "signed": signed_report,
    "altered": altered_report,
    "unsigned": unsigned_report,
    "untrusted": untrusted_report,
    "contradiction": contradicting_report,
}
