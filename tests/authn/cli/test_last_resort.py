"""However a command ends, its caller gets one sentence and a code that says nothing false about a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from authn.cli import COMMANDS
from tests.conftest import ROOT
from tests.doubles.commands import Shell
from tests.doubles.photos import photo

DEFECT, CANNOT_RUN, WRONG, INTERRUPTED, NO_READER = 70, 4, 2, 130, 141


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, shell: Shell) -> Shell:
    monkeypatch.setitem(COMMANDS, "fails", ("tests.authn.cli.failing", "fails", "For tests."))
    return shell


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("defect", DEFECT, "RuntimeError in failing.py, line "),
        ("overflow", DEFECT, "date value out of range"),
        ("recursion", DEFECT, "RecursionError"),
        ("encoding", DEFECT, "UnicodeEncodeError"),
        ("assertion", DEFECT, "says nothing about any file"),
        ("memory", CANNOT_RUN, "not enough memory"),
        ("disk", CANNOT_RUN, "/a/⟨U+001B⟩file: No space left on device [assay.unavailable]"),
        ("permission", CANNOT_RUN, "Permission denied"),
        ("socket", CANNOT_RUN, "timed out"),
        ("interrupt", INTERRUPTED, "interrupted"),
        ("input", INTERRUPTED, "interrupted"),
    ],
)
def test_an_unexpected_end_is_one_sentence(failing: Shell, how: str, code: int, says: str) -> None:
    ended = failing("fails", how)
    assert (ended.code, ended.out) == (code, "")
    assert len(ended.err.strip().splitlines()) == 1
    assert says in ended.err
    assert "\x1b" not in ended.err
    assert "\u202e" not in ended.err


def test_the_whole_of_a_defect_is_shown_to_who_asks(failing: Shell) -> None:
    ended = failing("fails", "defect", ASSAY_DEBUG="1")
    assert ended.code == DEFECT
    assert "Traceback (most recent call last):" in ended.err
    assert "raise ENDS[how]" in ended.err
    assert "\x1b" not in ended.err


def test_a_value_that_is_no_text_is_wrong_usage(shell: Shell) -> None:
    no_text = os.fsdecode(b"caf\xe9")
    assert shell("access", "key", "create", "ci", "--scope", "devices:read").code == 0  # makes the registry
    for arguments in (("device", "show", no_text), ("access", "key", "revoke", no_text)):
        ended = shell(*arguments)
        assert (ended.code, len(ended.err.splitlines())) == (WRONG, 1), ended.err


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2016-12-31T23:59:60Z", "2026-11-24"]
)
def test_a_time_that_cannot_be_is_wrong_usage_wherever_it_is_given(shell: Shell, time: str) -> None:
    (shell.cwd / "a.jpg").write_bytes(photo())
    assert shell("device", "enrol", "cam").code == 0
    for arguments in (
        ("verify", "a.jpg", "--as-of", time),
        ("bundle", "a.jpg", "--as-of", time),
        ("audit", ".", "--as-of", time),
        ("device", "revoke", "cam", "--reason", "lost", "--invalid-since", time),
    ):
        ended = shell(*arguments)
        assert ended.code == WRONG, ended
        assert "Traceback" not in ended.err
    assert "revoked" not in shell("device", "list").out
    assert sorted(p.name for p in shell.cwd.iterdir()) == ["a.jpg"]


def test_a_file_that_fails_does_not_stop_the_next(shell: Shell) -> None:
    for name in ("a.jpg", "c.jpg", "d.jpg"):
        (shell.cwd / name).write_bytes(photo())
    (shell.cwd / "c.jpg.tlog-proof").mkdir()
    (shell.cwd / "c.jpg.tlog-proof").rmdir()
    (shell.cwd / "c.jpg.tlog-proof").symlink_to("c.jpg.tlog-proof")  # a loop, which cannot be opened
    names = ["a.jpg", "missing.jpg", "c.jpg", str(shell.cwd), "d.jpg"]
    ended = shell("verify", "--json", "--no-heuristics", *names)
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert (ended.code, len(rows)) == (3, 5)
    assert [r["subject"]["name"] for r in rows if "error" not in r] == ["a.jpg", "c.jpg", "d.jpg"]


def run(*arguments: str, home: Path, stdout: int = -1, stderr: int = -1, **environ: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "authn", *arguments],
        cwd=ROOT,
        env={"ASSAY_HOME": str(home), "PATH": os.environ["PATH"], **environ},
        stdout=stdout,
        stderr=stderr,
        timeout=60,
        check=False,
    ).returncode


def test_output_that_nobody_reads_is_no_finding(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run("config", "show", home=tmp_path, stdout=writing) == NO_READER
    finally:
        os.close(writing)


def test_a_disk_that_is_full_is_no_finding_and_hides_no_code(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        assert run("config", "show", home=tmp_path, stdout=full) == CANNOT_RUN
        assert run("verify", "missing.jpg", "--as-of", "never", home=tmp_path, stderr=full) == WRONG
        assert run("device", "renew", "nobody", home=tmp_path / "a", stderr=full) == 3
    finally:
        os.close(full)


def test_an_output_that_knows_few_characters_gets_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "für ⟨dich⟩.jpg"
    file.write_bytes(photo())
    done = subprocess.run(
        [sys.executable, "-m", "authn", "verify", "--no-heuristics", str(file)],
        cwd=ROOT,
        env={"ASSAY_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"f\xfcr \\u27e8dich\\u27e9.jpg" in done.stdout
