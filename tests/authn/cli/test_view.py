"""``assay view``: pictures out of the real held process, in the language asked for, nothing overwritten."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from authn.core.views import NAMES
from tests.conftest import ROOT
from tests.doubles.photos import photo

pytest.importorskip("cv2", reason="the extra detect is not installed")


def view(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "authn", "view", *arguments)
    home = {"ASSAY_HOME": str(folder / "no-home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=home, check=False)


def test_all_views_are_written_told_in_german_and_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo(width=640, height=480))
    (tmp_path / "a.tif").write_bytes(photo("TIFF"))
    out = tmp_path / "views"
    done = view(tmp_path, "all", str(tmp_path / "a.jpg"), "-o", str(out), "--lang", "de")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir()} == {f"{n}.png" for n in NAMES}
    assert all(Image.open(io.BytesIO(p.read_bytes())).format == "PNG" for p in out.iterdir())
    assert done.stdout.count("Eine Ansicht, kein Beleg.") == len(NAMES)
    again = view(tmp_path, "ela", str(tmp_path / "a.jpg"), "-o", str(out / "ela.png"))
    assert again.returncode != 0
    assert "not overwritten" in again.stderr
    refused = view(tmp_path, "ela", str(tmp_path / "a.tif"), "-o", str(out / "b.png"))
    assert refused.returncode == 3
    assert "not decoded here" in refused.stderr
    assert not (out / "b.png").exists()
