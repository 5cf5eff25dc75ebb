from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from authn.core.media import media_of
from authn.core.overlay import UNMEASURED
from authn.sources.double_jpeg import DoubleJpegSource
from detector.pixels.decode import Pixels
from tests.authn.sources.drawn import low_within, nowhere_below
from tests.detector.made import encoded, photo_like

HEIGHT, WIDTH, SIDE, TOP, LEFT = 400, 560, 200, 120, 240
PHOTO = photo_like(HEIGHT, WIDTH, seed=3)


def saved(pixels: Pixels, quality: int) -> Pixels:
    with Image.open(io.BytesIO(encoded(pixels, quality=quality))) as image:
        return np.array(image)


TWICE = saved(PHOTO, 70)
PASTED = TWICE.copy()
PASTED[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = photo_like(SIDE, SIDE, seed=8)


def examine(data: bytes, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = DoubleJpegSource().examine(media_of(data, name))
    assert evidence.llr is None
    return evidence


@pytest.mark.parametrize("quality", [75, 92])
def test_a_picture_compressed_once_says_nothing(quality: int) -> None:
    evidence = examine(encoded(PHOTO, quality=quality))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert dict(evidence.findings[0].facts)["twice"] is False


@pytest.mark.parametrize("quality", [85, 92])
def test_a_picture_that_was_saved_again_is_said_to_be_and_is_innocent(quality: int) -> None:
    evidence = examine(encoded(TWICE, quality=quality))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "common and innocent" in evidence.reason
    assert dict(evidence.findings[0].facts)["twice"] is True


def test_what_was_pasted_after_the_first_compression_is_pointed_to_where_it_lies() -> None:
    media, source = media_of(encoded(PASTED, quality=92), "a.jpg"), DoubleJpegSource()
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    (drawn,) = source.overlays(media, found)
    assert low_within(drawn.own, 2, (LEFT, TOP, LEFT + SIDE, TOP + SIDE), margin=48)
    assert nowhere_below(drawn.reference, 4)


def test_of_a_picture_beyond_the_bound_the_part_below_is_not_looked_at_and_not_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("detector.forensics.double_jpeg.MAX_SQUARES", 30 * WIDTH // 8)  # 240 of 400 pixels
    media, source = media_of(encoded(PASTED, quality=92), "a.jpg"), DoubleJpegSource()
    found = source.examine(media)
    assert dict(found[0].findings[0].facts)["looked_at_share"] == 0.6
    assert "in the upper 60% of the picture" in found[0].findings[0].detail
    (drawn,) = source.overlays(media, found)
    own = drawn.own
    below = 0.7 * own.rows
    assert {c for i, c in enumerate(own.cells) if i // own.columns >= below} == {UNMEASURED}
    assert UNMEASURED not in own.cells[: own.columns]


def test_the_same_file_gives_the_same_answer_again() -> None:
    data = encoded(PASTED, quality=92)
    assert examine(data) == examine(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encoded(PHOTO[:40, :40]), "fewer than"),
        (encoded(np.full((400, 400, 3), 255, np.uint8)), "fewer than"),
        (encoded(PHOTO, "PNG"), "image/png"),
    ],
)
def test_what_cannot_be_looked_at_is_an_abstention_with_its_reason(data: bytes, why: str) -> None:
    evidence = examine(data, "a")
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert why in evidence.reason


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((400, 400, 3), 128, np.uint8),
        np.repeat(photo_like(400, 400)[:, :, :1], 3, axis=2),
        np.tile(np.arange(400, dtype=np.uint8)[None, :, None] // 2, (400, 1, 3)),
    ],
)
def test_flat_grey_and_smooth_pictures_give_numbers_and_no_accusation(pixels: Pixels) -> None:
    evidence = examine(encoded(pixels, quality=90))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert np.isfinite(evidence.raw)


def test_where_the_first_compression_is_faint_nothing_is_pointed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authn.sources.double_jpeg.PLAIN", 1000.0)
    evidence = examine(encoded(PASTED, quality=92))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "few frequencies" in evidence.reason
