"""``assay verify`` on sounds, drawings and documents: damaged and untouched files exit differently."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["fmt_mp3.mp3", "fmt_svg.svg", "fmt_pdf.pdf"])
def test_a_damaged_file_exits_1_and_an_untouched_one_0(name: str, suites: Path, tmp_path: Path) -> None:
    data = (suites / "found/containers" / name).read_bytes()
    at = 4000 if name.endswith("pdf") else -40
    whole, hurt = tmp_path / name, tmp_path / f"hurt-{name}"
    whole.write_bytes(data)
    hurt.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert [verify(file, suites, tmp_path) for file in (whole, hurt)] == [0, 1]


def verify(file: Path, suites: Path, home: Path) -> int:
    roots = ("--signer-roots", str(suites / "found/signers/root.pem"), "--as-of", "2026-11-30T00:00:00Z")
    return subprocess.run(
        [sys.executable, "-m", "authn", "verify", "--no-heuristics", *roots, str(file)],
        capture_output=True, cwd=ROOT, timeout=120, check=False,
        env={"ASSAY_HOME": str(home / "no-home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    ).returncode  # fmt: skip
