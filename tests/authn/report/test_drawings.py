"""Geometry of the drawings: inside the scale, in order, and honest about open ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.evidence import AssertedClaim
from authn.core.report import Report, report_json
from authn.report.drawings import chain_of, ratio_strip, stability_strip, timeline_of
from tests.doubles.reports import LEARNED, SIGNED_AT, signed_report, unsigned_report, untrusted_report

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
LOGS = st.floats(-30, 30)


def with_interval(lower: datetime | None, upper: datetime | None, as_of: datetime | None = None) -> Report:
    base = signed_report()
    proof = replace(base.cryptographic, not_before=lower, not_after=upper)
    return replace(base, cryptographic=proof, evaluated_as_of=as_of or base.evaluated_as_of)


@settings(deadline=None, max_examples=30)
@given(INSTANTS, INSTANTS, INSTANTS)
def test_what_is_proven_claimed_and_asked_stands_in_its_order(a: datetime, b: datetime, c: datetime) -> None:
    timeline = timeline_of(report_json(with_interval(min(a, b), max(a, b), c)))
    assert timeline is not None
    order = [datetime.strptime(e.when, "%d %b %Y, %H:%M:%S UTC") for e in timeline.events]
    assert order == sorted(order)
    assert [e.gap == "" for e in timeline.events] == [True] + [False] * (len(order) - 1)


def test_each_moment_says_whether_it_is_proven_or_only_claimed() -> None:
    base = with_interval(None, SIGNED_AT)
    claim = AssertedClaim(
        label="action", statement="c2pa.created, at 2026-11-20T14:03:20Z", asserted_by="x", manifest="m"
    )
    timeline = timeline_of(
        report_json(replace(base, cryptographic=replace(base.cryptographic, claims=(claim,))))
    )
    assert timeline is not None
    kinds = {e.label: e.kind for e in timeline.events}
    assert kinds["Time that the signer claims"] == "claimed"
    assert kinds["Time-stamp"] == kinds["Signed not after"] == "proven"
    assert kinds["Judged as of"] == "asked"
    assert "Signed not before" not in kinds, "a side that nothing bounds has no moment"


def test_a_time_that_a_stranger_wrote_and_nobody_can_read_is_left_out() -> None:
    base = with_interval(None, SIGNED_AT)
    claim = AssertedClaim(label="a", statement="at 9999-99-99T99:99:99Z", asserted_by="x", manifest="m")
    timeline = timeline_of(
        report_json(replace(base, cryptographic=replace(base.cryptographic, claims=(claim,))))
    )
    assert timeline is not None
    assert all(e.kind != "claimed" for e in timeline.events)


def test_without_a_proven_or_claimed_time_there_is_no_timeline() -> None:
    assert timeline_of(report_json(untrusted_report())) is None
    assert timeline_of(report_json(unsigned_report())) is None


def test_the_chain_says_where_it_ends() -> None:
    inside, outside = chain_of(report_json(signed_report())), chain_of(report_json(untrusted_report()))
    assert inside is not None
    assert outside is not None
    assert (len(inside.nodes), inside.open_end) == (3, False)
    assert (len(outside.nodes), outside.open_end) == (2, True)
    assert chain_of(report_json(unsigned_report())) is None


@settings(deadline=None)
@given(LOGS, LOGS, LOGS)
def test_a_ratio_is_drawn_on_a_fixed_scale(a: float, b: float, c: float) -> None:
    low, middle, high = sorted((a, b, c))
    assert LEARNED.llr is not None
    ratio = replace(LEARNED.llr, log10=middle, low=low, high=high)
    report = replace(signed_report(), heuristic=(replace(LEARNED, llr=ratio),))
    strip = ratio_strip(report_json(report)["heuristic"]["detectors"][0])  # type: ignore[index,call-overload]
    assert strip is not None
    assert strip.dot is not None
    assert 0 <= strip.low <= strip.dot <= strip.high <= 100
    assert strip.middle == 50


@settings(deadline=None)
@given(LOGS, LOGS, LOGS)
def test_the_stability_range_prints_its_ends(a: float, b: float, c: float) -> None:
    low, raw, high = sorted((a, b, c))
    detector = {"raw": raw, "stability": {"variants": 4, "min": low, "max": high, "flips": 1}}
    strip = stability_strip(detector)
    assert strip is not None
    assert strip.dot is not None
    assert 0 <= strip.low <= strip.dot <= strip.high <= 100
    assert [place for place, _ in strip.ticks] == [0.0, 100.0]


def test_nothing_is_drawn_without_a_calibration_or_a_number() -> None:
    assert ratio_strip({"llr": None}) is None
    assert stability_strip({"stability": None, "raw": 1.0}) is None
    odd = {"raw": float("nan"), "stability": {"variants": 1, "min": 0.0, "max": 1.0, "flips": 0}}
    assert stability_strip(odd) is None
