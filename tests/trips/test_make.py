"""What make says on machines that lack something; the good way is what CI itself takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.programs import require_program

TOOLS = ("sh", "sed", "grep", "rm", "cat", "touch", "printf", "head")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with the project's make files, and a PATH that has next to nothing."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(require_program(tool))
    (tmp_path / "project").mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / "project")
    return tmp_path


def make(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require_program("make"), *arguments],
        cwd=machine / "project",
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def script(machine: Path, name: str, text: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_without_a_new_enough_python_it_says_what_to_do(machine: Path) -> None:
    script(machine, "python3", f'exec {sys.executable} -c "raise SystemExit(1)"')
    done = make(machine, "demo")
    assert done.returncode != 0
    assert "no Python 3.11 or newer was found" in done.stdout
    assert "make demo PYTHON=" in done.stdout


def test_without_the_venv_module_it_names_the_package_and_leaves_nothing_behind(machine: Path) -> None:
    broken = f'[ "$1" = -m ] && {{ echo "ensurepip is not available"; exit 1; }}; exec {sys.executable} "$@"'
    script(machine, "python3", broken)
    done = make(machine, "test")
    assert done.returncode != 0
    assert "ensurepip is not available" in done.stdout
    assert "apt-get install python3-venv" in done.stdout
    assert not (machine / "project" / ".venv").exists()
    assert not (machine / "project" / ".venv-error").exists()


def test_help_lists_the_commands(machine: Path) -> None:
    done = make(machine)
    assert done.returncode == 0
    assert "make demo" in done.stdout


def test_ci_fetches_every_program_that_a_test_requires() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "ASSAY_REQUIRE_PROGRAMS=1" in text
    assert "make test\n" in text
    assert "exec make test-later" in text
    required = {
        Path(name).name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"""require_program\(\s*"([^"]+)""", path.read_text(encoding="utf-8"))
    }
    assert required - {"make"} <= {
        Path(name).name for name in re.findall(r"^  ([\w./-]+):", text, re.MULTILINE)
    }
