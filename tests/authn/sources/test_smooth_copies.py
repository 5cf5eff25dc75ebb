"""Copies of smooth places as an evidence source: on request, and never against."""

from __future__ import annotations

import numpy as np
import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.core.media import media_of
from authn.sources.copy_move import CopyMoveSource
from authn.sources.smooth_copies import SmoothCopiesSource
from detector.core.errors import PixelsUnreadable
from tests.detector.forensics.test_smooth_copies import HERE, THERE, copied, sky
from tests.detector.made import encoded

COPIED = encoded(copied(sky()), quality=95)


def examine(data: bytes, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = SmoothCopiesSource().examine(media_of(data, name))
    assert evidence.question is Question.EDITED
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    return evidence


def test_a_copy_that_keypoints_do_not_see_is_told_with_both_places_and_points_to_nothing() -> None:
    (keypoints,) = CopyMoveSource().examine(media_of(COPIED, "a.jpg"))
    assert keypoints.outcome is not HeuristicOutcome.SUPPORTS
    found = examine(COPIED)
    assert found.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "110 pixels down and 200 across" in found.reason
    assert "too few pictures" in found.reason
    facts = dict(found.findings[0].facts)
    assert (facts["x"], facts["y"]) == pytest.approx((HERE[1], HERE[0]), abs=8)
    assert (facts["other_x"], facts["other_y"]) == pytest.approx((THERE[1], THERE[0]), abs=8)


def test_a_sky_of_its_own_grain_is_told_to_have_none() -> None:
    found = examine(encoded(sky(), quality=95))
    assert (found.outcome, found.findings) == (HeuristicOutcome.INCONCLUSIVE, ())
    assert "nothing follows" in found.reason


def test_a_picture_without_grain_abstains_with_the_reason() -> None:
    evidence = examine(encoded(np.full((300, 300, 3), 90, np.uint8), "PNG"), "a.png")
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert "100% of the picture has no grain" in evidence.reason


def test_a_cut_file_is_not_examined() -> None:
    with pytest.raises(PixelsUnreadable):
        examine(COPIED[: len(COPIED) // 2])
