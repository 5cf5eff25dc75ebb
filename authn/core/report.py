"""The report: both evidences side by side, never added up; and its one JSON form.

The JSON is defined by docs/formats/report.schema.json. ``run`` is the only part that differs between two
executions on the same bytes, roots, registry, as-of time and models. What the engines said word for word is
there too, since one of them judges at the clock's time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, cast

from authn.core.evidence import (
    AxisEvidence,
    CryptographicEvidence,
    Finding,
    HeuristicEvidence,
    NotExamined,
)
from authn.core.holds import Holds, confinement_json
from authn.core.instants import instant
from authn.core.likeness import Recovered
from authn.core.media import Media
from authn.core.plain import Json

SCHEMA_ID = "urn:assay:report:2"
RECOVERY = "recovery"  # in not_examined: nobody looked which photos that were signed here it looks like
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

    @classmethod
    def of(cls, media: Media) -> Subject:
        return cls(
            sha256=media.sha256,
            bytes=len(media.data),
            media_type=media.media_type,
            media_type_claimed=media.claimed_type,
            width=media.width,
            height=media.height,
            name=media.name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence of the policy file about the cryptographic evidence; ``None`` means not evaluated."""

    id: str
    value: bool | None
    text: str


class StatementKind(StrEnum):
    """What a statement of a policy rests on. ``BOTH`` shows one of each, joined and never added up;
    ``CONTRADICTION`` is one that the report has, between any two."""

    CRYPTOGRAPHIC = "cryptographic"
    HEURISTIC = "heuristic"
    BOTH = "both"
    CONTRADICTION = "contradiction"


class Level(StrEnum):
    """As SARIF 2.1.0 has them (3.27.10)."""

    NONE = "none"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Join(StrEnum):
    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatement:
    """One statement of the policy with its kind, its sentence in each language of the policy, and what the
    policy wants to follow from its value. ``of`` and ``join``: the two that one of both kinds is made of."""

    id: str
    kind: StatementKind
    value: bool | None
    level: Level
    exit_code: int
    texts: tuple[tuple[str, str], ...]
    of: tuple[str, ...] = ()
    join: Join | None = None

    @property
    def text(self) -> str:
        """In English, which every policy has."""
        return dict(self.texts)["en"]


class Severity(StrEnum):
    """How soon a person should look at a contradiction. It says not which side is right."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two observations that do not fit together. It decides nothing; a person should look. ``code`` and
    ``severity`` are those of its row in the table (``authn.examine.contradictions``)."""

    between: tuple[str, str]
    text: str
    code: str
    severity: Severity


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
class RubricLabel:
    """What an Asset Rubric says of the credential as one reader saw it: neither axis nor statement.
    ``manifest`` is empty where the rubric speaks of the whole file; ``level`` and ``exit_code`` follow from
    it where the rubric was applied as a policy."""

    rubric: str
    id: str
    value: bool | None
    warns: bool
    text: str
    manifest: str
    level: Level = Level.NONE
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCost:
    """What one evidence source took: milliseconds of CPU of the whole process. Whichever source looks at
    pixels first pays for their decoding. ``on_request``: it runs only where somebody asks for it."""

    source: str
    cpu_ms: float
    on_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    report_id: str
    generated_at: datetime
    elapsed_ms: float
    confinement: Holds | None = None  # None: examined in the caller's own process
    rubrics: tuple[RubricLabel, ...] | None = None  # None: nobody asked
    sources: tuple[SourceCost, ...] = ()
    left_out: tuple[str, ...] = ()  # sources that run on request, and were not asked for


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
    recovered: tuple[Recovered, ...] | None = None  # None: nobody looked
    policy_statements: tuple[PolicyStatement, ...] = ()


