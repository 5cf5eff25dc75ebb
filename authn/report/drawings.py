"""Numbers for the small drawings of a report, each with a sentence that says the same.

Pure geometry on a scale of 0 to 100; templates draw it. Nothing is normalised silently: the scale is the same
for every report, or its ends are printed beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from authn.core.evidence import Question
from authn.core.visible import visible
from authn.report.cards import MAX_ROWS, Document, common_name, instant_of, moment, period
from authn.report.likelihood import band_sentence, ratio_sentence

_ROLES = {
    "signer": "Signing certificate",
    "intermediate": "Issuing authority",
    "root": "Root",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    role: str
    name: str
    subject: str
    valid: str
    in_lists: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """``open_end``: the last certificate is in none of the given lists, so the next link is missing."""

    nodes: tuple[Node, ...]
    open_end: bool
    alt: str


def chain_of(report: Document) -> Chain | None:
    certificates = report["cryptographic"]["chain"][:MAX_ROWS]
    if not certificates:
        return None
    nodes = tuple(
        Node(
            role=_ROLES.get(c["role"], "Certificate"),
            name=visible(common_name(c["subject"]), 80),
            subject=visible(c["subject"], 200),
            valid=period(c["not_before"], c["not_after"]),
            in_lists=c["in_given_roots"],
        )
        for c in certificates
    )
    listed = next((n for n in nodes if n.in_lists), None)
    end = f"ends in {listed.name}, a root in your lists" if listed else "ends outside your lists"
    return Chain(nodes=nodes, open_end=listed is None, alt=f"The chain of {len(nodes)} certificates {end}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time; an open side is not known. ``start == end`` is a moment."""

    label: str
    text: str
    start: float
    end: float
    open_start: bool = False
    open_end: bool = False
    kind: str = "span"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    bars: tuple[Bar, ...]
    first: str
    last: str
    alt: str


def timeline_of(report: Document) -> Timeline | None:
    """When the certificate may sign, in which interval the signature was made, and when this was asked."""
    c = report["cryptographic"]
    lower, upper = instant_of(c["interval"]["not_before"]), instant_of(c["interval"]["not_after"])
    if lower is None and upper is None:
        return None
    asked = datetime.fromisoformat(report["evaluated_as_of"])
    leaf = c["chain"][0] if c["chain"] else None
    valid = (instant_of(leaf["not_before"]), instant_of(leaf["not_after"])) if leaf else (None, None)
    known = [t for t in (lower, upper, asked, *valid) if t is not None]
    scale = _Scale(min(known), max(known))
    bars = []
    if valid[0] and valid[1] and leaf:
        text = period(leaf["not_before"], leaf["not_after"])
        bars.append(
            Bar(
                label="Certificate valid",
                text=text,
                start=scale.at(valid[0]),
                end=scale.at(valid[1]),
                kind="valid",
            )
        )
    bars.append(_signed_bar(lower, upper, scale, report))
    asked_text = moment(report["evaluated_as_of"])
    bars.append(
        Bar(
            label="Evaluated as of",
            text=asked_text,
            start=scale.at(asked),
            end=scale.at(asked),
            kind="moment",
        )
    )
    alt = "Timeline: " + "; ".join(f"{b.label.lower()} {b.text}" for b in bars) + "."
    return Timeline(
        bars=tuple(bars),
        first=f"{scale.first.day} {scale.first:%b %Y}",
        last=f"{scale.last.day} {scale.last:%b %Y}",
        alt=alt,
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    first: datetime
    last: datetime

    def at(self, t: datetime) -> float:
        span = (self.last - self.first).total_seconds()
        return 50.0 if span <= 0 else round(100 * (t - self.first).total_seconds() / span, 2)


def _signed_bar(lower: datetime | None, upper: datetime | None, scale: _Scale, report: Document) -> Bar:
    interval = report["cryptographic"]["interval"]
    if lower is None:
        text = f"not after {moment(interval['not_after'])}; how long before is not known"
    elif upper is None:
        text = f"not before {moment(interval['not_before'])}; how long after is not known"
    else:
        text = f"between {moment(interval['not_before'])} and {moment(interval['not_after'])}"
    return Bar(
        label="Signed",
        text=text,
        start=0.0 if lower is None else scale.at(lower),
        end=100.0 if upper is None else scale.at(upper),
        open_start=lower is None,
        open_end=upper is None,
        kind="signed",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A dot with its interval on a scale; ``ticks`` are (place, label)."""

    caption: str
    dot: float | None
    low: float
    high: float
    middle: float | None
    ticks: tuple[tuple[float, str], ...]
    alt: str


_STRIP_LOG10 = 4.0  # ends of the scale: 10,000 times less and 10,000 times more often


def ratio_strip(detector: Document) -> Strip | None:
    """The likelihood ratio with its interval on a fixed logarithmic scale; none without a calibration."""
    llr = detector["llr"]
    if llr is None:
        return None
    low, high = llr["interval"]
    alt = ratio_sentence(Question(detector["question"]), llr["log10"], low, high, llr["calibration_items"])
    return Strip(
        caption=f"Likelihood ratio, calibration {visible(llr['calibration_id'], 60)}",
        dot=_on_ratio_scale(llr["log10"]),
        low=_on_ratio_scale(low),
        high=_on_ratio_scale(high),
        middle=50.0,
        ticks=((0.0, "10,000 × less often"), (50.0, "equally"), (100.0, "10,000 × more often")),
        alt=alt,
    )


def _on_ratio_scale(log10: float) -> float:
    bounded = max(-_STRIP_LOG10, min(_STRIP_LOG10, log10))
    return round(50 + 50 * bounded / _STRIP_LOG10, 2)


def stability_strip(detector: Document) -> Strip | None:
    """The raw score and the range it takes when the same picture is encoded again; ends are printed."""
    s, raw = detector["stability"], detector["raw"]
    if s is None:
        return None
    values = [s["min"], s["max"], *([] if raw is None else [raw])]
    if not all(math.isfinite(v) for v in values):
        return None
    first, last = min(0.0, *values), max(0.0, *values)
    if first == last:
        first, last = -1.0, 1.0

    def at(v: float) -> float:
        return round(100 * float(v - first) / float(last - first), 2)

    return Strip(
        caption=f"Raw score under {s['variants']} re-encodings: {s['min']:.3g} to {s['max']:.3g}",
        dot=None if raw is None else at(raw),
        low=at(s["min"]),
        high=at(s["max"]),
        middle=at(0.0),
        ticks=((0.0, f"{first:.3g}"), (100.0, f"{last:.3g}")),
        alt=band_sentence(detector),
    )
