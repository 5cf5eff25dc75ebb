"""Photos of screens and prints as an evidence source: a hint without a ratio, on request, by
weights of one's own."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from authn.core.config import Settings, load_settings
from authn.core.errors import SystemLacking
from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import media_of
from authn.examine.opening import sources_on_request
from authn.sources import HeuristicSource
from authn.sources.recaptured import NAME, RecapturedSource
from detector.core.errors import ModelUnavailable, PixelsUnreadable
from detector.pixels.decode import Pixels
from tests.detector.made import encoded, photo_like
from tests.doubles.recapture import write_recapture

PHOTO = encoded(photo_like(600, 500))


def drawing() -> Pixels:
    """Coloured planes that meet in slanting edges."""
    y, x = np.mgrid[0:500, 0:500]
    colours = np.array([(112, 192, 180), (0, 92, 104), (252, 188, 80)], np.uint8)
    return colours[(x + 2 * y > 700).astype(int) + (3 * x - y > 900)]


def asked(settings: Settings) -> HeuristicSource:
    (source,) = (s for s in sources_on_request(settings) if s.name == NAME)
    return source


def examine(data: bytes, weights: Path, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = RecapturedSource(weights).examine(media_of(data, name))
    assert evidence.question is Question.RECAPTURED
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    assert evidence.model_sha256 == sha256(weights.read_bytes()).hexdigest()
    return evidence


def test_without_weights_of_ones_own_it_is_not_examined_and_the_report_says_why(tmp_path: Path) -> None:
    settings = load_settings(environ={"ASSAY_HOME": str(tmp_path)})
    with pytest.raises(SystemLacking, match="no weights ship"):
        asked(settings).examine(media_of(PHOTO, "a.jpg"))
    weights = write_recapture(tmp_path / "w")
    named = asked(replace(settings, recapture_weights=(weights,)))
    assert named.examine(media_of(PHOTO, "a.jpg"))
    named = asked(replace(settings, recapture_weights=(tmp_path / "none",)))
    with pytest.raises(ModelUnavailable):
        named.examine(media_of(PHOTO, "a.jpg"))


def test_it_points_to_a_recapture_from_its_point_on_and_is_else_undecided(tmp_path: Path) -> None:
    score = examine(PHOTO, write_recapture(tmp_path / "w")).raw
    assert score is not None
    for point, outcome, said in (
        (score - 0.1, HeuristicOutcome.SUPPORTS, Outcome.ESTABLISHED),
        (score, HeuristicOutcome.SUPPORTS, Outcome.ESTABLISHED),
        (score + 0.1, HeuristicOutcome.INCONCLUSIVE, Outcome.ABSENT),
    ):
        evidence = examine(PHOTO, write_recapture(tmp_path / str(point), point))
        (finding,) = evidence.findings
        assert (evidence.outcome, finding.outcome) == (outcome, said)
        assert dict(finding.facts)["score"] == round(score, 3)


def test_what_cannot_be_asked_abstains_with_the_reason_and_without_a_number(tmp_path: Path) -> None:
    weights = write_recapture(tmp_path / "w")
    grey = np.repeat(photo_like(500, 500)[:, :, :1], 3, axis=2)
    for data, name, why in (
        (encoded(photo_like(200, 400)), "a.jpg", "need 320"),
        (encoded(grey, "PNG"), "a.png", "no colour"),
        (encoded(np.full((500, 500, 3), 90, np.uint8), "PNG"), "a.png", "flat"),
        (encoded(drawing(), "PNG"), "a.png", "next to no noise"),
        (encoded(photo_like(500, 500), "TIFF"), "a.tif", "not decoded here"),
    ):
        evidence = examine(data, weights, name)
        assert evidence.outcome is HeuristicOutcome.ABSTAIN
        assert not evidence.applicable
        assert why in evidence.reason
        assert evidence.raw is None


def test_a_cut_picture_is_not_examined(tmp_path: Path) -> None:
    with pytest.raises(PixelsUnreadable):
        examine(PHOTO[:3000], write_recapture(tmp_path / "w"))
