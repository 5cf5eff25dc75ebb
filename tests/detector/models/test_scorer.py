"""The one procedure from a reading to an answer, on a detector whose readings are said beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.models.card import ModelCard, OperatingPoint, open_card
from detector.models.registry import DEFAULT_MODEL
from detector.models.score import Answer, Ratio
from detector.models.scorer import TOO_SMALL, Reading, Scorer, Views, Words, answer_of, stability_of
from detector.pixels.decode import Pixels
from tests.detector.made import encoded, photo_like

PICTURE = photo_like(40, 60)
POINT = OperatingPoint(
    supports_logit=2.0, against_logit=-2.0, min_log10_ratio=0.1, calibration_false_positives=0.01,
    against_min_side=40,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Scorer):
    """Reads the first number for the picture and the others for its copies."""

    words: ClassVar[Words] = Words(
        reasons={a: f"it {a.value}" for a in Answer},
        outside="far away",
        unstable="{flips} of {variants} flip",
    )
    logits: tuple[float, ...]
    distance: float = 0.0

    def views(self, pixels: Pixels) -> Views:
        if min(pixels.shape[:2]) < 8:
            raise NotApplicable("too small")
        return np.full((1, 1, 1, 3), 0, np.uint8)

    def read(self, views: Views) -> Reading:
        return Reading(logit=self.logits[int(views[0, 0, 0, 0])], distance=self.distance)

    def variants(self, views: Views) -> list[Views]:
        return [views + np.uint8(n) for n in range(1, len(self.logits))]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    shipped = open_card(DEFAULT_MODEL)
    line = replace(shipped.calibration, slope=1.0, intercept=0.0, covariance=(0.0, 0.0, 0.0), unknown=0.0)
    return replace(shipped, operating_point=POINT, domain_limit=1.0, calibration=line)


@pytest.mark.parametrize(
    ("logits", "distance", "answer", "reason"),
    [
        ((3.0, 3.0, 2.5), 0.0, Answer.SUPPORTS, "it supports"),
        ((-3.0, -9.0, -2.0), 0.0, Answer.AGAINST, "it against"),
        ((0.0, 9.0, -9.0), 0.0, Answer.INCONCLUSIVE, "it inconclusive"),
        ((3.0, 3.0, 1.9), 0.0, Answer.INCONCLUSIVE, "1 of 2 flip"),
        ((-3.0, 3.0, 0.0), 0.0, Answer.INCONCLUSIVE, "2 of 2 flip"),
        ((3.0, 3.0, 3.0), 1.1, Answer.INCONCLUSIVE, "far away"),
        ((0.0, 0.0, 0.0), 1.1, Answer.INCONCLUSIVE, "far away"),
        ((3.0, 3.0, 3.0), 1.0, Answer.SUPPORTS, "it supports"),
    ],
)
def test_an_answer_is_given_and_can_only_be_taken_back(card, logits, distance, answer, reason):
    score = Told(card=card, logits=logits, distance=distance).score_pixels(PICTURE)
    assert (score.answer, score.reason, score.crops) == (answer, reason, 1)
    assert (score.logit, score.distance) == (logits[0], distance)
    assert (score.stability is None) is (reason in {"far away", "it inconclusive"})


@pytest.mark.parametrize(("side", "answer"), [(39, Answer.INCONCLUSIVE), (40, Answer.AGAINST)])
def test_the_shorter_side_decides_whether_a_picture_may_be_spoken_against(card, side, answer):
    told = Told(card=card, logits=(-3.0, -3.0))
    for shape in ((side, 400), (400, side)):
        score = told.score_pixels(photo_like(*shape))
        assert score.answer is answer
        assert (score.reason == TOO_SMALL) is (answer is Answer.INCONCLUSIVE)


def test_a_picture_that_is_too_small_may_still_be_spoken_for(card):
    assert Told(card=card, logits=(3.0, 3.0)).score_pixels(photo_like(9, 9)).answer is Answer.SUPPORTS


def test_of_a_small_picture_outside_of_the_domain_the_domain_is_named(card):
    assert Told(card=card, logits=(-3.0,), distance=2.0).score_pixels(photo_like(9, 9)).reason == "far away"


def test_without_a_limit_nothing_is_outside(card):
    told = Told(card=replace(card, domain_limit=None), logits=(3.0, 3.0), distance=1e9)
    assert told.score_pixels(PICTURE).answer is Answer.SUPPORTS


def test_bytes_are_decoded_and_refused_as_everywhere(card):
    told = Told(card=card, logits=(3.0, 3.0))
    data = encoded(PICTURE)
    assert told.score(data, "image/jpeg") == told.score_pixels(PICTURE)
    assert told.ratio(data, "image/jpeg") == told.score_pixels(PICTURE).ratio
    assert told.raw(PICTURE) == 3.0
    with pytest.raises(NotApplicable, match="limit is 10"):
        told.score(data, "image/jpeg", max_pixels=10)
    with pytest.raises(NotApplicable, match="too small"):
        told.score(encoded(photo_like(4, 4)), "image/jpeg")
    with pytest.raises(PixelsUnreadable):
        told.score(data[:200], "image/jpeg")


def ratio(log10: float) -> Ratio:
    return Ratio(log10=log10, low=log10, high=log10, calibration_id="c", calibration_items=40)


@settings(max_examples=60, deadline=None)
@given(logit=st.floats(-9, 9), log10=st.floats(-3, 3))
def test_an_answer_needs_its_side_and_a_ratio_that_points_the_same_way(logit, log10):
    answer = answer_of(logit, ratio(log10), POINT)
    if answer is Answer.SUPPORTS:
        assert logit >= POINT.supports_logit
        assert log10 >= POINT.min_log10_ratio
    elif answer is Answer.AGAINST:
        assert logit <= POINT.against_logit
        assert -log10 >= POINT.min_log10_ratio
    else:
        assert not (logit >= POINT.supports_logit and log10 >= POINT.min_log10_ratio)
        assert not (logit <= POINT.against_logit and -log10 >= POINT.min_log10_ratio)


@settings(max_examples=60, deadline=None)
@given(logit=st.floats(-9, 9), others=st.lists(st.floats(-9, 9), min_size=1, max_size=5))
def test_the_range_of_copies_holds_the_picture_and_counts_those_on_another_side(logit, others):
    found = stability_of(logit, others, POINT)
    assert found.low <= logit <= found.high
    assert (found.low, found.high) == (min(logit, *others), max(logit, *others))
    assert found.variants == len(others)

    def side(x: float) -> int:
        return (x >= POINT.supports_logit) - (x <= POINT.against_logit)

    assert found.flips == sum(side(x) != side(logit) for x in others)
