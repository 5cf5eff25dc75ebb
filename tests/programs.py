"""Programs that some tests need. Absent: skip with a clear message; in CI: fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from detector.models.encoder_file import INSTALL, PACKAGE, installed_encoder


def require_program(name: str, *, package: str | None = None) -> str:
    """Path of a program or of a file; skips (or fails when ASSAY_REQUIRE_PROGRAMS=1) where it is absent."""
    found = name if Path(name).is_absolute() and Path(name).exists() else shutil.which(name)
    if found:
        return found
    message = f"{name} is not installed (Debian package {package or Path(name).name})"
    if os.environ.get("ASSAY_REQUIRE_PROGRAMS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def printed(program: str) -> str:
    """What a Python program prints, in an interpreter of its own; nothing goes to stderr."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def require_package(name: str, how: str) -> None:
    """Skips (or fails when ASSAY_REQUIRE_PROGRAMS=1) where a Python package is not installed."""
    if find_spec(name) is not None:
        return
    message = f"the Python package {name} is not installed ({how})"
    if os.environ.get("ASSAY_REQUIRE_PROGRAMS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def require_encoder() -> Path:
    """The image encoder of the detector of whole pictures; skips (or fails, as above) where it is not
    installed."""
    require_package(PACKAGE, INSTALL)
    found = installed_encoder()
    assert found is not None
    return found
