"""One reading of times: RFC 3339 with an offset, within bounds, as UTC; all else is refused in words."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.cli.given import Instant
from authn.core.errors import BadRequest
from authn.core.instants import EARLIEST_YEAR, LATEST_YEAR, parse_instant, parse_utc_field, utc_of
from authn.web.uploads import parse_as_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

GOOD = {
    "2026-11-24T12:00:00Z": NOON,
    "2026-11-24t12:00:00z": NOON,
    "2026-11-24 12:00:00Z": NOON,
    "2026-11-24T13:00:00+01:00": NOON,
    "2026-11-24T12:00:00-00:00": NOON,
    "2026-11-24T00:00:00.5-12:00": NOON + timedelta(seconds=0.5),
    "2026-11-24T12:00:00.1234567890Z": NOON + timedelta(microseconds=123456),
    "1971-01-01T00:00:00+14:00": datetime(1970, 12, 31, 10, tzinfo=UTC),
    "9998-12-31T23:59:59-23:59": datetime(9999, 1, 1, 23, 58, 59, tzinfo=UTC),
}
BAD = [
    "0001-01-01T00:00:00+14:00",  # before the first instant that can be named in UTC
    "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "1970-12-31T23:59:59Z",
    "9999-12-31T23:59:59-14:00",  # after the last one
    "10000-01-01T00:00:00Z",
    "99999-12-31T00:00:00Z",
    "-2026-11-24T12:00:00Z",
    "2016-12-31T23:59:60Z",  # a leap second that was
    "2026-11-24T12:00:60Z",
    "2026-11-24T12:00:61Z",
    "2026-11-24T24:00:00Z",
    "2026-11-24T12:60:00Z",
    "2026-02-29T12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-00-10T12:00:00Z",
    "2026-11-24T12:00:00",  # no zone
    "2026-11-24",  # a date
    "2026-11-24Z",
    "2026-11-24T12:00Z",
    "20261124T120000Z",
    "2026-W48-2T12:00:00Z",
    "2026-11-24T12:00:00+0100",
    "2026-11-24T12:00:00+24:00",
    "2026-11-24T12:00:00+01:60",
    "2026-11-24T12:00:00+01:00:00",
    "2026-11-24T12:00:00 Europe/Berlin",
    "2026-11-24T12:00:00.Z",
    "2026-11-24T12:00:00,5Z",
    "٢٠٢٦-١١-٢٤T12:00:00Z",  # digits, but not of ASCII
    "2026-11-24T12:00:00\uff3a",
    "2026-11-24T12:00:00Z\n",
    " 2026-11-24T12:00:00Z",
    "2026-11-24T12:00:00Z\0",
    "",
    "now",
    "yesterday",
    "1795521600",
    "2026-11-24T12:00:00Z" * 2,
    "\ud800",
]


@pytest.mark.parametrize(("text", "instant"), GOOD.items())
def test_what_rfc_3339_allows_is_read_as_utc(text: str, instant: datetime) -> None:
    found = utc_of(text)
    assert (found, found.tzinfo) == (instant, UTC)


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_everything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_instant(text, "the time")
    assert refused.value.detail.startswith("the time ")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "2026-11-24T12:00:00", "٢٠٢٦-١١-٢٤T12:00:00Z"])
def test_every_way_in_reads_alike(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_as_of(text)
    with pytest.raises(Exception, match=r"RFC 3339|outside"):
        Instant().convert(text, None, None)


def test_a_plus_that_a_query_lost_is_found_again() -> None:
    assert parse_as_of("2026-11-24T13:00:00 01:00") == NOON
    assert parse_as_of("2026-11-24 12:00:00Z") == NOON
    assert parse_as_of(None) is None


@pytest.mark.parametrize("text", ["2026-11-24T12:00", "2026-11-24T12:00:00", "2026-11-24 12:00:00.000"])
def test_the_field_of_a_page_is_utc(text: str) -> None:
    assert parse_utc_field(text, "as_of") == NOON


@pytest.mark.parametrize(
    "text", ["2026-11-24", "2026-11-24T12:00Z", "0001-01-01T00:00", "9999-12-31T23:59", "2026-02-30T12:00"]
)
def test_the_field_of_a_page_has_the_same_bounds(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^as_of "):
        parse_utc_field(text, "as_of")


@given(
    st.datetimes(datetime(EARLIEST_YEAR, 1, 1), datetime(LATEST_YEAR, 12, 31)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_what_is_written_is_what_is_read(at: datetime, minutes: int) -> None:
    instant = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert utc_of(instant.isoformat()) == instant


@settings(max_examples=50)
@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d|Z)"))
def test_no_text_is_anything_but_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert utc_of(text).tzinfo is UTC
