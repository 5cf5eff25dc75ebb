"""Copies within a picture as an evidence source: on request, and never against."""

from __future__ import annotations

import numpy as np
import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import media_of
from authn.core.overlay import overlay_json, parse_overlay
from authn.sources.copy_move import CopyMoveSource
from detector.core.errors import PixelsUnreadable
from detector.models.reference import reference_photo
from tests.authn.sources.drawn import high_around
from tests.detector.forensics.test_copy_move import SCENE, copied
from tests.detector.made import encoded, photo_like

COPIED = encoded(copied(SCENE), quality=88)


def examine(data: bytes, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = CopyMoveSource().examine(media_of(data, name))
    assert evidence.question is Question.EDITED
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    return evidence


def test_a_copy_is_pointed_to_with_both_places_and_drawn_over_both() -> None:
    media, source = media_of(COPIED, "a.jpg"), CopyMoveSource()
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    assert "down to the grain" in found[0].reason
    (finding,) = (f for f in found[0].findings if f.outcome is Outcome.ESTABLISHED)
    facts = dict(finding.facts)
    assert sorted([facts["x"], facts["other_x"]]) == [pytest.approx(110, abs=25), pytest.approx(340, abs=25)]
    (drawn,) = source.overlays(media, found)
    assert high_around(drawn.own, ((110, 120), (340, 220)), 60)
    assert drawn.own.lines
    assert drawn.reference is not None
    assert set(drawn.reference.cells) == {"0"}
    assert parse_overlay(overlay_json(drawn)) == drawn


def test_an_ordinary_photo_is_undecided_and_nothing_is_drawn_over_it() -> None:
    source, media = CopyMoveSource(), media_of(reference_photo(), "a.jpg")
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.INCONCLUSIVE
    assert "nothing follows" in found[0].reason
    assert source.overlays(media, found) == ()


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (encoded(photo_like(90, 90)), "a.jpg", "128 pixels"),
        (encoded(np.full((300, 300, 3), 90, np.uint8), "PNG"), "a.png", "flat"),
        (encoded(photo_like(200, 200), "TIFF"), "a.tif", "not decoded here"),
    ],
)
def test_what_cannot_be_asked_abstains_with_the_reason(data: bytes, name: str, why: str) -> None:
    evidence = examine(data, name)
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert why in evidence.reason
    assert evidence.raw is None


def test_a_grey_picture_is_asked_like_any_other() -> None:
    assert examine(encoded(copied(SCENE)[:, :, 0], quality=90)).outcome is HeuristicOutcome.SUPPORTS


def test_a_cut_file_is_not_examined() -> None:
    with pytest.raises(PixelsUnreadable):
        examine(COPIED[: len(COPIED) // 2])
