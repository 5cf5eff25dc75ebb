"""Every illegal time-stamp answer of the table is refused by the right name, every legal one is accepted."""

from __future__ import annotations

import pytest

from tests.signer.proof.timestamp_mutations import LEGAL, Lab, Mutation
from tests.signer.proof.timestamp_table import TABLE


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_an_answer_ends_as_the_table_says(lab: Lab, row: Mutation) -> None:
    assert lab.ours(lab.response(row)) is row.expected


def test_the_table_is_large_and_every_name_stands_once() -> None:
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names)
    assert sum(row.expected is not LEGAL and not row.stricter for row in TABLE) >= 100
    assert sum(row.expected is LEGAL for row in TABLE) >= 25


def test_the_library_alone_accepts_illegal_answers(lab: Lab) -> None:
    """Why ``signer.proof.timestamp`` does not rest on it. Its verdicts are printed by the table's module."""
    theirs = {row.name: lab.theirs(lab.response(row)) for row in TABLE}
    wrongly = [
        row.name for row in TABLE if row.expected is not LEGAL and not row.stricter and theirs[row.name]
    ]
    assert len(wrongly) >= 15
    assert "no ESSCertID" in wrongly
    assert "the tsa name of somebody else" in wrongly
    assert theirs["nothing changed"]
