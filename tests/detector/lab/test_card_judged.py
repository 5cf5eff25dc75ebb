"""The page of a card with guarantees: its numbers are the card's, and no table is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.core.metrics import proportion
from detector.lab.steps.calibrate_table import CardParts, calibrate_table
from detector.lab.steps.card_judged import guarantees_text, joint_markdown, strangers_text
from detector.lab.steps.card_text import card_markdown
from detector.models.card import dump_card, open_card, parse_card
from detector.models.guarantees import Guarantees
from detector.models.joint import JointCard, Part
from detector.models.kinds import Kind
from detector.models.registry import SEMANTIC_MODEL
from tests.detector.lab.score_rows import Drawn


@pytest.fixture(scope="module")
def parts() -> CardParts:
    drawn = Drawn(sources={Kind.PHOTO: 22, Kind.SCAN: 1}, generators=12, per_source=16, per_generator=16)
    return calibrate_table(drawn.rows(), 0.5, rounds=4)


def test_a_card_of_a_score_table_goes_through_its_json_and_onto_its_page(parts: CardParts) -> None:
    card = replace(parts.into(open_card(SEMANTIC_MODEL)), cost="A second.", attack="Turn it.")
    assert parse_card(dump_card(card)) == card
    page = card_markdown(card)
    for title in (
        "## From a score to a ratio", "## What vouches for an answer", "### View: stored", "### View: small",
        "#### By generator", "#### By source", "#### By kind", "#### By size", "#### By encoding",
        "## What it costs\n\nA second.", "## How to attack it\n\nTurn it.",
    ):  # fmt: skip
        assert title in page
    assert "## Calibration and operating point" not in page
    assert "| scan | no answer: too few | 16 | 1 | - | - | - |" in page
    photo = next(c for c in parts.guarantees.supports if c.kind is Kind.PHOTO)
    assert f"| photo | {photo.log10_ratio:.2f} | {photo.pictures} | {photo.sources} | {photo.false} |" in page
    assert f"{parts.judged[0].macro_auc.value:.3f}" in page


def test_a_card_without_guarantees_has_the_page_that_it_had() -> None:
    page = card_markdown(open_card(SEMANTIC_MODEL))
    assert ("## Calibration and operating point" in page) is (open_card(SEMANTIC_MODEL).guarantees is None)


def test_a_page_names_the_sources_that_passed_the_goal_when_they_set_no_point(parts: CardParts) -> None:
    judged = parts.judged[0]
    row = next(r for r in judged.by_source if not r.fake)
    over = replace(row, name="over", n=50, supports=proportion(2, 50), wrong_at_most=0.1206)
    at_it = replace(over, name="at the goal", n=100, supports=proportion(2, 100))
    small = replace(over, name="small", n=49)
    others = replace(over, name="sources with fewer than 20", n=500)
    page = strangers_text([replace(judged, by_source=(at_it, over, small, others))], 0.02)
    assert f"| {judged.view} | 2 | 1 | 97% | over: 2 of 50, at most 12.1% |" in page
    page = strangers_text([replace(judged, by_source=(at_it,))], 0.02)
    assert f"| {judged.view} | 1 | 0 | 95% | none |" in page  # one source says next to nothing of others
    page = strangers_text([replace(judged, by_source=(small,))], 0.02)
    assert f"| {judged.view} | 0 | 0 | - | none |" in page


def test_where_nothing_was_earned_the_page_says_that_it_never_speaks_against(parts: CardParts) -> None:
    silent = Guarantees(kind_limit=None, supports=parts.guarantees.supports, against=())
    assert "Nowhere. It never speaks against." in guarantees_text(silent)
    assert "tells no kinds apart" in guarantees_text(silent)


def test_a_joint_card_names_its_parts_and_their_weights(parts: CardParts) -> None:
    card = JointCard(
        model_id="joint-9", question="synthetic", start=-0.25, calibration=parts.calibration,
        guarantees=parts.guarantees, judged=parts.judged, dependence=(),
        parts=(
            Part(model_id="a", weights_sha256="aa", calibration_id="c", weight=0.875),
            Part(model_id="b", weights_sha256="bb", calibration_id="d", weight=1.125),
        ),
    )  # fmt: skip
    page = joint_markdown(card)
    assert "its score is -0.250 plus" in page
    assert "| a | `aa` | `c` | 0.875 |" in page
