"""Directions between the packages, and that nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doubles.photos import photo

HEAVY = ("torch", "flask", "numpy", "cv2", "sqlalchemy", "matplotlib", "PIL")


def test_the_layers_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import signer", HEAVY),
        ("import signer.capture, signer.client, signer.spool", ("torch", "flask", "numpy", "cv2")),
        ("import detector, detector.models.registry", ("torch", "flask", "cv2", "matplotlib")),
        ("import authn", HEAVY),
        ("import authn.cli", HEAVY),
        ("import authn.cli.sign", ("torch", "flask", "cv2", "matplotlib")),
        ("import authn.cli.verify", ("torch", "flask", "cv2", "matplotlib")),
        ("import authn.cli.audit", ("torch", "flask", "cv2", "matplotlib")),
        ("import authn.cli.demo", ("torch", "flask", "cv2", "matplotlib")),
        ("import authn.cli.serve", ("torch",)),
        ("import authn.examine.pool", ("torch", "flask", "cv2")),
        ("import authn.examine.examiner", ("torch", "flask", "cv2")),
        ("import authn.service.wiring", ("torch", "flask", "cv2")),
    ],
)
def test_what_an_import_brings_along(program: str, unwanted: tuple[str, ...]) -> None:
    assert _loaded(program) & set(unwanted) == set()


@pytest.mark.parametrize("command", ["sign", "verify", "audit", "serve", "device", "config", "demo", "stamp"])
def test_asking_a_command_for_help_loads_no_torch(command: str) -> None:
    run = (
        "import sys; sys.argv[1:] = sys.argv[2:]\n"
        "from authn.cli import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
    )
    assert "torch" not in _loaded(run, command, "--help")


def test_the_web_process_loads_no_decoder_to_answer_an_upload(tmp_path: Path) -> None:
    """Header, pixels, preview: all of that happens in a process of its own."""
    uploaded = tmp_path / "photo.jpg"
    uploaded.write_bytes(photo(width=320, height=240))
    program = (
        "import sys; from pathlib import Path\n"
        "from authn.core.config import load_settings; from authn.service.wiring import open_services\n"
        "from authn.web import create_app\n"
        "home, data = Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()\n"
        "services = open_services(load_settings(environ={}, home=home, examiners=1, heuristics=False))\n"
        "client = create_app(services).test_client()\n"
        "answer = client.post('/v1/verifications', data=data, content_type='image/jpeg')\n"
        "assert answer.status_code == 200, answer.data\n"
        "page = client.post('/reports', data={'file': (open(sys.argv[3], 'rb'), 'photo.jpg')})\n"
        "assert page.status_code < 400, page.data\n"
        "assert client.get(page.headers['Location']).status_code == 200\n"
        "services.close()"
    )
    loaded = _loaded(program, str(tmp_path / "home"), str(uploaded))
    assert loaded & {"PIL", "cv2", "numpy", "torch", "onnxruntime", "pillow_heif"} == set()


def test_nothing_is_read_from_the_environment_at_import(tmp_path: Path) -> None:
    """A wrong setting is an error of the command that needs it, not of importing the package."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import authn.cli, authn.core.config, authn.service.wiring, authn.examine.examiner",
        ],
        cwd=ROOT,
        env={**os.environ, "ASSAY_PORT": "no number", "ASSAY_HOME": "/dev/null/x", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def _loaded(program: str, *arguments: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a program."""
    code = f"{program}\nimport sys\nprint('\\nLOADED', *sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code, "x", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())