def report_json(report: Report) -> dict[str, Json]:
    """The report as plain JSON values, in a fixed order."""
    proof, tool, run = report.cryptographic, report.tool, report.run
    return {
        "$schema": SCHEMA_ID,
        "evaluated_as_of": instant(report.evaluated_as_of),
        "tool": {
            "name": "assay",
            "version": tool.version,
            "engines": dict(tool.engines),
            "models": [{"id": i, "sha256": s} for i, s in tool.models],
            "signer_roots_sha256": tool.signer_roots_sha256,
            "tsa_roots_sha256": tool.tsa_roots_sha256,
            "policy": {"name": tool.policy, "sha256": tool.policy_sha256},
        },
        "subject": _plain(report.subject),
        "cryptographic": cryptographic_json(proof),
        "heuristic": {"detectors": [_heuristic(h) for h in report.heuristic]},
        **({} if report.recovered is None else {"recovered": _plain(report.recovered)}),
        "contradictions": _plain(report.contradictions),
        "statements": _plain(report.statements),
        "policy_statements": [_policy_statement(s) for s in report.policy_statements],
        "limits": _plain(report.limits),
        "not_examined": _plain(report.not_examined),
        "run": {
            "report_id": run.report_id,
            "generated_at": instant(run.generated_at),
            "elapsed_ms": round(run.elapsed_ms, 3),
            "confinement": cast("Json", confinement_json(run.confinement)),
            "engines": _plain(proof.engines),
            "sources": _plain(tuple(replace(c, cpu_ms=round(c.cpu_ms, 3)) for c in run.sources)),
            "sources_left_out": list(run.left_out),
            **({} if run.rubrics is None else {"rubrics": _plain(run.rubrics)}),
        },
    }


def cryptographic_json(proof: CryptographicEvidence) -> dict[str, Json]:
    """One column of the report as plain JSON values."""
    return {
        "axes": {a.axis.value: axis_json(a) for a in proof.axes},
        "interval": {"not_before": _plain(proof.not_before), "not_after": _plain(proof.not_after)},
        "claims": _plain(proof.claims),
        "chain": _plain(proof.chain),
        "identities": _plain(proof.identities),
    }


def refusal_json(name: str, code: str, detail: str) -> dict[str, Json]:
    """What stands in the place of a report when the file could not be examined at all."""
    return {"$schema": SCHEMA_ID, "subject": {"name": name}, "error": {"code": code, "detail": detail}}


def recovered_json(found: Recovered) -> Json:
    """One photo that was found again as plain JSON values."""
    return _plain(found)


def axis_json(a: AxisEvidence) -> dict[str, Json]:
    """One axis as plain JSON values."""
    return {"outcome": a.outcome.value, "findings": [_finding(f) for f in a.findings]}


def _plain(value: object) -> Json:
    """Frozen values as they stand: fields by their names and in their order, times as RFC 3339."""
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:  # most of a report, and every answer holds one
        return cast("Json", value)
    if kind is tuple:
        return [_plain(v) for v in cast("tuple[object, ...]", value)]
    if (names := _names(kind)) is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, StrEnum):
        return value.value
    return cast("Json", value)


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """None of what is no dataclass."""
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else None


def _policy_statement(s: PolicyStatement) -> Json:
    shown: dict[str, Json] = {
        "id": s.id,
        "kind": s.kind.value,
        "value": s.value,
        "level": s.level.value,
        "exit_code": s.exit_code,
        "texts": dict(s.texts),
    }
    return shown if s.join is None else {**shown, "join": s.join.value, "of": list(s.of)}


def _finding(f: Finding) -> Json:
    return {"code": f.code, "outcome": f.outcome.value, "detail": f.detail, "facts": dict(f.facts)}


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
        "read_as": None
        if h.condition is None
        else {"kind": h.content, "side": h.condition.side, "quality": h.condition.quality},
        "guarantee": _plain(h.guarantee),
        "part_of": h.part_of,
    }


def _rounded(value: float | None) -> float | None:
    """To a thousandth: more would differ between processors and mean nothing."""
    return None if value is None else round(value, 3)
