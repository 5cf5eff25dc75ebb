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
from detector.models.condition import Condition, condition_of
from detector.models.given import Given
from detector.models.guarantees import Certified, Earned, Guarantees
from detector.models.kinds import Kind
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
    kind: Kind | None = None
    kind_probability: float | None = None

    def views(self, pixels: Pixels) -> Views:
        if min(pixels.shape[:2]) < 8:
            raise NotApplicable("too small")
        return np.full((1, 1, 1, 3), 0, np.uint8)

    def read(self, views: Views) -> Reading:
        return Reading(
            logit=self.logits[int(views[0, 0, 0, 0])], distance=self.distance, kind=self.kind,
            kind_probability=self.kind_probability,
        )  # fmt: skip

    def variants(self, views: Views) -> list[Views]:
        return [views + np.uint8(n) for n in range(1, len(self.logits))]


@pytest.fixture(scope="module")
def card() -> ModelCard:
    shipped = open_card("traces-1")
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
    condition = condition_of(data, "image/jpeg", side=min(PICTURE.shape[:2]))
    assert told.score(data, "image/jpeg") == told.score_pixels(PICTURE, condition)
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


GIVEN = Given(
    centre=0.0, scale=1.0, terms=("size", "quality", "no_table", "art"), flat=("no_table",),
    weights=(1.0, 0.0, 0.5, 0.25, -0.5, -1.0, 0.1, 0.0, 0.2),
    covariance=tuple(tuple(0.01 if i == j else 0.0 for i in range(9)) for j in range(9)),
    sides=(128.0, 2048.0), qualities=(50.0, 100.0),
    items=(("photo", 400, 300), ("art", 200, 100), ("render", 90, 90)),
)  # fmt: skip
VOUCHED = Certified(
    kind=Kind.PHOTO, goal=0.02, sure=0.95, log10_ratio=1.0, pictures=412, sources=37, false=2, bound=0.015,
    by_source=0.019,
)  # fmt: skip
OWED = Earned(
    kind=Kind.PHOTO, min_side=400, max_side=1000, log10_ratio=-0.8, bound=0.3, worst=0.3, sure=0.95,
    pictures=300, sources=30, generated=250, generators=20,
)  # fmt: skip
GUARANTEES = Guarantees(
    kind_limit=0.6,
    supports=(
        VOUCHED, replace(VOUCHED, kind=Kind.ART, log10_ratio=2.0),
        replace(VOUCHED, kind=Kind.RENDER, log10_ratio=None, bound=None, pictures=37),
    ),
    against=(OWED,),
)  # fmt: skip
PLAIN = Condition(side=512, quality=90, media_type="image/jpeg")  # where no column but the kind says anything


@pytest.fixture(scope="module")
def vouched(card: ModelCard) -> ModelCard:
    line = replace(card.calibration, given=GIVEN)
    return replace(card, calibration=line, guarantees=GUARANTEES)


def said(vouched: ModelCard, logit: float, kind: Kind | None = Kind.PHOTO, **more):
    condition = more.pop("condition", PLAIN)
    logits = more.pop("logits", (logit, logit))
    told = Told(card=vouched, logits=logits, kind=kind, **{"kind_probability": 0.9, **more})
    return told.score_pixels(PICTURE, condition)


def test_an_answer_comes_with_what_vouches_for_it(vouched):
    score = said(vouched, 3.0)
    assert (score.answer, score.reason, score.kind, score.condition) == (
        Answer.SUPPORTS, "it supports", Kind.PHOTO, PLAIN,
    )  # fmt: skip
    g = score.guarantee
    assert g is not None
    assert (g.answer, g.kind, g.bound, g.sure, g.pictures, g.sources) == (
        Answer.SUPPORTS, Kind.PHOTO, 0.02, 0.95, 412, 37,
    )  # fmt: skip
    assert score.ratio is not None
    assert score.ratio.calibration_id.startswith("given-")
    assert score.ratio.calibration_items == 700


@pytest.mark.parametrize(
    ("kind", "logit", "answer", "reason"),
    [
        (Kind.PHOTO, 2.31, Answer.SUPPORTS, "it supports"),
        (Kind.PHOTO, 2.29, Answer.INCONCLUSIVE, "no answer is vouched for"),
        (Kind.ART, 2.31, Answer.INCONCLUSIVE, "no answer is vouched for"),
        (Kind.ART, 5.0, Answer.SUPPORTS, "it supports"),
        (Kind.RENDER, 9.0, Answer.ABSTAIN, "n = 37"),
        (Kind.SCAN, 9.0, Answer.ABSTAIN, "no scan was among"),
        (None, 9.0, Answer.ABSTAIN, "whose kind is not known (0)"),
    ],
)
def test_every_kind_has_its_own_point_and_a_kind_without_one_no_answer(vouched, kind, logit, answer, reason):
    score = said(vouched, logit, kind)
    assert score.answer is answer
    assert reason in score.reason
    assert (score.guarantee is None) is (answer is not Answer.SUPPORTS)


