from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from authn.core.media import media_of
from authn.sources.jpeg_ghosts import JpegGhostsSource
from detector.pixels.decode import Pixels
from tests.authn.sources.drawn import low_within, nowhere_below
from tests.detector.made import encoded, photo_like

HEIGHT, WIDTH, SIDE, TOP, LEFT = 400, 560, 200, 120, 240
PHOTO = photo_like(HEIGHT, WIDTH, seed=3)


def saved(pixels: Pixels, quality: int) -> Pixels:
    with Image.open(io.BytesIO(encoded(pixels, quality=quality))) as image:
        return np.array(image)


PUT_BACK = PHOTO.copy()
PUT_BACK[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = saved(PHOTO, 70)[TOP : TOP + SIDE, LEFT : LEFT + SIDE]


def examine(data: bytes, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = JpegGhostsSource().examine(media_of(data, name))
    assert evidence.llr is None
    return evidence


@pytest.mark.parametrize("pixels", [PHOTO, saved(PHOTO, 70)])
def test_pictures_compressed_once_or_twice_have_no_ghost(pixels: Pixels) -> None:
    assert examine(encoded(pixels, quality=92)).outcome is HeuristicOutcome.INCONCLUSIVE


def test_what_was_saved_apart_and_put_back_is_pointed_to_where_it_lies() -> None:
    media, source = media_of(encoded(PUT_BACK, quality=92), "a.jpg"), JpegGhostsSource()
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    assert dict(found[0].findings[0].facts)["quality"] == 70
    (drawn,) = source.overlays(media, found)
    assert low_within(drawn.own, 3, (LEFT, TOP, LEFT + SIDE, TOP + SIDE), margin=48)
    assert nowhere_below(drawn.reference, 5)


def test_of_a_picture_beyond_the_bound_the_part_below_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("detector.forensics.jpeg_ghosts.MAX_SQUARES", 30 * WIDTH // 8)  # 240 of 400 pixels
    evidence = examine(encoded(PUT_BACK, quality=92))
    assert dict(evidence.findings[0].facts)["looked_at_share"] == 0.6
    assert "in the upper 60% of the picture" in evidence.findings[0].detail


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encoded(PHOTO[:64, :64]), "too small"),
        (encoded(np.full((400, 400, 3), 255, np.uint8)), "too small, too smooth"),
        (encoded(np.full((400, 400, 3), 128, np.uint8)), "too small, too smooth"),
        (encoded(PHOTO, quality=20), "too coarsely compressed"),
        (encoded(PHOTO, "PNG"), "image/png"),
    ],
)
def test_what_cannot_be_looked_at_is_an_abstention_with_its_reason(data: bytes, why: str) -> None:
    evidence = examine(data, "a")
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert why in evidence.reason


def test_a_grey_picture_gives_numbers_and_no_accusation() -> None:
    evidence = examine(encoded(np.repeat(PHOTO[:, :, :1], 3, axis=2), quality=90))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert evidence.raw is not None
    assert np.isfinite(evidence.raw)
