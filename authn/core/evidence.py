"""What was found out, as frozen values: proof and guess are different types and are never added up.

``CryptographicEvidence`` has one outcome per axis. ``HeuristicEvidence`` answers one question of one
detector. Nothing in this module combines the two, and no function takes both and returns one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from detector.models.condition import Condition
from detector.models.kinds import Kind
from detector.models.score import Guarantee, Ratio, StabilityRange

FactValue = str | int | float | bool | None
Facts = tuple[tuple[str, FactValue], ...]


class Outcome(StrEnum):
    """Never a boolean. ``REFUTED``: a check was done and failed. ``OUTSIDE_LISTS``: it was done, and leads to
    nobody on the reader's lists, which is about the lists. ``ABSENT`` proves nothing, and ``NOT_EXAMINED``
    always has a reason."""

    ESTABLISHED = "established"
    REFUTED = "refuted"
    OUTSIDE_LISTS = "outside_lists"
    ABSENT = "absent"
    NOT_EXAMINED = "not_examined"


class Axis(StrEnum):
    CREDENTIAL = "credential"  # is there one
    INTEGRITY = "integrity"  # do the bytes match what was signed
    SIGNER = "signer"  # which certificate, chaining to which root, at which time
    DEVICE = "device"  # is the key registered, and its status at the proven time
    TIME = "time"  # the interval in which the signature was made
    REVOCATION = "revocation"  # was certificate or device revoked at the proven time
    HISTORY = "history"  # actions and ingredients, and what was recorded about them
    LOG = "log"  # receipt, inclusion, witnesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation. ``code`` is C2PA's own where one exists, else ``assay.*`` (docs/codes.md)."""

    code: str
    outcome: Outcome
    detail: str
    facts: Facts = ()

    @classmethod
    def not_examined(cls, axis: Axis, why: str) -> Finding:
        return cls(code=f"assay.{axis.value}.notExamined", outcome=Outcome.NOT_EXAMINED, detail=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisEvidence:
    axis: Axis
    outcome: Outcome
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, axis: Axis, *findings: Finding, outcome: Outcome | None = None) -> AxisEvidence:
        """With the outcome of the first finding, unless another is named."""
        return cls(axis=axis, outcome=outcome or findings[0].outcome, findings=findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate of the signer's path, for drawing; its text is chosen by strangers."""

    role: str  # "signer" | "intermediate" | "root"
    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    spki_sha256: str
    in_given_roots: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertedClaim:
    """Something the signer says. Whether to believe the signer is the reader's decision. ``asserted_by``: the
    name in the certificate whose key was found to have signed it, or why there is none; names are chosen by
    those who bear them, so what vouches for one stands under the signer."""

    label: str
    statement: str
    asserted_by: str
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedAction:
    """One action of the active manifest, as the signer claims it: C2PA's name, the last part of the IPTC
    digital source type or "", and when, where that is a time with a zone."""

    action: str
    source_type: str = ""
    when: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """What one independent C2PA reader said about the file, verbatim codes."""

    name: str
    version: str
    state: str
    codes: tuple[str, ...]
    detail: str = ""


class IdentityFinding(StrEnum):
    """What one reader found about an identity assertion; that it holds says nothing about who vouches."""

    HOLDS = "holds"
    FAILS = "fails"
    NOT_EXAMINED = "not_examined"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityReading:
    engine: str
    finding: IdentityFinding
    codes: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityView:
    """Whom a CAWG identity assertion names. Whoever wrote it chose the names; it counts on no axis."""

    label: str
    manifest: str
    kind: str  # "x509" | "identity_claims_aggregation" | "unknown"
    named: tuple[str, ...]
    vouched_by: str
    readings: tuple[IdentityReading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptographicEvidence:
    """Exactly one ``AxisEvidence`` per ``Axis``, in the order of ``Axis``."""

    axes: tuple[AxisEvidence, ...]
    engines: tuple[EngineView, ...] = ()
    claims: tuple[AssertedClaim, ...] = ()
    chain: tuple[CertificateView, ...] = ()
    identities: tuple[IdentityView, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if tuple(a.axis for a in self.axes) != tuple(Axis):
            msg = "one axis each, in order"
            raise ValueError(msg)

    def axis(self, axis: Axis) -> AxisEvidence:
        return next(a for a in self.axes if a.axis is axis)


class Question(StrEnum):
    """What a heuristic source can ask. Each answer can only warn or abstain."""

    SYNTHETIC = "synthetic"
    EDITED = "edited"
    RECAPTURED = "recaptured"
    WRONG_SENSOR = "wrong_sensor"


class HeuristicOutcome(StrEnum):
    """Towards the source's own question. ``AGAINST`` never raises trust in anything."""

    SUPPORTS = "supports"
    AGAINST = "against"
    INCONCLUSIVE = "inconclusive"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeuristicEvidence:
    """What one source says. ``content`` is the kind of picture that a learned detector takes it for and
    ``condition`` that of the file as stored, both of which its ratio is given; ``guarantee`` vouches for an
    answer. ``part_of`` names the joint detector that answers in its place."""

    detector: str
    version: str
    kind: str  # "learned" | "signal" | "metadata"
    question: Question
    outcome: HeuristicOutcome
    reason: str  # one sentence: why it abstains, or what it saw
    applicable: bool = True
    raw: float | None = None
    llr: Ratio | None = None
    stability: StabilityRange | None = None
    findings: tuple[Finding, ...] = ()
    model_sha256: str | None = None
    content: Kind | None = None
    condition: Condition | None = None
    guarantee: Guarantee | None = None
    part_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotExamined:
    what: str
    why: str
