"""A shell in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubles.commands import Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    (cwd := tmp_path / "here").mkdir()
    return Shell(tmp_path / "home", cwd, monkeypatch, capsys)
