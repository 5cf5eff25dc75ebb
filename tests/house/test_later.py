"""What `make test-later` leaves out can come to know no date."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.later.clock import asks, may_depend_on_the_date, runs_once


@pytest.mark.parametrize(
    "module",
    [
        "tests.authn.pki.test_chains",  # judges certificates
        "tests.authn.provenance.test_verifier",
        "tests.authn.web.test_service",  # the service reads a clock
        "tests.authn.examine.test_held_examining",
        "tests.faults.test_clock",
        "tests.signer.proof.test_timestamp",
        "tests.trips.test_demo",  # starts programs
        "tests.nowhere.test_nothing",  # not known
    ],
)
def test_tests_that_can_come_to_know_the_date_run_again_on_another_day(module: str) -> None:
    assert may_depend_on_the_date(module)


def test_tests_of_pixels_and_of_bytes_run_once() -> None:
    assert not any(
        map(
            may_depend_on_the_date,
            ("tests.authn.sources.test_symmetry", "tests.authn.tlog.format.test_merkle"),
        )
    )


def test_what_says_that_no_date_changes_it_runs_once(request: pytest.FixtureRequest) -> None:
    assert runs_once(request.node) is not may_depend_on_the_date("tests.house.test_later")
    request.node.add_marker("timeless")
    assert runs_once(request.node)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("datetime.now(UTC)", True),
        ("from authn.core.instants import utc_now\nclock = utc_now", True),
        ("from time import time", True),
        ("import time\ntime.time()", True),
        ("import time\ntime.monotonic()", False),
        ("load = importlib.import_module(name)", True),
        ("def later(now): return now", False),
    ],
)
def test_asking_for_the_time_of_the_day_is_seen(
    code: str, found: bool, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.later.clock.ROOT", tmp_path)
    (tmp_path / "some.py").write_text(code)  # type: ignore[operator]
    assert asks("some") is found


def test_every_folder_that_is_named_is_there() -> None:
    named = (ROOT / "Makefile").read_text().partition("-p tests.later.clock")[2].splitlines()[0]
    assert all((ROOT / folder).is_dir() for folder in named.split() if folder.startswith("tests/"))
    assert "tests/authn" in named
