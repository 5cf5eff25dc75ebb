"""No file without a C2PA box is ever refuted. For thousands by hand: ``python -m tests.fuzz.unsigned``."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.doubles.containers import unsigned
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, signed_photo
from tests.fuzz.unsigned import REFUTED, has_store, outcome_of, sources, unsigned_mutants

FILES = 400


@pytest.mark.parametrize("kind", list(unsigned()))
def test_what_is_called_unsigned_here_is_unsigned_and_a_signed_file_is_not(kind: str) -> None:
    """The definition that the property rests on, in every container."""
    data = unsigned()[kind]
    assert not has_store(data)
    assert has_store(signed_photo(TestPki().leaf(), data=data, media_type=kind))


def test_no_mutated_unsigned_file_is_refuted() -> None:
    examiner, counts = examiner_for(TestPki()), Counter[str]()
    for i, data in enumerate(unsigned_mutants(sources(), FILES, seed=20261130)):
        outcome = outcome_of(examiner, data)
        counts[outcome] += 1
        assert outcome != REFUTED, i
    assert counts["absent"] > FILES // 8, "the mutants should often still be files"
    assert counts["not_examined"] > 0, counts
