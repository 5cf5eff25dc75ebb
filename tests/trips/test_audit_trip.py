"""The audit as a user runs it: the real command, the real examiner, public and hostile files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT

PROGRAM = [sys.executable, "-c", "from authn.cli import main; main()", "audit"]


@pytest.fixture
def attacks(suites: Path) -> Path:
    return suites / "c2pa" / "attacks-ours"


def roots(attacks: Path) -> list[str]:
    return [
        "--signer-roots", str(attacks / "signer_root.pem"), "--tsa-roots", str(attacks / "tsa_root.pem"),
    ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    return {**clean, "ASSAY_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}


def audit(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def begun(folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """In a process group of its own."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=environment(folder),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_rows(process: subprocess.Popen[str], results: Path, count: int) -> None:
    while True:
        ended = process.poll() is not None  # asked first: it may write the last row and end
        if results.exists() and results.read_bytes().count(b"\n") >= count:
            return
        assert not ended, "it ended before it had examined anything"
        time.sleep(0.002)


def rows(run: Path) -> dict[str, Any]:
    found = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    return {r["subject"]["name"]: r for r in found}


def without_run(run: Path) -> dict[str, Any]:
    return {name: {k: v for k, v in row.items() if k != "run"} for name, row in rows(run).items()}


def test_a_folder_of_attacks_gives_a_row_each_and_a_page(tmp_path: Path, attacks: Path) -> None:
    done = audit(
        tmp_path, attacks, "--no-heuristics", "--json", "--as-of", "2026-11-24T12:00:00Z", *roots(attacks)
    )
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    run = tmp_path / "runs" / attacks.name
    assert json.loads((run / "summary.json").read_text()) == summary
    found = rows(run)
    assert len(found) == summary["inputs"] == len([p for p in attacks.iterdir() if p.is_file()])
    assert {n for n, r in found.items() if "error" in r} == {
        "README.md", "expected.csv", "signer_root.pem", "tsa_root.pem",
    }  # fmt: skip
    with (attacks / "expected.csv").open() as f:
        listed = [row["path"] for row in csv.DictReader(f)]
    assert listed
    assert all("cryptographic" in found[name] for name in listed)
    assert found["pixel_flip.jpg"]["cryptographic"]["axes"]["integrity"]["outcome"] == "refuted"
    page = (run / "summary.html").read_text()
    assert "pixel_flip.jpg" in page
    assert "http-equiv" not in page or "Content-Security-Policy" in page


def test_a_zip_and_the_folder_it_was_made_of_give_the_same_reports(tmp_path: Path, attacks: Path) -> None:
    names = ("ok_timestamped.jpg", "pixel_flip.jpg", "tsa_cert_as_signer.jpg")
    folder = tmp_path / "photos"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for name in names:
            data = (attacks / name).read_bytes()
            (folder / name).write_bytes(data)
            z.writestr(name, data)
    options = ["--no-heuristics", "--no-html", "--as-of", "2026-11-24T12:00:00Z", *roots(attacks)]
    assert audit(tmp_path, folder, "--out", "a", *options).returncode == 0
    assert audit(tmp_path, tmp_path / "photos.zip", "--out", "b", *options).returncode == 0
    assert without_run(tmp_path / "a") == without_run(tmp_path / "b")
    assert not (tmp_path / "a" / "summary.html").exists()


@pytest.mark.parametrize(
    ("name", "fail_on", "code"),
    [
        ("pixel_flip.jpg", "refuted", 1),
        ("pixel_flip.jpg", "contradiction", 1),
        ("pixel_flip.jpg", "never", 0),
        ("ok_timestamped.jpg", "refuted", 0),
        ("ok_timestamped.jpg", "outside_lists", 0),
        ("signer_under_tsa_root.jpg", "refuted", 0),
        ("signer_under_tsa_root.jpg", "outside_lists", 1),
        ("pixel_flip.jpg", "outside_lists,contradiction", 1),
    ],
)
def test_the_exit_code_follows_the_policy_that_was_asked_for(
    tmp_path: Path, attacks: Path, name: str, fail_on: str, code: int
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / name).write_bytes((attacks / name).read_bytes())
    options = ("--no-heuristics", "--no-html", "--as-of", "2026-11-24T00:00:00Z", "--fail-on", fail_on)
    done = audit(tmp_path, "photos", *options, *roots(attacks))
    assert done.returncode == code, done.stderr


def test_other_roots_are_another_audit(tmp_path: Path, attacks: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes((attacks / "ok_timestamped.jpg").read_bytes())
    assert audit(tmp_path, "photos", "--no-heuristics", "--no-html", *roots(attacks)).returncode == 0
    done = audit(tmp_path, "photos", "--no-heuristics", "--no-html", *roots(attacks)[2:])
    assert done.returncode == 4
    assert "other signer roots" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("nothing", 4, "cannot be read"),
        ("notes.txt", 4, "neither a folder nor a zip or tar"),
        ("broken.zip", 4, "archive"),
    ],
)
def test_a_source_that_cannot_be_audited_is_one_sentence(
    tmp_path: Path, source: str, code: int, says: str
) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    done = audit(tmp_path, source, "--no-heuristics")
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_an_empty_folder_is_an_audit_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = audit(tmp_path, "empty", "--no-heuristics", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["inputs"] == 0


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        Image.new("RGB", (300 + i, 300), (i, 100, 200)).save(folder / f"p{i:03}.png")
    return folder


@pytest.mark.slow
def test_a_real_audit_that_is_killed_and_run_again_equals_one_that_was_not(tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", 120)
    options = ["--no-heuristics", "--as-of", "2026-11-24T12:00:00Z", "--jobs", "2"]
    results = tmp_path / "killed" / "results.jsonl"
    for _ in range(50):  # on a busy machine it may be done before anybody sees that it began
        shutil.rmtree(results.parent, ignore_errors=True)
        process = begun(tmp_path, source, "--out", "killed", *options)
        wait_for_rows(process, results, 10)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if 10 <= results.read_bytes().count(b"\n") < 120:
            break
    else:
        pytest.fail("it was never killed in the middle")
    assert audit(tmp_path, source, "--out", "killed", *options).returncode == 0
    assert audit(tmp_path, source, "--out", "whole", *options).returncode == 0
    assert without_run(tmp_path / "killed") == without_run(tmp_path / "whole")
    summaries = [json.loads((tmp_path / n / "summary.json").read_text()) for n in ("killed", "whole")]
    assert summaries[0]["content_sha256"] == summaries[1]["content_sha256"]


@pytest.mark.slow
def test_interrupting_from_the_keyboard_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", 400)
    results = tmp_path / "runs" / "photos" / "results.jsonl"
    for _ in range(50):
        shutil.rmtree(results.parent, ignore_errors=True)
        process = begun(tmp_path, source, "--no-heuristics")
        wait_for_rows(process, results, 1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        if process.returncode != 0:
            break
    assert process.returncode == 130
    assert "to go on" in errors
    assert "Traceback" not in errors
