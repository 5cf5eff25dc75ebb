"""Numbers for the small drawings of a report, each with a sentence that says the same.

Pure geometry on a scale of 0 to 100; templates draw it. Nothing is normalised silently: the scale is the same
for every report, or its ends are printed beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from authn.core.evidence import Outcome, Question
from authn.core.instants import utc_of
from authn.core.visible import visible
from authn.report.cards import MAX_ROWS, Document, common_name, period
from authn.report.language import clock, has, number, t
from authn.report.likelihood import band_sentence, ratio_sentence


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
            role=t(f"chain.{c['role']}") if has(f"chain.{c['role']}") else t("chain.other"),
            name=visible(common_name(c["subject"]), 80),
            subject=visible(c["subject"], 200),
            valid=period(c["not_before"], c["not_after"]),
            in_lists=c["in_given_roots"],
        )
        for c in certificates
    )
    listed = next((n for n in nodes if n.in_lists), None)
    end = t("chain.listed", root=listed.name) if listed else t("chain.outside")
    return Chain(nodes=nodes, open_end=listed is None, alt=t("chain.alt", n=len(nodes), end=end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``kind``: proven, claimed, certificate or asked. ``gap``: how long after the one before, in words."""

    label: str
    when: str
    kind: str
    means: str
    gap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Events in their order; distances are told, not drawn, since seconds and years share a line."""

    events: tuple[Event, ...]
    alt: str


def timeline_of(report: Document) -> Timeline | None:
    """What is proven, claimed and asked about times, in order. None without anything proven or claimed."""
    found = sorted(_instants(report), key=lambda e: (e[0], _ORDER.index(e[1])))
    if all(name in ("asked", "valid_from", "valid_until") for _, name in found):
        return None
    events = []
    before: datetime | None = None
    for when, name in found:
        gap = "" if before is None else _gap((when - before).total_seconds())
        events.append(
            Event(
                label=t(f"event.{name}"),
                when=clock(when),
                kind=_KINDS[name],
                means=t(f"event.{name}.is"),
                gap=gap,
            )
        )
        before = when
    if report["cryptographic"]["axes"]["log"]["outcome"] == Outcome.ESTABLISHED.value:
        events.append(
            Event(label=t("event.log"), when=t("event.log.when"), kind="proven", means=t("event.log.is"))
        )
    return Timeline(
        events=tuple(events), alt=t("timeline.alt", events="; ".join(f"{e.label} {e.when}" for e in events))
    )


_KINDS = {
    "valid_from": "certificate",
    "not_before": "proven",
    "claim": "claimed",
    "stamp": "proven",
    "not_after": "proven",
    "asked": "asked",
    "valid_until": "certificate",
}
_ORDER = tuple(_KINDS)
_CLAIMED_AT = re.compile(r"\bat (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)$")


def _instants(report: Document) -> Iterator[tuple[datetime, str]]:
    c = report["cryptographic"]
    yield datetime.fromisoformat(report["evaluated_as_of"]).astimezone(UTC), "asked"
    if c["chain"]:
        yield _instant(c["chain"][0]["not_before"]), "valid_from"
        yield _instant(c["chain"][0]["not_after"]), "valid_until"
    for name in ("not_before", "not_after"):
        if c["interval"][name]:
            yield _instant(c["interval"][name]), name
    times = {_fact(f, "gen_time") for f in c["axes"]["time"]["findings"]} - {None}
    if c["axes"]["time"]["outcome"] == Outcome.ESTABLISHED.value:
        yield from ((when, "stamp") for when in times if when is not None)
    claimed = [m[1] for m in (_CLAIMED_AT.search(str(i["statement"])) for i in c["claims"]) if m]
    if claimed and (when := _readable(claimed[0])) is not None:
        yield when, "claim"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _readable(text: object) -> datetime | None:
    """A time that a stranger may have written."""
    try:
        return utc_of(str(text))
    except ValueError:
        return None


def _fact(finding: Document, name: str) -> datetime | None:
    return _readable(finding["facts"][name]) if name in finding["facts"] else None


_UNITS = ((86_400 * 730, 86_400 * 365.25, "years"), (86_400 * 2, 86_400, "days"), (7200, 3600, "hours"))


def _gap(seconds: float) -> str:
    """A distance in the largest unit of which there are at least two."""
    for least, unit, name in _UNITS:
        if seconds >= least:
            return t(f"gap.{name}", n=round(seconds / unit))
    return t("gap.minutes", n=round(seconds / 60)) if seconds >= 120 else t("gap.seconds", n=round(seconds))


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
        caption=t("strip.ratio", calibration=visible(llr["calibration_id"], 60)),
        dot=_on_ratio_scale(llr["log10"]),
        low=_on_ratio_scale(low),
        high=_on_ratio_scale(high),
        middle=50.0,
        ticks=((0.0, t("strip.less")), (50.0, t("strip.equally")), (100.0, t("strip.more"))),
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
        caption=t("strip.stability", variants=s["variants"], low=number(s["min"]), high=number(s["max"])),
        dot=None if raw is None else at(raw),
        low=at(s["min"]),
        high=at(s["max"]),
        middle=at(0.0),
        ticks=((0.0, number(first)), (100.0, number(last))),
        alt=band_sentence(detector),
    )
