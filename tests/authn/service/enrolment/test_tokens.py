"""The token that enrolling asks for: made once, private, and compared whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from authn.core.config import load_settings
from authn.core.errors import CredentialsMissing, EnrolmentRefused, Unavailable
from authn.service.enrolment.tokens import open_enrolment_token, verify_token


def test_the_enrolment_token_is_made_once_and_private(tmp_path: Path) -> None:
    settings = load_settings(environ={}, home=tmp_path / "home")
    token = open_enrolment_token(settings)
    assert len(token) >= 40
    assert open_enrolment_token(settings) == token
    assert (tmp_path / "home" / "enrolment-token").stat().st_mode & 0o777 == 0o600


def test_a_token_of_the_settings_leaves_no_file(tmp_path: Path) -> None:
    settings = load_settings(environ={}, home=tmp_path, enrolment_token="correct-horse-battery")
    assert open_enrolment_token(settings) == "correct-horse-battery"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40])
def test_a_token_file_that_protects_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "enrolment-token").write_bytes(content)
    with pytest.raises(Unavailable):
        open_enrolment_token(load_settings(environ={}, home=tmp_path))


def test_no_token_is_asked_for() -> None:
    with pytest.raises(CredentialsMissing):
        verify_token("", "correct-horse-battery")


@pytest.mark.parametrize("given", ["x", "correct-horse-batterx", "correct-horse-battery ", "\udcff"])
def test_another_token_is_refused(given: str) -> None:
    with pytest.raises(EnrolmentRefused):
        verify_token(given, "correct-horse-battery")
