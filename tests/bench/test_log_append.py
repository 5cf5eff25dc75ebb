"""The benchmark of the log measures what it says; its numbers are nobody's pass or fail on a busy machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.log_append import appends_per_second, main, syncs_per_second


def test_one_round_of_the_benchmark_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert syncs_per_second(tmp_path, 0.01) > 0
    wall, busy = appends_per_second(f"sqlite:///{tmp_path / 'assay.db'}", 16, 0.05)
    assert min(wall, busy) > 0
    main(0.02, ("sqlite",))
    shown = capsys.readouterr().out
    assert "batch  256" in shown
    assert "fdatasync" in shown
