"""The report: both evidences side by side, never added up; and its one JSON form.

The JSON is defined by docs/formats/report.schema.json. ``run`` is the only part that differs between two
executions on the same bytes, roots, registry, as-of time and models. What the engines said word for word is
there too, since one of them judges at the clock's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from authn.core.evidence import (
    AxisEvidence,
    CertificateView,
    CryptographicEvidence,
    EngineView,
    Finding,
    HeuristicEvidence,
    IdentityView,
    NotExamined,
)
from authn.core.holds import Holds, confinement_json
from authn.core.instants import instant
from authn.core.plain import Json

SCHEMA_ID = "urn:assay:report:2"
PIXELS = "pixels"  # in not_examined: no decoder gets the picture, so there is no preview and no map either


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    sha256: str
    bytes: int
    media_type: str
    media_type_claimed: str | None
    width: int | None
    height: int | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence of the policy file about the cryptographic evidence; ``None`` means not evaluated."""

    id: str
    value: bool | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two observations that do not fit together. It decides nothing; a person should look."""

    between: tuple[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    version: str
    engines: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, str], ...]
    signer_roots_sha256: str | None
    tsa_roots_sha256: str | None
    policy: str
    policy_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    report_id: str
    generated_at: datetime
    elapsed_ms: float
    confinement: Holds | None = None  # None: examined in the caller's own process


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    subject: Subject
    evaluated_as_of: datetime
    tool: ToolView
    cryptographic: CryptographicEvidence
    heuristic: tuple[HeuristicEvidence, ...]
    contradictions: tuple[Contradiction, ...]
    statements: tuple[Statement, ...]
    limits: tuple[str, ...]
    not_examined: tuple[NotExamined, ...]
    run: Run


def report_json(report: Report) -> dict[str, Json]:
    """The report as plain JSON values, in a fixed order."""
    c = report.cryptographic
    return {
        "$schema": SCHEMA_ID,
        "evaluated_as_of": instant(report.evaluated_as_of),
        "tool": {
            "name": "assay",
            "version": report.tool.version,
            "engines": dict(report.tool.engines),
            "models": [{"id": i, "sha256": s} for i, s in report.tool.models],
            "signer_roots_sha256": report.tool.signer_roots_sha256,
            "tsa_roots_sha256": report.tool.tsa_roots_sha256,
            "policy": {"name": report.tool.policy, "sha256": report.tool.policy_sha256},
        },
        "subject": {
            "sha256": report.subject.sha256,
            "bytes": report.subject.bytes,
            "media_type": report.subject.media_type,
            "media_type_claimed": report.subject.media_type_claimed,
            "width": report.subject.width,
            "height": report.subject.height,
            "name": report.subject.name,
        },
        "cryptographic": {
            "axes": {a.axis.value: axis_json(a) for a in c.axes},
            "interval": {
                "not_before": instant(c.not_before) if c.not_before else None,
                "not_after": instant(c.not_after) if c.not_after else None,
            },
            "claims": [
                {
                    "label": x.label,
                    "statement": x.statement,
                    "asserted_by": x.asserted_by,
                    "manifest": x.manifest,
                }
                for x in c.claims
            ],
            "chain": [_certificate(x) for x in c.chain],
            "identities": [_identity(x) for x in c.identities],
        },
        "heuristic": {"detectors": [_heuristic(h) for h in report.heuristic]},
        "contradictions": [{"between": list(x.between), "text": x.text} for x in report.contradictions],
        "statements": [{"id": s.id, "value": s.value, "text": s.text} for s in report.statements],
        "limits": list(report.limits),
        "not_examined": [{"what": n.what, "why": n.why} for n in report.not_examined],
        "run": {
            "report_id": report.run.report_id,
            "generated_at": instant(report.run.generated_at),
            "elapsed_ms": round(report.run.elapsed_ms, 3),
            "confinement": cast("Json", confinement_json(report.run.confinement)),
            "engines": [_engine(x) for x in c.engines],
        },
    }


def refusal_json(name: str, code: str, detail: str) -> dict[str, Json]:
    """What stands in the place of a report when the file could not be examined at all."""
    return {"$schema": SCHEMA_ID, "subject": {"name": name}, "error": {"code": code, "detail": detail}}


def _finding(f: Finding) -> Json:
    return {"code": f.code, "outcome": f.outcome.value, "detail": f.detail, "facts": dict(f.facts)}


def axis_json(a: AxisEvidence) -> dict[str, Json]:
    """One axis as plain JSON values."""
    return {"outcome": a.outcome.value, "findings": [_finding(f) for f in a.findings]}


def _certificate(x: CertificateView) -> Json:
    return {
        "role": x.role,
        "subject": x.subject,
        "issuer": x.issuer,
        "serial": x.serial,
        "not_before": instant(x.not_before),
        "not_after": instant(x.not_after),
        "spki_sha256": x.spki_sha256,
        "in_given_roots": x.in_given_roots,
    }


def _identity(x: IdentityView) -> Json:
    return {
        "label": x.label,
        "manifest": x.manifest,
        "kind": x.kind,
        "named": list(x.named),
        "vouched_by": x.vouched_by,
        "readings": [
            {"engine": r.engine, "finding": r.finding.value, "codes": list(r.codes), "detail": r.detail}
            for r in x.readings
        ],
    }


def _engine(x: EngineView) -> Json:
    return {
        "name": x.name,
        "version": x.version,
        "state": x.state,
        "codes": list(x.codes),
        "detail": x.detail,
    }


def _heuristic(h: HeuristicEvidence) -> Json:
    return {
        "id": h.detector,
        "version": h.version,
        "kind": h.kind,
        "question": h.question.value,
        "outcome": h.outcome.value,
        "applicable": h.applicable,
        "reason": h.reason,
        "raw": _rounded(h.raw),
        "llr": None
        if h.llr is None
        else {
            "log10": _rounded(h.llr.log10),
            "interval": [_rounded(h.llr.low), _rounded(h.llr.high)],
            "calibration_id": h.llr.calibration_id,
            "calibration_items": h.llr.calibration_items,
        },
        "stability": None
        if h.stability is None
        else {
            "variants": h.stability.variants,
            "min": _rounded(h.stability.low),
            "max": _rounded(h.stability.high),
            "flips": h.stability.flips,
        },
        "findings": [_finding(f) for f in h.findings],
        "model_sha256": h.model_sha256,
    }


def _rounded(value: float | None) -> float | None:
    """To a thousandth: more would differ between processors and mean nothing."""
    return None if value is None else round(value, 3)
