"""What the tests of the capture side share: one authority, and a camera enrolled in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.pki import TestPki
from tests.doubles.tokens import SoftToken, configure_softhsm


@pytest.fixture(scope="session")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture
def camera(tmp_path: Path, pki: TestPki) -> Camera:
    return enrolled_camera(tmp_path / "home", pki)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[SoftToken]]:
    """Fresh tokens to take from. The module reads its configuration once per process."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", "")  # restored at the end
        yield iter(configure_softhsm(tmp_path_factory.mktemp("softhsm"), tokens=12))


@pytest.fixture
def token(tokens: Iterator[SoftToken]) -> SoftToken:
    """A token that no other test has touched."""
    return next(tokens)
