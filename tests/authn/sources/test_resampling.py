from __future__ import annotations

import numpy as np
import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from authn.core.media import media_of
from authn.sources.resampling import ResamplingSource
from detector.pixels.augment import Encoding, resize, through
from tests.detector.made import encoded, photo_like

PHOTO = photo_like(640, 640, seed=3)
BEFORE = through(PHOTO, Encoding(media_type="image/jpeg", quality=92))


def examine(data: bytes) -> HeuristicEvidence:
    (evidence,) = ResamplingSource().examine(media_of(data, "a.png"))
    assert evidence.llr is None
    return evidence


@pytest.mark.parametrize("scale", [1.1, 1.3, 1.7])
def test_what_was_enlarged_is_said_with_its_factor_and_nothing_follows(scale: float) -> None:
    evidence = examine(encoded(resize(BEFORE, scale, "cubic")[:640, :640], "PNG"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "so nothing follows" in evidence.reason
    factor = dict(evidence.findings[0].facts)["factor"]
    assert isinstance(factor, float)
    assert factor == pytest.approx(scale, rel=0.02)


def test_of_a_very_wide_picture_a_part_is_looked_at() -> None:
    evidence = examine(encoded(np.tile(PHOTO[:512, :512], (1, 20, 1)), "PNG"))
    looked = dict(evidence.findings[0].facts)["looked_at_share"]
    assert isinstance(looked, float)
    assert looked < 0.8


@pytest.mark.parametrize("data", [encoded(PHOTO, "PNG"), encoded(PHOTO, quality=92)])
def test_what_was_not_resized_has_no_trace_of_it(data: bytes) -> None:
    evidence = examine(data)
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert dict(evidence.findings[0].facts)["factor"] is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encoded(PHOTO[:300, :300], "PNG"), "512 on each side"),
        (encoded(PHOTO, quality=60), "compressed too hard"),
        (encoded(np.full((600, 600, 3), 128, np.uint8), "PNG"), "too flat"),
    ],
)
def test_what_cannot_be_looked_at_is_an_abstention_with_its_reason(data: bytes, why: str) -> None:
    evidence = examine(data)
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert why in evidence.reason
