"""What tests of every part may ask for: material from outside the project, and a TPM. And what holds for each
of them: Ctrl-C means what it says, a test that waits for what never comes fails, and examples that are made
are the same on every day and every machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Never

import pytest
from hypothesis import HealthCheck, settings
from werkzeug.test import stream_encode_multipart

from tests.databases import migrated_once
from tests.doubles.swtpm import SoftTpm, leave_clean, running_swtpm

__all__ = ["migrated_once"]

ROOT = Path(__file__).resolve().parents[1]

# The test client of werkzeug writes forms of more than 500 kB into a temporary file and never closes it: the
# warning failed whichever test the collector ran in. In memory there is nothing to close.
stream_encode_multipart.__defaults__ = (False, *stream_encode_multipart.__defaults__[1:])

# Whether a change may land is no matter of luck: the same examples every time, none kept from an earlier run,
# and however slowly they are made. `--hypothesis-profile=search` looks for new ones.
settings.register_profile(
    "same", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

LIMIT_S = 600.0  # of a test, or of what is made for it; none takes a minute
AGAIN_S = 10.0  # then what is left is interrupted too: `with Popen(...)` waits for its process once more


def pytest_configure() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would every program that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _limited(item: pytest.Item) -> Iterator[None]:
    def expire(_signal: int, _frame: object) -> Never:
        pytest.fail(f"{item.nodeid} took more than {LIMIT_S:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with _limited(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with _limited(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with _limited(item):
        return (yield)


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


@pytest.fixture(scope="session")
def machine_tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftTpm]:
    with running_swtpm(tmp_path_factory.mktemp("swtpm") / "tpm") as tpm:
        yield tpm


@pytest.fixture
def tpm(machine_tpm: SoftTpm) -> Iterator[SoftTpm]:
    """A TPM 2.0 in which nothing of another test is left, and of this one neither."""
    yield machine_tpm
    leave_clean(machine_tpm)


@pytest.fixture(scope="session")
def face_models() -> Path:
    """The wheel with the networks that find eyes, as `make install-faces` leaves it."""
    folder = Path(sys.prefix) / "face-models"
    if not any(folder.glob("*.whl")):
        message = "the face models are missing: make install-faces"
        if os.environ.get("ASSAY_REQUIRE_PROGRAMS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder
