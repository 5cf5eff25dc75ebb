"""What a step takes is tried once, and kept for a run that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.core.errors import FileDamaged
from detector.lab.folder.pace import PACE_FILE, step_seconds, try_pace
from detector.lab.steps.training_set import TrainingOptions

SMALL = TrainingOptions(pairs_per_batch=2, crop_side=64, width=8)


def test_a_step_is_tried_and_leaves_nothing_but_its_seconds(tmp_path: Path) -> None:
    try_pace(tmp_path, SMALL)
    assert step_seconds(tmp_path, 1e9) < 1e3
    assert [p.name for p in tmp_path.iterdir()] == [PACE_FILE]


def test_a_run_from_before_steps_were_tried_goes_on_as_planned(tmp_path: Path) -> None:
    assert step_seconds(tmp_path, 0.6) == 0.6


@pytest.mark.parametrize("text", ["{}", "[]", "nothing", '{"step_seconds": null}', '{"step_seconds": 0}'])
def test_seconds_that_are_none_are_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / PACE_FILE).write_text(text)
    with pytest.raises(FileDamaged, match=r"pace\.json says .*; remove it"):
        step_seconds(tmp_path, 0.6)
