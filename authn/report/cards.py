"""A report's JSON as things to show: cards with a question, an answer, and what the answer does not prove.

Reads the stored JSON form, so that a report renders the same from memory, from a database and from a line of
an audit. Every text leaves this module visible and bounded; nothing here is markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from authn.core.evidence import (
    Axis,
    AxisEvidence,
    Finding,
    HeuristicOutcome,
    IdentityFinding,
    Outcome,
    Question,
)
from authn.core.report import Severity
from authn.core.visible import visible, visible_block
from authn.report import wording
from authn.report.doubts import Axes
from authn.report.language import (
    clock,
    date,
    number,
    t,
    told,
)
from authn.report.vouching import guarantee_sentence, joint_of, read_as

MAX_FINDINGS = 60
MAX_RAW_CHARS = 20_000
MAX_ROWS = 60

Document = Mapping[str, Any]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    code: str
    badge: str
    detail: str
    facts: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """``mark`` names the small drawing beside the answer; it repeats what ``badge`` says in words.

    ``brief`` is the one name or time that is shown beneath the answer; ``asks_first``: the answer is none
    without its question; ``detail_in_sight``: the reason is what a person wants to read.
    """

    anchor: str
    title: str
    question: str
    answer: str
    badge: str
    mark: str
    brief: str
    detail: str
    not_proven: str
    facts: Pairs
    findings: tuple[FindingRow, ...]
    findings_left: int
    raw: str
    asks_first: bool = False
    detail_in_sight: bool = False


def stored_axes(report: Document) -> Axes:
    """Outcomes and findings of a stored report."""
    return {axis: _stored_axis(axis, report["cryptographic"]["axes"][axis.value]) for axis in Axis}


def _stored_axis(axis: Axis, evidence: Document) -> AxisEvidence:
    findings = (
        Finding(code=f["code"], outcome=Outcome(f["outcome"]), detail=f["detail"])
        for f in evidence["findings"]
    )
    return AxisEvidence(axis=axis, outcome=outcome_of(axis, evidence), findings=tuple(findings))


_OUTSIDE_CODES = {Axis.SIGNER: "signingCredential.untrusted", Axis.TIME: "timeStamp.untrusted"}


def outcome_of(axis: Axis, evidence: Document) -> Outcome:
    """Reports of version 1 had no word of its own for what leads outside the lists: it was "refuted"."""
    outcome = Outcome(evidence["outcome"])
    against = {f["code"] for f in evidence["findings"] if f["outcome"] == Outcome.REFUTED.value}
    if outcome is Outcome.REFUTED and against == {_OUTSIDE_CODES.get(axis)}:
        return Outcome.OUTSIDE_LISTS
    return outcome


def proof_cards(report: Document) -> tuple[Card, ...]:
    """One card per axis, in the order of ``Axis``."""
    return tuple(_proof_card(report["cryptographic"], axis) for axis in Axis)


def _proof_card(cryptographic: Document, axis: Axis) -> Card:
    evidence = cryptographic["axes"][axis.value]
    outcome = outcome_of(axis, evidence)
    findings = evidence["findings"]
    words = wording.axis_words(axis, outcome, (f["code"] for f in findings))
    return Card(
        anchor=f"axis-{axis.value}",
        title=wording.AXIS_TITLES[axis],
        question=wording.AXIS_QUESTIONS[axis],
        answer=words.answer,
        badge=wording.BADGES[outcome],
        mark=outcome.value,
        brief=_brief(cryptographic, axis),
        detail=_detail(findings, evidence["outcome"]),
        not_proven=words.not_proven,
        facts=_axis_facts(cryptographic, axis),
        findings=finding_rows(findings),
        findings_left=max(0, len(findings) - MAX_FINDINGS),
        raw=raw_json(evidence),
    )


def _detail(findings: list[Document], outcome: str) -> str:
    """The detail of the finding that gave the axis its outcome."""
    deciding = next((f for f in findings if f["outcome"] == outcome), None)
    return visible(deciding["detail"]) if deciding else ""


def _brief(cryptographic: Document, axis: Axis) -> str:
    if axis is Axis.SIGNER and cryptographic["chain"]:
        return visible(common_name(cryptographic["chain"][0]["subject"]), 80)
    interval = cryptographic["interval"]
    if axis is Axis.TIME and interval["not_after"]:
        return t("time.not_after", when=moment(interval["not_after"]))
    if axis is Axis.TIME and interval["not_before"]:
        return t("time.not_before", when=moment(interval["not_before"]))
    return ""


def _axis_facts(cryptographic: Document, axis: Axis) -> Pairs:
    if axis is Axis.SIGNER and cryptographic["chain"]:
        leaf = cryptographic["chain"][0]
        return (
            (t("fact.name"), visible(common_name(leaf["subject"]), 120)),
            (t("fact.issuer"), visible(common_name(leaf["issuer"]), 120)),
            (t("fact.valid"), period(leaf["not_before"], leaf["not_after"])),
        )
    if axis is Axis.DEVICE:
        return _assurance(cryptographic["axes"][axis.value]["findings"])
    if axis is Axis.TIME:
        interval = cryptographic["interval"]
        if interval["not_before"] or interval["not_after"]:
            return (
                (t("fact.not_before"), moment(interval["not_before"])),
                (t("fact.not_after"), moment(interval["not_after"])),
            )
    return ()


def _assurance(findings: list[Document]) -> Pairs:
    """The level of the device's key, who vouched for it and when, and what that leaves open."""
    facts = next((f["facts"] for f in findings if "assurance_limit" in f["facts"]), None)
    if facts is None:
        return ()
    level = t("assurance.of", level=_value(facts["assurance_level"]), text=told(_value(facts["assurance"])))
    by = t("assurance.nobody")
    if facts["attestation_fmt"]:
        by = t("assurance.by", format=_value(facts["attestation_fmt"]), when=moment(facts["attested_at"]))
    return (
        (t("assurance.level"), visible(level, 200)),
        (t("assurance.attestation"), visible(by, 120)),
        (t("assurance.limit"), told(_value(facts["assurance_limit"]), 300)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRow:
    """Whom an identity assertion names, in what way, and what each reader found."""

    named: str
    way: str
    readings: Pairs


def identity_rows(report: Document) -> tuple[IdentityRow, ...]:
    """Reports of version 1 have none."""
    found = report["cryptographic"].get("identities", [])[:MAX_ROWS]
    return tuple(
        IdentityRow(
            named=visible("; ".join(i["named"]) or t("identity.nobody"), 240),
            way=visible(t("identity.by", way=wording.IDENTITY_KINDS[i["kind"]], by=i["vouched_by"]), 240),
            readings=tuple(
                (visible(r["engine"], 60), _identity_reading(r)) for r in i["readings"][:MAX_FINDINGS]
            ),
        )
        for i in found
    )


def _identity_reading(reading: Document) -> str:
    said = wording.IDENTITY_FINDINGS[IdentityFinding(reading["finding"])]
    codes = f" [{', '.join(visible(c, 80) for c in reading['codes'][:4])}]" if reading["codes"] else ""
    return f"{said}: {visible(reading['detail'], 200)}{codes}"


def guess_cards(report: Document) -> tuple[Card, ...]:
    """One card per detector and question, in the order of the report."""
    detectors = report["heuristic"]["detectors"][:MAX_ROWS]
    return tuple(_guess_card(d, i) for i, d in enumerate(detectors))


def _guess_card(d: Document, index: int) -> Card:
    question, outcome = Question(d["question"]), HeuristicOutcome(d["outcome"])
    words = wording.heuristic_words(question, outcome, d["kind"], applicable=d["applicable"], source=d["id"])
    facts = [(t("fact.source"), visible(f"{d['id']} {d['version']} ({d['kind']})", 120))]
    if (seen := read_as(d)) is not None:
        facts.append((t("fact.read_as"), seen))
    if d["raw"] is not None:
        facts.append((t("fact.raw"), number(d["raw"])))
    if (vouched := guarantee_sentence(d)) is not None:
        facts.append((t("fact.vouched"), vouched))
    part = joint_of(d)
    return Card(
        anchor=f"heuristic-{index}",
        title=visible(d["id"], 60),
        question=wording.QUESTIONS[question],
        answer=words.answer if part is None else t("part.answer", joint=visible(part, 40)),
        badge=wording.HEURISTIC_BADGES[outcome] if part is None else t("part.badge"),
        mark=outcome.value,
        brief="",
        detail=visible(d["reason"]),
        not_proven=words.not_proven if part is None else t("part.limit"),
        facts=tuple(facts),
        findings=finding_rows(d["findings"]),
        findings_left=max(0, len(d["findings"]) - MAX_FINDINGS),
        raw=raw_json(d),
        asks_first=True,
        detail_in_sight=outcome is HeuristicOutcome.SUPPORTS or (is_undecided_signal(d) and tells(d)),
    )


def is_undecided_signal(d: Document) -> bool:
    return bool(d["kind"] == "signal" and d["outcome"] == HeuristicOutcome.INCONCLUSIVE.value)


def tells(d: Document) -> bool:
    """Whether it found something, or could not look: the past of a file accuses nobody, and can matter."""
    return any(f["outcome"] != Outcome.ABSENT.value for f in d["findings"])


def finding_rows(findings: list[Document]) -> tuple[FindingRow, ...]:
    return tuple(
        FindingRow(
            code=visible(f["code"], 120),
            badge=wording.BADGES[Outcome(f["outcome"])],
            detail=visible(f["detail"]),
            facts=tuple((visible(k, 60), visible(_value(v), 200)) for k, v in f["facts"].items()),
        )
        for f in findings[:MAX_FINDINGS]
    )


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def raw_json(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return visible_block(text, MAX_RAW_CHARS)


_PARTS = re.compile(
    r"(?:\\.|[^,+\\])+"
)  # of an RFC 4514 string: a comma in a value stands behind a backslash


def common_name(distinguished_name: str) -> str:
    """CN of an RFC 4514 string, else all of it. For labels only: the text was chosen by whoever asked."""
    parts = (part.strip() for part in _PARTS.findall(distinguished_name))
    names = (part.removeprefix("CN=").strip() for part in parts if part.startswith("CN="))
    return next(filter(None, names), distinguished_name)


def instant_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def moment(text: str | None) -> str:
    """A time for people, to the second, always in UTC."""
    when = instant_of(text)
    return t("time.unknown") if when is None else clock(when)


def day(text: str) -> str:
    return date(datetime.fromisoformat(text))


def period(start: str, end: str) -> str:
    return f"{day(start)} – {day(end)}"


def subject_line(subject: Document) -> str:
    """Kind, size in pixels and bytes of the examined file."""
    parts = [visible(subject["media_type"], 60)]
    if subject["width"] and subject["height"]:
        parts.append(t("subject.pixels", width=subject["width"], height=subject["height"]))
    parts.append(size(subject["bytes"]))
    claimed = subject["media_type_claimed"]
    if claimed and claimed != subject["media_type"]:
        parts.append(t("subject.named", claimed=visible(claimed, 60)))
    return ", ".join(parts)


def size(amount: int) -> str:
    if amount < 1000:
        return t("size.bytes", n=amount)
    unit, divisor = ("kB", 1e3) if amount < 1e6 else ("MB", 1e6)
    return f"{number(amount / divisor, '.1f')} {unit}"


def place(pointer: str, report: Document) -> str:
    """A JSON pointer of a contradiction, in words a person can find on the page."""
    parts = pointer.strip("/").split("/")
    if parts[:2] == ["cryptographic", "axes"] and len(parts) > 2 and parts[2] in set(Axis):
        return f"{wording.PROOF_COLUMN}: {wording.AXIS_TITLES[Axis(parts[2])]}"
    if parts[:2] == ["cryptographic", "interval"]:
        return f"{wording.PROOF_COLUMN}: {t('place.interval')}"
    if parts[:1] == ["recovered"]:
        return t("place.recovered")
    if parts[:2] == ["cryptographic", "claims"]:
        return f"{wording.PROOF_COLUMN}: {t('place.claims')}"
    detectors = report["heuristic"]["detectors"]
    if parts[:2] == ["heuristic", "detectors"] and len(parts) > 2:
        which = next((d for i, d in enumerate(detectors) if parts[2] in (str(i), d["id"])), None)
        if which is not None:
            return f"{wording.GUESS_COLUMN}: {visible(which['id'], 60)}"
    return visible(pointer, 120)


def contradiction_rows(report: Document) -> tuple[tuple[str, str], ...]:
    """(sentence, what it sets beside what, and how soon to look, which reports of version 0.1 do not say).
    Its code is in the JSON, for programs."""
    return tuple((c["text"], _beside(c, report)) for c in report["contradictions"][:MAX_ROWS])


def _beside(contradiction: Document, report: Document) -> str:
    said = [t("and").join(place(p, report) for p in contradiction["between"])]
    if "severity" in contradiction:
        said.append(t(f"severity.{Severity(contradiction['severity'])}"))
    return "; ".join(said)


def title_of(what: str) -> str:
    """An axis by its title; a source by its own name."""
    return wording.AXIS_TITLES[Axis(what)] if what in set(Axis) else what


def tool_rows(report: Document) -> Pairs:
    """What examined the file: versions and digests."""
    tool = report["tool"]
    return (
        ("Assay", visible(tool["version"], 60)),
        (t("how.policy"), visible(f"{tool['policy']['name']} (sha256 {tool['policy']['sha256']})", 200)),
        (t("how.signer_roots"), visible(tool["signer_roots_sha256"] or t("how.none"), 80)),
        (t("how.tsa_roots"), visible(tool["tsa_roots_sha256"] or t("how.none"), 80)),
        *(
            (t("how.model", model=visible(m["id"], 60)), visible(m["sha256"], 80))
            for m in tool["models"][:MAX_ROWS]
        ),
        (t("how.report"), visible(report["run"]["report_id"], 80)),
    )
