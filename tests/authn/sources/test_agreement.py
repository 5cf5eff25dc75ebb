"""One answer for one question: a joint one where both apply, the only one where one does, and said so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.core.score_map import has_map
from authn.sources.agreement import answered
from detector.models.calibration import Calibration
from detector.models.condition import Condition
from detector.models.guarantees import Certified, Earned, Guarantees
from detector.models.joint import Joint, JointCard, Part
from detector.models.kinds import Kind
from detector.models.score import Ratio

LINE = Calibration(
    slope=1.0, intercept=0.0, covariance=(0.0, 0.0, 0.0), real_items=900, fake_items=800, unknown=0.05
)
CARD = JointCard(
    model_id="joint-9", question="synthetic", start=0.0, calibration=LINE, dependence=(), judged=(),
    parts=(
        Part(model_id="a", weights_sha256="aa", calibration_id="c", weight=1.0),
        Part(model_id="b", weights_sha256="bb", calibration_id="d", weight=0.5),
    ),
    guarantees=Guarantees(
        kind_limit=0.5,
        supports=(
            Certified(
                kind=Kind.PHOTO, goal=0.02, sure=0.95, log10_ratio=1.0, pictures=412, sources=37, false=1,
                bound=0.01, by_source=0.02,
            ),
        ),
        against=(
            Earned(
                kind=Kind.PHOTO, min_side=1, max_side=None, log10_ratio=-1.0, bound=0.3, worst=0.3, sure=0.95,
                pictures=412, sources=37, generated=300, generators=25,
            ),
        ),
    ),
)  # fmt: skip
JOINT = Joint(card=CARD, sha256="cc" * 32)


def guess(detector: str, log10: float | None, outcome: str = "inconclusive") -> HeuristicEvidence:
    ratio = None
    if log10 is not None:
        ratio = Ratio(log10=log10, low=log10, high=log10, calibration_id="c", calibration_items=9)
    return HeuristicEvidence(
        detector=detector, version="1", kind="learned", question=Question.SYNTHETIC, reason="so",
        outcome=HeuristicOutcome(outcome), llr=ratio, raw=0.5, model_sha256=2 * detector,
        content=Kind.PHOTO if detector == "a" else None,
        condition=Condition(side=700, quality=90, media_type="image/jpeg"),
    )  # fmt: skip


METADATA = HeuristicEvidence(
    detector="metadata", version="1", kind="metadata", question=Question.SYNTHETIC, reason="so",
    outcome=HeuristicOutcome.SUPPORTS,
)  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        (0.8, 0.6, HeuristicOutcome.SUPPORTS), (0.8, 0.2, HeuristicOutcome.INCONCLUSIVE),
        (2.0, -3.0, HeuristicOutcome.INCONCLUSIVE), (-1.0, -0.4, HeuristicOutcome.AGAINST),
    ],
)  # fmt: skip
def test_where_both_apply_the_joint_one_answers_and_its_parts_stay_visible(a, b, outcome):
    given = (METADATA, guess("a", a, "supports"), guess("b", b, "against"), replace(METADATA, detector="z"))
    metadata, first, second, joint, last = answered(given, JOINT)
    assert (metadata, last) == (given[0], given[3])
    assert (joint.detector, joint.outcome, joint.model_sha256) == ("joint-9", outcome, "cc" * 32)
    for part, before in ((first, given[1]), (second, given[2])):
        assert (part.outcome, part.part_of) == (HeuristicOutcome.INCONCLUSIVE, "joint-9")
        assert (part.llr, part.raw, part.stability) == (before.llr, before.raw, before.stability)
    assert joint.raw == pytest.approx((a + b / 2) * 2.302585)
    assert joint.content is Kind.PHOTO
    assert (joint.guarantee is not None) is (outcome is not HeuristicOutcome.INCONCLUSIVE)


@pytest.mark.parametrize("other", [None, "not applicable"])
def test_where_one_does_not_apply_the_other_answers_alone_and_says_so(other):
    second = guess("b", None, "abstain")
    if other:
        second = replace(second, applicable=False)
    first, after = answered((guess("a", 1.5, "supports"), second), JOINT)
    assert after == second
    assert (first.outcome, first.part_of) == (HeuristicOutcome.SUPPORTS, None)
    assert first.reason == "so; b has no ratio for this picture, so it answers alone"


def test_a_detector_that_was_not_asked_changes_nothing():
    given = (METADATA, guess("a", 1.5, "supports"))
    assert answered(given, JOINT) == given
    assert answered((), JOINT) == ()


def test_other_weights_than_the_joint_one_was_fitted_on_are_not_joined():
    given = (guess("a", 1.5, "supports"), replace(guess("b", 0.5), model_sha256="other"))
    assert answered(given, JOINT) == given
    opposed = (given[0], replace(given[1], outcome=HeuristicOutcome.AGAINST))
    assert {g.outcome for g in answered(opposed, JOINT)} == {HeuristicOutcome.INCONCLUSIVE}


def test_a_kind_that_nothing_vouches_for_gets_no_joint_answer():
    given = (replace(guess("a", 1.5), content=None), guess("b", 1.5))
    assert answered(given, JOINT)[-1].outcome is HeuristicOutcome.ABSTAIN


def test_parts_show_their_places_where_the_joint_answer_and_their_own_ratio_point_to_something():
    pointing = answered((guess("a", 1.5), guess("b", -0.5)), JOINT)
    assert [has_map(g, pointing) for g in pointing] == [True, False, True]
    silent = answered((guess("a", 0.5), guess("b", 0.5)), JOINT)
    assert not any(has_map(g, silent) for g in silent)
