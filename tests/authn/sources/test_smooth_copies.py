"""Copies of smooth places as an evidence source: on request, and never against."""

from __future__ import annotations

import numpy as np
import pytest

from authn.core.contradiction_codes import ContradictionCode, could_show
from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.core.media import media_of
from authn.core.overlay import overlay_json, parse_overlay
from authn.sources.copy_move import CopyMoveSource
from authn.sources.smooth_copies import SmoothCopiesSource
from detector.core.errors import PixelsUnreadable
from tests.authn.sources.drawn import high_around
from tests.detector.forensics.test_smooth_copies import HERE, THERE, copied, sky
from tests.detector.made import encoded

COPIED = encoded(copied(sky()), quality=95)


def examine(data: bytes, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = SmoothCopiesSource().examine(media_of(data, name))
    assert evidence.question is Question.EDITED
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    return evidence


def test_a_copy_that_keypoints_do_not_see_is_pointed_to_and_drawn_over_both_places() -> None:
    media, source = media_of(COPIED, "a.jpg"), SmoothCopiesSource()
    (keypoints,) = CopyMoveSource().examine(media)
    assert keypoints.outcome is not HeuristicOutcome.SUPPORTS
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    assert could_show(found[0], ContradictionCode.UNEDITED_BUT_COPIED)
    assert not could_show(found[0], ContradictionCode.UNEDITED_BUT_DIFFERENT)
    assert "110 pixels down and 200 across" in found[0].reason
    facts = dict(found[0].findings[0].facts)
    assert (facts["x"], facts["y"]) == pytest.approx((HERE[1], HERE[0]), abs=8)
    assert (facts["other_x"], facts["other_y"]) == pytest.approx((THERE[1], THERE[0]), abs=8)
    (drawn,) = source.overlays(media, found)
    assert high_around(drawn.own, (HERE[::-1], THERE[::-1]), 60)
    assert len(drawn.own.lines) == 1
    assert drawn.reference is not None
    assert set(drawn.reference.cells) == {"0"}
    assert parse_overlay(overlay_json(drawn)) == drawn


def test_a_picture_without_grain_abstains_with_the_reason() -> None:
    evidence = examine(encoded(np.full((300, 300, 3), 90, np.uint8), "PNG"), "a.png")
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert "100% of the picture has no grain" in evidence.reason


def test_a_cut_file_is_not_examined() -> None:
    with pytest.raises(PixelsUnreadable):
        examine(COPIED[: len(COPIED) // 2])
