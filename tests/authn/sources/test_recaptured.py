"""Photos of screens and prints as an evidence source: a hint without a ratio, on request."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import media_of
from authn.sources.recaptured import RecapturedSource
from detector.core.errors import PixelsUnreadable
from detector.forensics.recapture_score import shipped_recapture
from detector.models.reference import reference_photo
from detector.pixels.decode import Pixels
from tests.detector.made import encoded, photo_like

PHOTO = encoded(photo_like(600, 500))


def drawing() -> Pixels:
    """Coloured planes that meet in slanting edges."""
    y, x = np.mgrid[0:500, 0:500]
    colours = np.array([(112, 192, 180), (0, 92, 104), (252, 188, 80)], np.uint8)
    return colours[(x + 2 * y > 700).astype(int) + (3 * x - y > 900)]


def examine(data: bytes, name: str = "a.jpg", *, beyond: float | None = None) -> HeuristicEvidence:
    """``beyond``: the point of the weights, in place of their own."""
    shipped = shipped_recapture()
    model = None if beyond is None else replace(shipped, point=beyond)
    (evidence,) = RecapturedSource(model=model).examine(media_of(data, name))
    assert evidence.question is Question.RECAPTURED
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    assert evidence.model_sha256 == shipped.sha256
    return evidence


def test_the_photo_that_ships_is_undecided_and_nothing_follows() -> None:
    evidence = examine(reference_photo())
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "nothing follows" in evidence.reason


def test_it_points_to_a_recapture_from_its_point_on_and_is_else_undecided() -> None:
    score = examine(PHOTO).raw
    assert score is not None
    for point, outcome, said in (
        (score - 0.1, HeuristicOutcome.SUPPORTS, Outcome.ESTABLISHED),
        (score, HeuristicOutcome.SUPPORTS, Outcome.ESTABLISHED),
        (score + 0.1, HeuristicOutcome.INCONCLUSIVE, Outcome.ABSENT),
    ):
        evidence = examine(PHOTO, beyond=point)
        (finding,) = evidence.findings
        assert (evidence.outcome, finding.outcome) == (outcome, said)
        assert dict(finding.facts)["score"] == round(score, 3)


def test_what_cannot_be_asked_abstains_with_the_reason_and_without_a_number() -> None:
    grey = np.repeat(photo_like(500, 500)[:, :, :1], 3, axis=2)
    for data, name, why in (
        (encoded(photo_like(200, 400)), "a.jpg", "need 320"),
        (encoded(grey, "PNG"), "a.png", "no colour"),
        (encoded(np.full((500, 500, 3), 90, np.uint8), "PNG"), "a.png", "flat"),
        (encoded(drawing(), "PNG"), "a.png", "next to no noise"),
        (encoded(photo_like(500, 500), "TIFF"), "a.tif", "not decoded here"),
    ):
        evidence = examine(data, name)
        assert evidence.outcome is HeuristicOutcome.ABSTAIN
        assert not evidence.applicable
        assert why in evidence.reason
        assert evidence.raw is None


def test_a_cut_picture_is_not_examined() -> None:
    with pytest.raises(PixelsUnreadable):
        examine(PHOTO[:3000])
