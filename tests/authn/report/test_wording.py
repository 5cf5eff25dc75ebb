"""The words: one for every outcome, short, neutral, and never without their limits."""

from __future__ import annotations

import itertools
import re

import pytest

from authn.core.evidence import Axis, HeuristicOutcome, Outcome, Question
from authn.report import wording
from authn.report.likelihood import ratio_sentence, verbal_support
from authn.report.wording import Words, axis_words, heuristic_words

KINDS = ("learned", "signal", "metadata")
FORBIDDEN = re.compile(
    r"\b(authentic|genuine|fake|real|verdict|trustworthy|trusted|score of|confidence|safe|dangerous|"
    r"suspicious|passed|failed|warning|ok|verified|valid|invalid)\b",
    re.IGNORECASE,
)


def every_word() -> list[Words]:
    axes = [axis_words(a, o, ()) for a, o in itertools.product(Axis, Outcome)]
    refined = [words for _, _, words in wording.refined_words()]
    guesses = [
        heuristic_words(q, o, k, applicable=a)
        for q, o, k, a in itertools.product(Question, HeuristicOutcome, KINDS, (True, False))
    ]
    return [*axes, *refined, *guesses, wording.disagreement()]


def test_every_outcome_of_every_axis_and_question_has_words() -> None:
    assert len(every_word()) > 32 + 16
    assert set(wording.AXIS_TITLES) == set(wording.AXIS_QUESTIONS) == set(Axis)
    assert set(wording.QUESTIONS) == set(wording.QUESTION_TITLES) == set(Question)


def test_an_answer_has_at_most_eight_words() -> None:
    for words in every_word():
        assert 1 <= len(words.answer.split()) <= 8, words.answer


def test_every_answer_says_what_it_does_not_prove_in_one_sentence() -> None:
    for words in every_word():
        assert words.not_proven.endswith("."), words
        assert len(re.findall(r"[.!?](?:\s|$)", words.not_proven)) <= 2, words.not_proven
        assert len(words.not_proven) <= 120, words.not_proven


def test_no_word_judges_a_picture() -> None:
    badges = [*wording.BADGES.values(), *wording.HEURISTIC_BADGES.values()]
    for text in (*badges, *(t for w in every_word() for t in (w.answer, w.not_proven))):
        assert not FORBIDDEN.search(text), text


def test_an_unknown_signer_is_about_lists_and_not_about_the_picture() -> None:
    words = axis_words(Axis.SIGNER, Outcome.OUTSIDE_LISTS, ["signingCredential.untrusted"])
    assert words.answer == "Signed by somebody outside your lists"
    assert wording.BADGES[Outcome.OUTSIDE_LISTS] == "Outside your lists"
    assert "not about the picture" in words.not_proven


def test_a_broken_signature_beside_an_unknown_signer_is_what_is_said() -> None:
    words = axis_words(
        Axis.SIGNER, Outcome.REFUTED, ["signingCredential.untrusted", "claimSignature.mismatch"]
    )
    assert words.answer == "The signature does not fit the claim"


@pytest.mark.parametrize("axis", list(Axis))
def test_no_code_changes_the_words_of_what_is_established(axis: Axis) -> None:
    codes = [code for _, code in wording.REFINED]
    assert axis_words(axis, Outcome.ESTABLISHED, codes) == wording.AXIS_WORDS[axis, Outcome.ESTABLISHED]


def test_a_disagreement_is_not_called_unexamined() -> None:
    words = axis_words(Axis.INTEGRITY, Outcome.NOT_EXAMINED, [wording.DISAGREEMENT_CODE])
    assert words.answer == "Independent readers disagree about this"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.5, 0.5, None),
        (0.1, 0.25, None),
        (0.31, 0.9, "weak"),
        (1.0, 3.0, "moderate"),
        (2.0, 3.0, "moderately strong"),
        (3.5, 3.9, "strong"),
        (4.2, 6.0, "very strong"),
        (-3.0, -1.2, "moderate"),
    ],
)
def test_the_verbal_scale_takes_the_cautious_end(low: float, high: float, word: str | None) -> None:
    assert verbal_support(low, high) == word


def test_a_ratio_names_its_number_and_its_calibration() -> None:
    text = ratio_sentence(Question.SYNTHETIC, 1.62, 1.1, 2.05, 1200)
    assert "42 times more often" in text
    assert "moderate support" in text
    assert "1,200 pictures" in text


def test_a_ratio_against_raises_trust_in_nothing() -> None:
    assert "raises trust in nothing" in ratio_sentence(Question.SYNTHETIC, -2.5, -3.0, -2.2, 1200)


def test_a_small_ratio_supports_nothing_and_says_why() -> None:
    assert "the interval allows either" in ratio_sentence(Question.SYNTHETIC, -0.3, -0.9, 0.2, 10)
    assert "cautious end is below twice" in ratio_sentence(Question.SYNTHETIC, -0.3, -0.4, -0.2, 10)
