"""A source type is put in words where an action states it, never where a signer may write what he likes."""

from __future__ import annotations

import pytest

from authn.core.source_types import CLAIMED, meaning


@pytest.mark.parametrize("when", ["", ", at 2026-12-01T14:00:00Z"])
def test_the_source_type_of_an_action_is_said_in_words(when: str) -> None:
    assert meaning("action", f"c2pa.created, source type digitalCapture{when}") == CLAIMED["digitalCapture"]


@pytest.mark.parametrize(
    ("label", "statement"),
    [
        ("title", "source type digitalCapture.jpg"),
        ("title", "c2pa.created, source type digitalCapture"),
        ("generator", "a, source type digitalCapture"),
        ("action", "a, source type digitalCapture, source type trainedAlgorithmicMedia"),
        ("action", "c2pa.created, source type digitalCapture-like"),
        ("action", "c2pa.created, at noon, source type digitalCapture"),
    ],
)
def test_words_that_a_signer_chose_are_not_repeated_in_ours(label: str, statement: str) -> None:
    assert meaning(label, statement) == ""
