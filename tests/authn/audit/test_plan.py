"""A plan is written once; an audit that goes on asks the same question of the same inputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.audit.inputs import open_inputs
from authn.audit.plan import Question, RunFolder, open_run, plan
from authn.core.errors import AuditError
from authn.core.media import MediaLimits

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
QUESTION = Question(source="/photos", facts=(("signer_roots", "aa"), ("tsa_roots", "bb")))


def planned(folder: Path, source: Path, question: Question = QUESTION) -> tuple[RunFolder, list[str]]:
    run, _ = open_run(folder, question, as_of=None, started_at=NOW)
    return run, [e.name for e in plan(run, open_inputs(source, MediaLimits()))]


def photos(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_the_as_of_time_is_fixed_when_the_audit_is_planned(tmp_path: Path) -> None:
    first, found = open_run(tmp_path / "run", QUESTION, as_of=None, started_at=NOW)
    assert (first.as_of, found) == (NOW, False)
    again, found = open_run(tmp_path / "run", QUESTION, as_of=None, started_at=LATER)
    assert (again.as_of, again.started_at, found) == (NOW, NOW, True)


def test_what_arrives_after_planning_is_not_part_of_the_audit(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", "a.jpg")
    assert planned(tmp_path / "run", source)[1] == ["a.jpg"]
    (source / "b.jpg").write_bytes(b"b")
    assert planned(tmp_path / "run", source)[1] == ["a.jpg"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (Question(source="/elsewhere", facts=QUESTION.facts), "it audits /photos"),
        (Question(source="/photos", facts=QUESTION.facts, limit=3), "its --limit differs"),
        (
            Question(source="/photos", facts=(("signer_roots", "cc"), ("tsa_roots", "bb"))),
            "other signer roots",
        ),
        (Question(source="/photos", facts=(("signer_roots", "aa"),)), "other tsa roots"),
    ],
)
def test_a_run_folder_of_another_question_is_refused_with_the_difference(
    tmp_path: Path, other: Question, why: str
) -> None:
    open_run(tmp_path, QUESTION, as_of=None, started_at=NOW)
    with pytest.raises(AuditError, match=why):
        open_run(tmp_path, other, as_of=None, started_at=NOW)


def test_another_as_of_time_is_another_question(tmp_path: Path) -> None:
    open_run(tmp_path, QUESTION, as_of=NOW, started_at=NOW)
    with pytest.raises(AuditError, match="as of 2026-11-24T10:00:00Z"):
        open_run(tmp_path, QUESTION, as_of=LATER, started_at=LATER)
    assert open_run(tmp_path, QUESTION, as_of=NOW, started_at=LATER)[1]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_bytes(b"x")
    with pytest.raises(AuditError, match="holds no audit"):
        open_run(tmp_path, QUESTION, as_of=None, started_at=NOW)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.odt"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 2}'])
def test_a_damaged_run_file_is_an_error_and_not_a_fresh_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(AuditError):
        open_run(tmp_path, QUESTION, as_of=None, started_at=NOW)


def test_the_plan_lists_what_is_left_out_and_why(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", "a.jpg", "b.jpg", "c.jpg")
    (source / "link.jpg").symlink_to("a.jpg")
    run, names = planned(tmp_path / "run", source)
    lines = [json.loads(line) for line in run.plan_file.read_text().splitlines()]
    assert [line["name"] for line in lines] == names == ["a.jpg", "b.jpg", "c.jpg", "link.jpg"]
    assert "link" in lines[3]["skipped"]["detail"]
    assert len(lines[0]["sha256"]) == 64


def test_a_limit_says_that_there_is_a_rest(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", "a.jpg", "b.jpg", "c.jpg")
    limited = Question(source="/photos", facts=(), limit=2)
    run, names = planned(tmp_path / "run", source, limited)
    assert names == ["a.jpg", "b.jpg", "(the rest of the source)"]
    assert "assay.audit.notSelected" in run.plan_file.read_text()
    exact = Question(source="/photos", facts=(), limit=3)
    assert planned(tmp_path / "all", source, exact)[1] == ["a.jpg", "b.jpg", "c.jpg"]
