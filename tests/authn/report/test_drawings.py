"""Geometry of the drawings: inside the scale, in order, and honest about open ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.report import Report, report_json
from authn.report.drawings import chain_of, ratio_strip, stability_strip, timeline_of
from tests.doubles.reports import LEARNED, SIGNED_AT, signed_report, unsigned_report, untrusted_report

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
LOGS = st.floats(-30, 30)


def with_interval(lower: datetime | None, upper: datetime | None, as_of: datetime | None = None) -> Report:
    base = signed_report()
    proof = replace(base.cryptographic, not_before=lower, not_after=upper)
    return replace(base, cryptographic=proof, evaluated_as_of=as_of or base.evaluated_as_of)


@settings(deadline=None)
@given(INSTANTS, INSTANTS, INSTANTS)
def test_every_bar_of_a_timeline_lies_on_the_scale(a: datetime, b: datetime, as_of: datetime) -> None:
    timeline = timeline_of(report_json(with_interval(min(a, b), max(a, b), as_of)))
    assert timeline is not None
    for bar in timeline.bars:
        assert 0 <= bar.start <= bar.end <= 100


def test_an_unknown_beginning_is_open() -> None:
    timeline = timeline_of(report_json(with_interval(None, SIGNED_AT)))
    assert timeline is not None
    signed = next(b for b in timeline.bars if b.kind == "signed")
    assert (signed.open_start, signed.open_end, signed.start) == (True, False, 0.0)
    assert "how long before is not known" in signed.text


def test_an_unknown_end_is_open() -> None:
    timeline = timeline_of(report_json(with_interval(SIGNED_AT, None)))
    assert timeline is not None
    signed = next(b for b in timeline.bars if b.kind == "signed")
    assert (signed.open_start, signed.open_end, signed.end) == (False, True, 100.0)


def test_without_a_proven_time_there_is_no_timeline() -> None:
    assert timeline_of(report_json(untrusted_report())) is None
    assert timeline_of(report_json(unsigned_report())) is None


def test_a_single_moment_is_drawn_in_the_middle() -> None:
    base = with_interval(SIGNED_AT, SIGNED_AT, SIGNED_AT)
    bare = replace(base, cryptographic=replace(base.cryptographic, chain=()))
    timeline = timeline_of(report_json(bare))
    assert timeline is not None
    assert {b.start for b in timeline.bars} == {50.0}


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
