"""What a command loads before it does anything: a person waits for each of these packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from authn.core.config import load_settings
from authn.core.errors import Unavailable
from authn.examine.pooling import registry_when_asked
from tests.conftest import ROOT

HEAVY = ("torch", "cv2", "numpy", "onnxruntime", "PIL", "sqlalchemy", "flask", "c2pa", "encypher_c2pa")
# The caller of a held process opens no certificate and asks no network.
CALLER = (*HEAVY, "cryptography", "cbor2", "urllib.request", "ssl", "email")
VERIFY = (
    "from authn.cli.verify import verify\n"
    "from authn.examine.pooling import pool_over, registry_when_asked\n"
    "import authn.examine.pool"
)
EXAMINES = (
    "import authn.confinement.inside, authn.examine.request, authn.examine.examination, authn.examine.opening"
)
WITHOUT_PIXELS = ("torch", "cv2", "numpy", "onnxruntime", "sqlalchemy", "flask", "requests")


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    program = f"{code}\nimport sys\nprint([n for n in {names!r} if n in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return list(eval(ran.stdout))


@pytest.mark.parametrize("code", ["import authn.cli", "from authn.cli import main"])
def test_the_command_itself_loads_nothing_that_only_some_commands_need(code: str) -> None:
    assert loaded(code, CALLER) == []


def test_a_verification_leaves_engines_certificates_and_pixels_to_the_held_process() -> None:
    assert loaded(VERIFY, CALLER) == []


def test_the_held_process_loads_nothing_of_pixels_until_sources_that_look_are_asked_for() -> None:
    assert loaded(EXAMINES, WITHOUT_PIXELS) == []


def test_signing_loads_neither_detectors_nor_a_database_nor_a_web_server() -> None:
    assert loaded("import authn.cli.sign, signer.capture", tuple(set(HEAVY) - {"c2pa"})) == []


def test_an_unsigned_file_opens_no_registry_and_a_question_about_a_key_does(tmp_path: Path) -> None:
    (tmp_path / "assay.db").write_bytes(b"no database")
    view = registry_when_asked(load_settings(environ={}, home=tmp_path))
    assert view is not None
    with pytest.raises(Unavailable):
        view.device_by_key("0" * 64)
    assert registry_when_asked(load_settings(environ={}, home=tmp_path / "none")) is None
    made = "import pathlib\nfrom authn.core.config import load_settings\n" + VERIFY
    made += f"\nregistry_when_asked(load_settings(environ={{}}, home=pathlib.Path({str(tmp_path)!r})))"
    assert loaded(made, ("sqlalchemy",)) == []
