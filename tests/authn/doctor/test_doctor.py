"""The doctor says what is missing and how to mend it; what it cannot find out is no problem."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import venv
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from authn.cli.doctor import doctor as command
from authn.core.config import load_settings
from authn.core.holds import Hold
from authn.doctor import checks as doctor
from authn.doctor import installed
from authn.doctor.check import Check, State
from authn.doctor.confinement import check_confinement, check_of
from authn.examine import detectors
from detector.models.encoder_file import INSTALL
from tests.conftest import ROOT
from tests.programs import require_encoder

NOW = doctor.RELEASED + timedelta(days=100)


def only(checks: object) -> Check:
    (check,) = tuple(checks)  # type: ignore[arg-type]
    return check


def test_an_old_python_is_a_problem() -> None:
    assert installed.check_python((3, 10, 12)).state is State.PROBLEM
    assert installed.check_python((3, 11, 0)).state is State.OK
    assert installed.check_python((4, 0, 0)).state is State.OK


def test_missing_libraries_are_named_with_the_package_that_brings_them() -> None:
    wanted = (("libc.so.6", "libc6"), ("libassay-nowhere.so.1", "libnowhere1"))
    assert installed.missing_libraries(wanted) == (("libassay-nowhere.so.1", "libnowhere1"),)
    assert installed.check_opencv(None).state is State.OK
    broken = installed.check_opencv("its files are damaged")
    assert broken.state is State.PROBLEM
    assert broken.mend


def test_requirements_are_checked_against_their_ranges() -> None:
    found = {
        c.subject: c
        for c in installed.check_requirements(
            [
                "c2pa-python>=99",
                "nothing-of-the-kind>=1",
                "click>=8",
                'pytest>=999; extra == "dev"',
                "opencv-python>=4.10",
            ]
        )
    }
    assert found["c2pa-python"].state is State.PROBLEM
    assert "must be refused" in found["c2pa-python"].says
    assert found["nothing-of-the-kind"].says == "it is not installed"
    assert not {"click", "pytest", "opencv-python"} & found.keys()


@pytest.mark.parametrize("when", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)])
def test_a_clock_that_cannot_be_right_is_a_problem(when: datetime) -> None:
    assert doctor.check_clock(when, synchronised=True).state is State.PROBLEM


def test_a_clock_that_nobody_vouches_for_is_a_note() -> None:
    assert doctor.check_clock(NOW, synchronised=False).state is State.NOTE
    assert doctor.check_clock(NOW, synchronised=True).state is State.OK


def test_a_port_in_use_is_a_note_and_a_foreign_address_a_problem() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        taken = s.getsockname()[1]
        assert doctor.check_port("127.0.0.1", taken).state is State.NOTE
    assert doctor.check_port("127.0.0.1", taken).state is State.OK
    assert doctor.check_port("192.0.2.1", taken).state is State.PROBLEM


def test_a_secret_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert only(doctor.check_home(home)).state is State.OK
    (home / "pki").mkdir(parents=True)
    (home / "pki" / "tsa.key.pem").write_text("key")
    (home / "pki" / "tsa.key.pem").chmod(0o600)
    (home / "pki" / "tsa.pem").write_text("certificate")
    assert only(doctor.check_home(home)).state is State.OK
    (home / "pki" / "tsa.key.pem").chmod(0o640)
    check = only(doctor.check_home(home))
    assert check.state is State.PROBLEM
    assert "chmod 600" in check.mend


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert only(doctor.check_home(tmp_path / "home")).state is State.PROBLEM
    assert doctor.check_disk(tmp_path / "home" / "deeper").subject == "disk"


def test_little_memory_is_said_and_unknown_memory_is_no_problem() -> None:
    gib = 2**30
    assert doctor.check_memory(2 * gib, gib).state is State.NOTE
    assert doctor.check_memory(4 * gib, 8 * gib).state is State.NOTE
    assert doctor.check_memory(8 * gib, 4 * gib).state is State.OK
    assert doctor.check_memory(None, gib).state is State.NOTE


def test_tokens_are_optional(tmp_path: Path) -> None:
    assert doctor.check_tokens([str(tmp_path / "none.so")]).state is State.NOTE


def test_a_tpm_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "import_error", lambda _: "nothing of that name")
    assert "[tpm]" in doctor.check_tpm(tmp_path).mend
    monkeypatch.setattr(doctor, "import_error", lambda _: None)
    assert doctor.check_tpm(tmp_path / "none").state is State.NOTE
    assert doctor.check_tpm(tmp_path).state is State.OK
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "usermod" in doctor.check_tpm(tmp_path).mend


def test_an_unknown_detector_is_a_problem() -> None:
    states = {c.subject: c.state for c in installed.check_weights("nothing-1")}
    assert states["detector nothing-1"] is State.PROBLEM


def test_a_package_of_the_same_name_elsewhere_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "detector" / "core").mkdir(parents=True)
    (tmp_path / "detector" / "__init__.py").write_text("")
    (tmp_path / "detector" / "core" / "errors.py").write_text("class ModelUnavailable(Exception): ...\n")
    (tmp_path / "signer.py").write_text("")
    program = (
        "import sys, importlib; sys.path.insert(0, sys.argv[1]); from authn.doctor import installed;"
        "print([c.state.value for c in installed.check_origin(('authn', 'detector', 'other'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['ok', 'problem', 'problem']"


def test_the_command_speaks_in_words_and_in_json(tmp_path: Path) -> None:
    env = {"ASSAY_HOME": str(tmp_path / "home"), "ASSAY_PORT": "0"}
    spoken = CliRunner().invoke(command, [], env=env)
    assert "Python: version 3." in spoken.stdout
    told = CliRunner().invoke(command, ["--json"], env=env)
    checks = json.loads(told.stdout)
    assert {c["state"] for c in checks} <= {"ok", "note", "problem"}
    assert all(c["mend"] for c in checks if c["state"] == "problem")
    assert told.exit_code == (4 if any(c["state"] == "problem" for c in checks) else 0)
    assert not (tmp_path / "home").exists(), "looking changes nothing"


@pytest.mark.slow
def test_a_machine_without_anything_still_gets_words(tmp_path: Path) -> None:
    """The doctor runs with nothing but its own imports: no OpenCV, no PyTorch, no Flask."""
    venv.create(tmp_path / "bare", symlinks=True)
    site = next((tmp_path / "bare" / "lib").glob("python3*")) / "site-packages"
    mine = Path(metadata.distribution("click").locate_file(""))  # type: ignore[arg-type]
    for name in ("click", "packaging", "PIL", "pillow.libs"):
        if (mine / name).exists():
            (site / name).symlink_to(mine / name)
    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-c", "from authn.cli import main; main()", "doctor"],
        cwd=ROOT,
        env={**os.environ, "ASSAY_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OpenCV: it cannot be imported" in done.stdout, done.stderr
    assert "nothing can be trained here" in done.stdout
    assert done.returncode == 4


def test_what_would_hold_a_process_that_looks_at_files_is_found_out_by_starting_one() -> None:
    found = {c.subject: c for c in check_confinement()}
    assert list(found) == [
        f"confinement {name}" for name in ("no_new_privs", "capabilities", "landlock", "seccomp", "limits")
    ]
    assert all(c.state in (State.OK, State.NOTE) for c in found.values())
    assert found["confinement limits"].state is State.OK
    assert all(c.says for c in found.values())


def test_a_mechanism_that_is_missing_is_a_note_with_the_way_to_get_it() -> None:
    check = check_of(Hold(name="landlock", active=False, detail="the kernel does not offer it"))
    assert check.state is State.NOTE
    assert "the kernel does not offer it" in check.says
    assert "landlock" in check.mend


def test_no_version_of_a_decoder_with_a_known_fault_is_allowed() -> None:
    """Pillow 12 took 1.9 GB for a TIFF of 0.75 MB; OpenCV 4.11 wrote where it should not (CVE-2025-53644)."""
    declared = {Requirement(line).name: Requirement(line).specifier for line in installed.declared()}
    assert not declared["pillow"].contains("12.3.0")
    assert declared["pillow"].contains("13.0.0")
    assert not declared["opencv-python"].contains("4.11.0.86")


def test_an_encoder_that_is_missing_is_a_note_and_another_file_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detectors, "installed_encoder", lambda: None)
    missing = installed.check_encoder(load_settings(environ={}, home=tmp_path))
    assert (missing.state, missing.mend) == (State.NOTE, INSTALL)
    (tmp_path / "other.onnx").write_bytes(b"other")
    named = load_settings(environ={"ASSAY_SEMANTIC_ENCODER": str(tmp_path / "other.onnx")}, home=tmp_path)
    other = installed.check_encoder(named)
    assert other.state is State.PROBLEM
    assert "it has 5 bytes" in other.says
    monkeypatch.undo()
    require_encoder()
    assert installed.check_encoder(load_settings(environ={}, home=tmp_path)).state is State.OK
