"""A clock for time-stamps does not go back, and says so instead of stamping."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from authn.core.config import load_settings
from authn.core.errors import Unavailable
from authn.pki.clock import SteadyClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def clock_at(*seconds: float) -> SteadyClock:
    times: Iterator[datetime] = iter([NOON + timedelta(seconds=s) for s in seconds])
    return SteadyClock(lambda: next(times))


@pytest.mark.parametrize(
    "seconds", [(0, 0, 5), (5, 4.5, 4), (0, 3600, 3601)], ids=["on", "slewed", "forward"]
)
def test_a_clock_that_goes_on_or_is_slewed_is_believed(seconds: tuple[float, ...]) -> None:
    clock = clock_at(*seconds)
    assert [(clock() - NOON).total_seconds() for _ in seconds] == list(seconds)


def test_a_clock_that_went_back_is_refused_until_it_has_caught_up() -> None:
    clock = clock_at(100, 10, 98, 99, 100)
    clock()
    for _ in range(2):
        with pytest.raises(Unavailable, match="went back, from 2026-11-24T12:01:40Z"):
            clock()
    clock()
    clock()


def test_small_steps_back_do_not_add_up() -> None:
    clock = clock_at(10, 9.2, 8.4)
    clock()
    clock()
    assert clock.why_not() is not None


@pytest.mark.parametrize(
    ("given", "required"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"public_url": "https://assay.example"}, True),
        ({"public_url": "https://assay.example", "require_clock_sync": False}, False),
        ({"require_clock_sync": True}, True),
    ],
    ids=[
        "own machine",
        "own machine, IPv6",
        "every address",
        "behind a proxy",
        "switched off",
        "switched on",
    ],
)
def test_a_service_for_others_needs_a_synchronised_clock_by_default(
    given: dict[str, object], required: bool
) -> None:
    assert load_settings(environ={}, **given).require_clock_sync is required
