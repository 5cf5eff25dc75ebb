"""The contract of ``assay verify``: no service, no database, one JSON object a file, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from tests.conftest import ROOT
from tests.doubles.oversized import whole_png
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.signed import signed_photo, stamped_photo

SCHEMA = json.loads((ROOT / "docs/formats/report.schema.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos and roots as a stranger would have them."""
    folder, pki = tmp_path_factory.mktemp("verify"), TestPki()
    signed = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())
    (folder / "signed.jpg").write_bytes(signed)
    (folder / "changed.jpg").write_bytes(signed[:-40] + bytes([signed[-40] ^ 1]) + signed[-39:])
    (folder / "plain.jpg").write_bytes(photo())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "note.txt").write_text("not media")
    large = stamped_photo(
        signed_photo(pki.leaf(), data=whole_png(), media_type="image/png"),
        pki.tsa_leaf(),
        media_type="image/png",
    )
    (folder / "large.png").write_bytes(large)
    (folder / "signer.pem").write_bytes(pem_of(*pki.device_roots))
    (folder / "tsa.pem").write_bytes(pem_of(*pki.tsa_roots))
    return folder


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    roots = ("--signer-roots", str(folder / "signer.pem"), "--tsa-roots", str(folder / "tsa.pem"))
    return subprocess.run(
        [sys.executable, "-m", "authn", "verify", *arguments, *roots],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"ASSAY_HOME": str(folder / "no-home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        timeout=120,
        check=False,
    )


def test_json_is_one_valid_object_for_each_file_in_order(folder: Path) -> None:
    names = ["signed.jpg", "changed.jpg", "plain.jpg", "empty.jpg"]
    done = verify(folder, "--json", "--no-heuristics", *(str(folder / n) for n in names))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["subject"]["name"] for r in rows] == names
    for row in rows:
        jsonschema.validate(row, SCHEMA)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "code", "axis", "outcome"),
    [
        ("signed.jpg", 0, "integrity", "established"),
        ("signed.jpg", 0, "time", "established"),
        ("changed.jpg", 1, "integrity", "refuted"),
        ("plain.jpg", 0, "credential", "absent"),
    ],
)
def test_exit_code_and_outcome_of_each_kind(
    folder: Path, name: str, code: int, axis: str, outcome: str
) -> None:
    done = verify(folder, "--json", "--no-heuristics", str(folder / name))
    assert done.returncode == code
    assert json.loads(done.stdout)["cryptographic"]["axes"][axis]["outcome"] == outcome


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("empty.jpg", "assay.media.unreadable"),
        ("missing.jpg", "assay.media.unreadable"),
        ("note.txt", "assay.media.unsupported"),
    ],
)
def test_a_file_that_cannot_be_examined_is_a_refusal_with_a_reason(
    folder: Path, name: str, error: str
) -> None:
    done = verify(folder, "--json", str(folder / name))
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == error
    assert "Traceback" not in done.stderr


def test_a_signed_picture_of_too_many_pixels_gets_its_evidence_in_every_form(
    folder: Path, tmp_path: Path
) -> None:
    """Four hundred megapixels in a file of some kilobytes, by the whole command with its real sources."""
    page = tmp_path / "report.html"
    done = verify(folder, "--json", "--html", str(page), str(folder / "large.png"))
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert [row["cryptographic"]["axes"][a]["outcome"] for a in ("integrity", "time")] == ["established"] * 2
    why = "it declares 20000 x 20000 pixels; the limit is 128000000"
    closed = {n["what"] for n in row["not_examined"] if n["why"] == why}
    assert closed - {SEMANTIC_MODEL} == {"pixels", "embedded", "watermark", "symmetry", DEFAULT_MODEL}
    assert f"No preview, not examined: {why}" in page.read_text(encoding="utf-8")
    text = verify(folder, "--no-heuristics", str(folder / "large.png"))
    assert f"pixels: {why}" in " ".join(text.stdout.split())


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("refuted", 0),
        ("contradiction", 0),
        ("never", 0),
        ("outside_lists", 1),
        ("contradiction,outside_lists", 1),
        (" refuted , outside_lists", 1),
        ("outside_list", 2),
        ("never,refuted", 2),
        ("", 2),
        ("refuted,,", 2),
    ],
)
def test_a_signer_outside_the_lists_fails_only_where_that_is_asked_for(
    folder: Path, tmp_path: Path, fail_on: str, code: int
) -> None:
    others = TestPki("Others")
    (tmp_path / "signer.pem").write_bytes(pem_of(*others.device_roots))
    (tmp_path / "tsa.pem").write_bytes(pem_of(*others.tsa_roots))
    photo = str(folder / "signed.jpg")
    done = verify(tmp_path, "--json", "--no-heuristics", "--fail-on", fail_on, photo)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code < 2:
        axes = json.loads(done.stdout)["cryptographic"]["axes"]
        assert (axes["signer"]["outcome"], axes["time"]["outcome"]) == ("outside_lists",) * 2


