"""``assay verify`` and ``assay bundle`` with a manifest store beside the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.signed import sidecar_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photo, and its manifest store beside it."""
    pki = TestPki()
    store, data = sidecar_of(pki.leaf(), photo())
    (tmp_path / "photo.jpg").write_bytes(data)
    (tmp_path / "photo.c2pa").write_bytes(store)
    (tmp_path / "signer.pem").write_bytes(pem_of(*pki.device_roots))
    return tmp_path


def assay(folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "authn", command, *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=120, check=False,
        env={"ASSAY_HOME": str(folder / "no-home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )  # fmt: skip


def outcome(done: subprocess.CompletedProcess[str], axis: str) -> str:
    """As the report of the first file says."""
    axes = json.loads(done.stdout.splitlines()[0])["cryptographic"]["axes"]
    found = axes[axis] if isinstance(axes, dict) else next(a for a in axes if a["axis"] == axis)
    return str(found["outcome"])


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    roots = ("--signer-roots", str(folder / "signer.pem"))
    return assay(folder, "verify", "--json", "--no-heuristics", *roots, *arguments)


def test_a_store_of_the_same_name_is_taken_by_itself(folder: Path) -> None:
    done = verify(folder, str(folder / "photo.jpg"))
    assert (outcome(done, "integrity"), done.returncode) == ("established", 0)
    assert "assay.credential.sidecar" in done.stdout


def test_a_store_of_another_name_is_taken_when_it_is_named(folder: Path) -> None:
    store = (folder / "photo.c2pa").rename(folder / "store.bin")
    assert outcome(verify(folder, str(folder / "photo.jpg")), "credential") == "absent"
    done = verify(folder, str(folder / "photo.jpg"), "--manifest", str(store))
    assert outcome(done, "integrity") == "established"


def test_a_changed_file_beside_its_store_is_refuted(folder: Path) -> None:
    data = (folder / "photo.jpg").read_bytes()
    (folder / "photo.jpg").write_bytes(data[:-30] + bytes([data[-30] ^ 1]) + data[-29:])
    done = verify(folder, str(folder / "photo.jpg"))
    assert (outcome(done, "integrity"), done.returncode) == ("refuted", 1)


def test_a_store_that_may_be_another_files_refutes_nobody(folder: Path) -> None:
    (folder / "photo.png").write_bytes(photo("PNG"))
    done = verify(folder, str(folder / "photo.png"))
    assert (outcome(done, "credential"), done.returncode) == ("absent", 0)
    assert "--manifest" in done.stderr


def test_a_store_that_is_not_there_is_a_refusal(folder: Path) -> None:
    done = verify(folder, str(folder / "photo.jpg"), "--manifest", str(folder / "nowhere.c2pa"))
    assert done.returncode == 3
    assert "nowhere.c2pa cannot be read" in done.stderr


def test_a_bundle_keeps_the_store_and_repeats_the_report(folder: Path, tmp_path: Path) -> None:
    roots = ("--signer-roots", str(folder / "signer.pem"))
    made = assay(folder, "bundle", str(folder / "photo.jpg"), "--no-heuristics", *roots)
    assert made.returncode == 0, made.stderr
    (folder / "photo.c2pa").unlink()
    done = assay(folder, "verify", "--bundle", str(folder / "photo.jpg.assay.zip"), "--json")
    assert (outcome(done, "integrity"), done.returncode) == ("established", 0)
    assert "byte for byte" in done.stderr
