"""A few of the rounds of ``kill_log``; many more are run by hand, see docs/formats/log.md."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeless


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_that_was_promised_is_lost_when_writers_are_killed(kind: str) -> None:
    """In a process without threads, since it forks."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.kill_log", "25", kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "rounds=25, promised=" in done.stdout