@pytest.mark.parametrize("fail_on", ["refuted", "outside_lists", "contradiction,outside_lists"])
def test_a_refuted_file_fails_whatever_else_is_asked_for(folder: Path, fail_on: str) -> None:
    done = verify(folder, "--fail-on", fail_on, "--no-heuristics", str(folder / "changed.jpg"))
    assert done.returncode == 1


def test_fail_on_never_exits_zero_on_a_refuted_file(folder: Path) -> None:
    assert (
        verify(folder, "--fail-on", "never", "--no-heuristics", str(folder / "changed.jpg")).returncode == 0
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--as-of", "yesterday", "x.jpg"),
        ("--as-of", "2026-01-01T00:00:00", "x.jpg"),
        ("--signer-roots", "x"),
        ("--colour", "x.jpg"),
    ],
)
def test_wrong_usage_exits_two(folder: Path, arguments: tuple[str, ...]) -> None:
    done = verify(folder, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_roots_that_cannot_be_read_exit_four(folder: Path) -> None:
    done = verify(folder, str(folder / "plain.jpg"), "--signer-roots", str(folder / "note.txt"))
    assert done.returncode == 4
    assert "note.txt" in done.stderr


def test_as_of_moves_the_time_that_is_judged_at(folder: Path) -> None:
    done = verify(
        folder, "--json", "--no-heuristics", "--as-of", "2024-01-01T00:00:00Z", str(folder / "signed.jpg")
    )
    row = json.loads(done.stdout)
    assert row["evaluated_as_of"] == "2024-01-01T00:00:00Z"
    assert row["cryptographic"]["axes"]["signer"]["outcome"] == "refuted"


def test_without_heuristics_torch_is_not_loaded(folder: Path) -> None:
    program = (
        "import sys\nfrom authn.cli import cli\n"
        f"arguments = ['verify', '--no-heuristics', '--json', {str(folder / 'plain.jpg')!r}]\n"
        "cli.main(arguments, standalone_mode=False)\n"
        "print([m for m in ('torch', 'flask', 'sqlalchemy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"ASSAY_HOME": str(folder / "no-home"), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert done.stderr.strip() == "[]"


def test_the_page_of_a_report_is_written_whole_and_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = verify(folder, str(folder / "signed.jpg"), "--json", "--html", str(page), "--no-heuristics")
    assert done.returncode == 0
    text = page.read_text(encoding="utf-8")
    assert json.loads(done.stdout)["subject"]["sha256"] in text
    assert 'src="data:image/jpeg;base64,' in text
    assert not re.search(r'(href|src)="(https?:|/)', text)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html"]


def test_text_page_and_pdf_are_told_in_the_language_asked_for(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("typst", reason="the extra pdf is not installed")
    page, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    papers = ("--html", str(page), "--pdf", str(paper), "--lang", "de")
    done = verify(folder, str(folder / "signed.jpg"), *papers, "--no-heuristics")
    assert done.returncode == 0
    assert "KRYPTOGRAFISCHE BELEGE" in done.stdout
    assert "Kryptografische Belege" in page.read_text(encoding="utf-8")
    assert paper.read_bytes().startswith(b"%PDF-")
    again = verify(folder, str(folder / "signed.jpg"), "--pdf", str(folder / "plain.jpg"))
    assert again.returncode == 2
    assert "is no PDF; it is not overwritten" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("signed.jpg", "plain.jpg", "--html", "report.html"), "exactly one FILE"),
        (("signed.jpg", "--html", "nowhere/report.html", "--no-heuristics"), "cannot be written"),
        (("--bundle", "any.bundle", "--html", "report.html"), "a bundle brings its own roots"),
    ],
    ids=["two-files", "no-folder", "bundle"],
)
def test_a_page_that_cannot_be_written_is_wrong_usage(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    placed = [str(folder / a) if a.endswith(".jpg") else a for a in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "authn", "verify", *placed],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "ASSAY_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.html"))


def test_a_bundle_that_is_given_as_a_photo_is_told_apart(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg.assay.zip").write_bytes(b"PK\x03\x04" + bytes(40))
    done = verify(folder, str(tmp_path / "a.jpg.assay.zip"))
    assert done.returncode == 3
    assert "assay verify --bundle repeats the report of an evidence bundle" in done.stderr
    assert "--bundle" not in verify(folder, str(folder / "note.txt")).stderr
