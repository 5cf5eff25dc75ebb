"""The benchmark measures what it says; its numbers are nobody's pass or fail on a busy machine."""

from __future__ import annotations

import pytest

from tests.bench.sign_verify import measure, photo, show, steps


def test_one_round_of_the_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    data = photo(640, 480)
    show("small", len(data), measure(steps(data), 1))
    shown = capsys.readouterr().out
    assert "our verify / bare verify" in shown
    assert "SHA-256" in shown
