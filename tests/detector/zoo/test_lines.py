"""JSON, an object a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.core.lines import Curve, read_lines, read_points, write_lines


def test_lines_come_back_and_no_file_has_none(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "a.jsonl") == []
    rows = [{"a": 1, "b": "ä"}, {}, {"c": [1.5, None]}]
    write_lines(tmp_path / "a.jsonl", rows)
    assert read_lines(tmp_path / "a.jsonl") == rows


@pytest.mark.parametrize("torn", ['{"a": ', "[1]", '"word"', "nothing", "\x00"], ids=range(5))
def test_what_is_no_object_ends_a_file(tmp_path: Path, torn: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"a": 1}}\n{torn}\n{{"a": 3}}\n')
    assert read_lines(tmp_path / "a.jsonl") == [{"a": 1}]


def test_points_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": "2"}\n{"a": null}\n{"a": 4}\n')
    assert read_points(tmp_path / "a.jsonl") == [{"a": 1.0}, {"a": 2.0}]


def test_a_curve_goes_on_from_its_file_and_forgets_what_lies_after_the_checkpoint(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "a.jsonl")
    assert curve.due(0.25, 4)
    for steps in (10.0, 20.0, 30.0):
        curve.add({"steps": steps, "error": 0.5})
    assert not curve.due(0.99, 4)
    again = Curve(tmp_path / "a.jsonl")
    again.add({"steps": 20.0, "error": 0.25})
    assert read_points(tmp_path / "a.jsonl") == again.points
    assert again.points == [{"steps": 10.0, "error": 0.5}, {"steps": 20.0, "error": 0.25}]
