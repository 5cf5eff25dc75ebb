from __future__ import annotations

from pathlib import Path

import pytest

from detector.core.errors import LabError
from detector.lab.steps.stages import Stages


class Work:
    """Two stages, the second made from the first; counts how often each was done."""

    def __init__(self, run: Path, text: str = "one", **identity: object) -> None:
        self.run, self.text, self.done = run, text, [0, 0]
        self.stages = Stages(run, {"seed": 0, **identity})

    def first(self) -> str:
        self.done[0] += 1
        (self.run / "a").write_text(self.text)
        return "a note"

    def second(self) -> str:
        self.done[1] += 1
        (self.run / "b").write_text((self.run / "a").read_text() + "!")
        return ""

    def go(self) -> list[int]:
        self.stages.do("a", self.first, files=["a"])
        self.stages.do("b", self.second, files=["b"], after=["a"])
        return self.done


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    assert Work(tmp_path).go() == [1, 1]
    assert Work(tmp_path).go() == [0, 0]
    assert Work(tmp_path).stages.records["a"].note == "a note"


@pytest.mark.parametrize(("name", "again"), [("a", [1, 0]), ("b", [0, 1])])
@pytest.mark.parametrize("change", ["lost", "altered"])
def test_a_stage_whose_file_is_lost_or_altered_is_done_again(
    tmp_path: Path, name: str, again: list[int], change: str
) -> None:
    Work(tmp_path).go()
    if change == "lost":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text("something else")
    assert Work(tmp_path).go() == again, "the same content again does not disturb what was made from it"
    assert (tmp_path / "b").read_text() == "one!"


def test_what_was_made_from_something_else_is_made_again(tmp_path: Path) -> None:
    Work(tmp_path).go()
    (tmp_path / "a").unlink()
    assert Work(tmp_path, text="two").go() == [1, 1]
    assert (tmp_path / "b").read_text() == "two!"


def test_a_stage_that_was_interrupted_is_done_again_and_those_before_it_are_not(tmp_path: Path) -> None:
    work = Work(tmp_path)

    def interrupted() -> str:
        (tmp_path / "b").write_text("half")
        raise KeyboardInterrupt

    work.stages.do("a", work.first, files=["a"])
    with pytest.raises(KeyboardInterrupt):
        work.stages.do("b", interrupted, files=["b"], after=["a"])
    assert Work(tmp_path).go() == [0, 1]


def test_a_stage_may_leave_nothing_and_say_why(tmp_path: Path) -> None:
    stages = Stages(tmp_path, {})
    calls = []
    for _ in range(2):
        record = stages.do("a", lambda: calls.append(1) or "not possible here", files=["a"])
    assert (record.files, record.note, len(calls)) == ({}, "not possible here", 1)


def test_a_folder_that_was_begun_otherwise_is_refused(tmp_path: Path) -> None:
    Work(tmp_path).go()
    with pytest.raises(LabError, match="other options"):
        Work(tmp_path, seed=1)


def test_a_state_that_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("[]")
    with pytest.raises(LabError, match="cannot be read"):
        Work(tmp_path)
