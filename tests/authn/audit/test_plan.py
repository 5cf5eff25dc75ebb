"""A plan is written once; an audit that goes on asks the same question of the same inputs."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.audit.entry import Entry
from authn.audit.index import Index
from authn.audit.inputs import open_inputs
from authn.audit.lists import ListInputs
from authn.audit.plan import RUN_FILE, Question, RunFolder, keep_plan, open_run, read_plan
from authn.core.errors import AuditError, Unreachable
from authn.core.media import MediaLimits
from tests.doubles.interrupts import every_line

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
QUESTION = Question(source="/photos", facts=(("signer_roots", "aa"), ("tsa_roots", "bb")))


def planned(folder: Path, source: Path, question: Question = QUESTION) -> tuple[RunFolder, list[str]]:
    run, _ = open_run(folder, question, as_of=None, started_at=NOW)
    taken: set[str] = set()
    claim = lambda name: not (name in taken or taken.add(name))  # noqa: E731
    keep_plan(run, open_inputs(source, MediaLimits()).entries(), claim=claim)
    return run, [e.name for e in read_plan(run.plan_file)]


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


def test_entries_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    run, _ = open_run(tmp_path / "run", QUESTION, as_of=None, started_at=NOW)
    taken: set[str] = set()
    claim = lambda name: not (name in taken or taken.add(name))  # noqa: E731
    same = [Entry(name=n, ref=str(i), size=1) for i, n in enumerate(["a.jpg", "a.jpg", "a (1).jpg", "a.jpg"])]
    assert keep_plan(run, same, claim=claim) == 4
    found = {e.name: e.ref for e in read_plan(run.plan_file)}
    assert found == {"a.jpg": "0", "a (1).jpg": "1", "a (1) (1).jpg": "2", "a (2).jpg": "3"}


def test_a_listing_that_breaks_off_leaves_no_plan(tmp_path: Path) -> None:
    run, _ = open_run(tmp_path / "run", QUESTION, as_of=None, started_at=NOW)

    def entries() -> Iterator[Entry]:
        yield Entry(name="a.jpg", ref="a.jpg", size=1)
        raise Unreachable("the bucket does not answer")

    with pytest.raises(Unreachable):
        keep_plan(run, entries(), claim=lambda _name: True)
    assert sorted(p.name for p in run.folder.iterdir()) == ["run.json"]


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


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that a dying process closes
def test_an_audit_that_ended_at_its_very_beginning_goes_on_in_its_folder(tmp_path: Path) -> None:
    """By Ctrl-C at any line; and killed while it wrote its first file."""

    def begin(folder: Path) -> tuple[RunFolder, bool]:
        return open_run(folder, QUESTION, as_of=None, started_at=NOW)

    within = ("audit/plan.py:open_run", "core/durable.py")
    for line, _ in every_line(lambda line: begin(tmp_path / str(line)), *within):
        assert not list((tmp_path / str(line)).glob(".*.tmp")), f"line {line}"
        assert begin(tmp_path / str(line))[0].question == QUESTION
    assert line > 20
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / f".{RUN_FILE}.0123456789ab.tmp").write_bytes(b"{")
    assert not begin(tmp_path / "killed")[1]


def test_the_plan_lists_what_is_left_out_and_why(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", "a.jpg", "b.jpg", "c.jpg")
    (source / "link.jpg").symlink_to("a.jpg")
    run, names = planned(tmp_path / "run", source)
    lines = [json.loads(line) for line in run.plan_file.read_text().splitlines()]
    assert [line["name"] for line in lines] == names == ["a.jpg", "b.jpg", "c.jpg", "link.jpg"]
    assert "link" in lines[3]["skipped"]["detail"]
    assert (lines[0]["bytes"], lines[0]["mark"]) == (5, str((source / "a.jpg").stat().st_mtime_ns))


def test_a_limit_says_that_there_is_a_rest(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", "a.jpg", "b.jpg", "c.jpg")
    limited = Question(source="/photos", facts=(), limit=2)
    run, names = planned(tmp_path / "run", source, limited)
    assert names == ["a.jpg", "b.jpg", "(the rest of the source)"]
    assert "assay.audit.notSelected" in run.plan_file.read_text()
    exact = Question(source="/photos", facts=(), limit=3)
    assert planned(tmp_path / "all", source, exact)[1] == ["a.jpg", "b.jpg", "c.jpg"]


def test_no_name_is_kept_in_memory_however_many_a_list_has(tmp_path: Path) -> None:
    """Ten million names are what this stands for; ``tests.bench.audit`` plans and examines a million."""
    names = 6_000
    (source := tmp_path / "list").write_bytes(b"".join(b"caf\xe9/%08d.jpg\n" % i for i in range(names)))
    run, _ = open_run(tmp_path / "run", QUESTION, as_of=None, started_at=NOW)
    listed = ListInputs(str(source), MediaLimits(), nul=False, root=tmp_path)
    tracemalloc.start()
    with closing(Index(run.folder)) as index, index.planning() as planning:
        assert keep_plan(run, listed.entries(), claim=planning.claim) == names
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/authn/*")])
    tracemalloc.stop()
    assert sum(s.size for s in ours.statistics("filename")) < 200_000  # less than a name takes, for each
