"""One authority for each module of tests, and an examiner that trusts it."""

from __future__ import annotations

import pytest

from authn.examine.examiner import Examiner
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture(scope="module")
def examiner(pki: TestPki) -> Examiner:
    return examiner_for(pki)
