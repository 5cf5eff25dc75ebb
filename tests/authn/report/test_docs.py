"""docs/reading-a-report.md explains every answer that a report can give."""

from __future__ import annotations

from authn.core.evidence import Axis, HeuristicOutcome, Outcome
from authn.devices import ASSURANCE_LEVELS, ASSURANCE_LIMITS
from authn.report import wording
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reading-a-report.md").read_text(encoding="utf-8")


def test_every_answer_of_every_axis_is_in_the_tables() -> None:
    for (axis, outcome), words in wording.AXIS_WORDS.items():
        row = f"| {wording.BADGES[outcome].lower()} | {words.answer} | {words.not_proven} |"
        assert row in PAGE, (axis, outcome)
    for _, code, words in wording.refined_words():
        assert f"| with `{code}` | {words.answer} | {words.not_proven} |" in PAGE


def test_every_axis_has_its_question() -> None:
    for axis in Axis:
        assert f"### {wording.AXIS_TITLES[axis]}: {wording.AXIS_QUESTIONS[axis]}" in PAGE


def test_every_assurance_level_is_explained_with_what_it_leaves_open() -> None:
    formats = (ROOT / "docs" / "formats" / "enrolment.md").read_text(encoding="utf-8")
    assert ASSURANCE_LEVELS.keys() == ASSURANCE_LIMITS.keys() == set(range(5))
    for level, text in ASSURANCE_LEVELS.items():
        row = f"| {level} | {text} | {ASSURANCE_LIMITS[level]} |"
        assert row in PAGE
        assert row in formats


def test_every_badge_is_explained() -> None:
    for outcome in HeuristicOutcome:
        assert f"| {wording.HEURISTIC_BADGES[outcome]} |" in PAGE
    for outcome in Outcome:
        assert f"| {wording.BADGES[outcome].lower()} |" in PAGE
    assert wording.disagreement().answer in PAGE