def test_a_kind_that_is_not_probable_enough_is_not_known(vouched):
    assert said(vouched, 9.0, kind_probability=0.59).answer is Answer.ABSTAIN
    assert said(vouched, 9.0, kind_probability=0.59).kind is None
    assert said(vouched, 9.0, kind_probability=0.6).answer is Answer.SUPPORTS


def test_outside_of_the_domain_there_is_neither_an_answer_nor_a_ratio(vouched):
    score = said(vouched, 9.0, distance=1.1)
    assert (score.answer, score.reason) == (Answer.ABSTAIN, "far away")
    assert (score.ratio, score.guarantee) == (None, None)


@pytest.mark.parametrize(("side", "spoken"), [(399, False), (400, True), (999, True), (1000, False)])
def test_against_is_spoken_only_where_it_was_earned(vouched, side, spoken):
    score = said(vouched, -6.0, condition=replace(PLAIN, side=side))
    assert (score.answer is Answer.AGAINST) is spoken
    assert said(vouched, -6.0, Kind.ART, condition=replace(PLAIN, side=side)).answer is Answer.INCONCLUSIVE
    if spoken:
        assert score.guarantee is not None
        assert (score.guarantee.generated, score.guarantee.bound) == (250, pytest.approx(1 / 3))


def test_no_answer_is_taken_back_by_a_re_encoding_and_the_band_says_how_far_it_moves(vouched):
    score = said(vouched, 3.0, logits=(3.0, 1.0, 3.5))
    assert score.answer is Answer.SUPPORTS
    band = score.stability
    assert band is not None
    assert (band.variants, band.low, band.high, band.flips) == (2, 1.0, 3.5, 1)


def test_the_band_is_made_only_where_it_is_asked_for_and_something_is_pointed_to(vouched):
    told = Told(card=vouched, logits=(3.0,), kind=Kind.PHOTO, kind_probability=1.0)
    assert told.score_pixels(PICTURE, PLAIN).stability is None, "a detector may have no copies to show"
    other = Told(card=vouched, logits=(3.0, 3.0), kind=Kind.PHOTO, kind_probability=1.0)
    assert other.score_pixels(PICTURE, PLAIN, band=False).stability is None
    assert said(vouched, -1.0).stability is None


def test_a_detector_that_tells_no_kinds_apart_has_guarantees_for_all_of_them(vouched):
    guarantees = Guarantees(kind_limit=None, supports=(replace(VOUCHED, kind=None),), against=())
    line = replace(vouched.calibration, given=replace(GIVEN, items=(("unknown", 700, 600),)))
    one = replace(vouched, guarantees=guarantees, calibration=line)
    score = said(one, 4.0, Kind.SCAN)
    assert (score.answer, score.kind) == (Answer.SUPPORTS, None)
    assert score.guarantee is not None
    assert score.guarantee.kind is None


@settings(max_examples=60, deadline=None)
@given(
    side=st.integers(1, 20_000), quality=st.one_of(st.none(), st.integers(1, 100)),
    kind=st.sampled_from([Kind.PHOTO, Kind.ART]), logits=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
)  # fmt: skip
def test_in_every_condition_a_higher_score_is_a_higher_ratio(vouched, side, quality, kind, logits):
    condition = Condition(side=side, quality=quality, media_type="image/jpeg")
    low, high = (vouched.calibration.ratio(x, kind, condition) for x in sorted(logits))
    assert low.log10 <= high.log10
    for ratio in (low, high):
        assert ratio.low <= ratio.log10 <= ratio.high
        assert abs(ratio.log10) <= np.log10({Kind.PHOTO: 300, Kind.ART: 100}[kind]) + 1e-9


def test_beyond_the_conditions_that_were_seen_the_last_one_counts(vouched):
    small, tiny = (replace(PLAIN, side=s) for s in (128, 16))
    ratios = [vouched.calibration.ratio(1.0, Kind.PHOTO, c) for c in (small, tiny)]
    assert ratios[0] == ratios[1]
    assert ratios[0] != vouched.calibration.ratio(1.0, Kind.PHOTO, PLAIN)
