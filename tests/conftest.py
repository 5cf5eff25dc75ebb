"""Where test material lies: never in the project, always beside it or named by the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _material(variable: str, folder: str) -> Path:
    path = Path(os.environ.get(variable) or ROOT.parent / "shared" / folder)
    if not path.is_dir():
        pytest.skip(f"no test material at {path}; set {variable} to the folder that holds it")
    return path


@pytest.fixture(scope="session")
def suites() -> Path:
    """Test vectors nobody here wrote."""
    return _material("ASSAY_SUITES", "suites")


@pytest.fixture(scope="session")
def corpus_dir() -> Path:
    """Photos and generated images for training, tests and benchmarks."""
    return _material("ASSAY_DATA", "data")
