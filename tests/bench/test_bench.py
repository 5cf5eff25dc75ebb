"""The benchmark measures what it says; its numbers are nobody's pass or fail on a busy machine."""

from __future__ import annotations

import pytest

from tests.bench import pki
from tests.bench.sign_verify import measure, photo, show, signing, verifying


def test_one_round_of_the_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    data = photo(640, 480)
    show("small", len(data), measure(signing(data) | verifying(data, 1), 1))
    shown = capsys.readouterr().out
    assert "our verify / bare verify" in shown
    assert "SHA-256" in shown


def test_the_certificates_benchmark_measures_what_it_says() -> None:
    found = pki.measure(5, 100)
    assert min(found.values()) > 0
    assert found["list of 100: bytes"] > 100 * 50
