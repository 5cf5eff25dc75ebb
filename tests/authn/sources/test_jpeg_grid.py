from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from authn.core.media import media_of
from authn.sources.jpeg_grid import JpegGridSource
from detector.pixels.decode import Pixels
from tests.authn.sources.drawn import low_within, nowhere_below
from tests.detector.made import encoded, photo_like

HEIGHT, WIDTH, SIDE, TOP, LEFT = 384, 512, 192, 100, 204
PHOTO = photo_like(HEIGHT + 8, WIDTH + 8, seed=3)


def saved(pixels: Pixels, quality: int) -> Pixels:
    with Image.open(io.BytesIO(encoded(pixels, quality=quality))) as image:
        return np.array(image)


CROPPED = saved(PHOTO, 80)[3:-5, 6:-2]
PASTED = saved(PHOTO, 80)[:HEIGHT, :WIDTH]
PASTED[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = saved(photo_like(SIDE, SIDE, seed=8), 75)


def examine(data: bytes, name: str = "a.png") -> HeuristicEvidence:
    (evidence,) = JpegGridSource().examine(media_of(data, name))
    assert evidence.llr is None
    return evidence


def facts(evidence: HeuristicEvidence) -> dict[str, object]:
    return dict(evidence.findings[0].facts)


def test_a_picture_that_never_was_a_jpeg_says_nothing() -> None:
    evidence = examine(encoded(PHOTO, "PNG"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert facts(evidence)["offset_down"] is None


def test_a_jpeg_compressed_once_has_no_squares_of_an_earlier_one() -> None:
    evidence = examine(encoded(PHOTO, quality=90), "a.jpg")
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "no squares of an earlier JPEG" in evidence.reason


@pytest.mark.parametrize("data", [encoded(CROPPED, "PNG"), encoded(CROPPED, quality=97)])
def test_a_jpeg_that_was_cropped_and_saved_again_is_said_to_be_and_is_innocent(data: bytes) -> None:
    evidence = examine(data)
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "common and innocent" in evidence.reason
    assert (facts(evidence)["offset_down"], facts(evidence)["offset_across"]) == (5, 2)


def test_a_jpeg_that_was_stored_in_another_format_is_said_to_be_and_is_innocent() -> None:
    evidence = examine(encoded(saved(PHOTO, 85), "PNG"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert (facts(evidence)["offset_down"], facts(evidence)["offset_across"]) == (0, 0)


@pytest.mark.parametrize("data", [encoded(PASTED, "PNG"), encoded(PASTED, quality=97)])
def test_what_came_out_of_another_jpeg_is_pointed_to_where_it_lies(data: bytes) -> None:
    media, source = media_of(data, "a"), JpegGridSource()
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    assert (facts(found[0])["place_offset_down"], facts(found[0])["place_offset_across"]) == (4, 4)
    (drawn,) = source.overlays(media, found)
    assert low_within(drawn.own, 2, (LEFT, TOP, LEFT + SIDE, TOP + SIDE), margin=64)
    assert nowhere_below(drawn.reference, 8)


def test_squares_in_a_place_alone_point_to_it_where_the_rest_is_as_smooth() -> None:
    picture = PHOTO[:HEIGHT, :WIDTH].copy()
    picture[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = saved(photo_like(SIDE, SIDE, seed=8), 97)
    evidence = examine(encoded(picture, "PNG"))
    assert evidence.outcome is HeuristicOutcome.SUPPORTS
    assert facts(evidence)["in_part"] is True


def test_squares_one_pixel_beside_those_of_the_rest_accuse_nobody() -> None:
    once = saved(PHOTO, 75)
    once[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = once[TOP : TOP + SIDE, LEFT - 1 : LEFT + SIDE - 1]
    evidence = examine(encoded(once, "PNG"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "one pixel beside those of the rest" in evidence.reason


def test_squares_that_a_lossy_webp_has_itself_are_no_earlier_jpegs() -> None:
    evidence = examine(encoded(PHOTO, "WEBP", quality=80), "a.webp")
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert facts(evidence)["place_offset_down"] is None


def test_of_a_picture_beyond_the_bound_the_part_below_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("detector.forensics.jpeg_grid.MAX_SQUARES", 24 * WIDTH // 8)  # 192 of 384 pixels
    evidence = examine(encoded(PASTED, "PNG"))
    assert facts(evidence)["looked_at_share"] == 0.5
    assert "in the upper 50% of the picture" in evidence.findings[0].detail


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encoded(PHOTO[:100, :100], "PNG"), "128 on each side"),
        (encoded(np.zeros((128, 20_000, 3), np.uint8), "PNG"), "too flat"),
        (encoded(np.zeros((130, 150_000, 3), np.uint8), "PNG"), "too wide"),
        (encoded(np.full((400, 400, 3), 255, np.uint8), "PNG"), "too flat"),
        (encoded(np.full((400, 400, 3), 128, np.uint8)), "too flat"),
        (
            encoded(np.tile(np.arange(400, dtype=np.uint8)[None, :, None] // 2, (400, 1, 3)), "PNG"),
            "too flat",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_an_abstention_with_its_reason(data: bytes, why: str) -> None:
    evidence = examine(data, "a")
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert why in evidence.reason


def test_cmyk_and_transparency_are_abstentions() -> None:
    out = io.BytesIO()
    Image.fromarray(PHOTO).convert("CMYK").save(out, "JPEG")
    clear = np.dstack([PHOTO, np.zeros(PHOTO.shape[:2], np.uint8)])
    for data in (out.getvalue(), encoded(clear, "PNG")):
        assert examine(data, "a").outcome is HeuristicOutcome.ABSTAIN


def test_grey_and_sixteen_bit_pictures_give_numbers_and_no_accusation() -> None:
    out = io.BytesIO()
    Image.fromarray(PHOTO[:, :, 0].astype(np.uint16) * 257).save(out, "PNG")
    grey = np.repeat(PHOTO[:, :, :1], 3, axis=2)
    for data in (out.getvalue(), encoded(grey, quality=90)):
        evidence = examine(data, "a")
        assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
        assert evidence.raw is not None
        assert np.isfinite(evidence.raw)


def test_pixels_that_were_enlarged_six_times_accuse_nobody_and_are_called_no_jpeg() -> None:
    rng = np.random.default_rng(2)
    enlarged = np.kron(rng.integers(0, 255, (80, 106, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    (evidence,) = JpegGridSource().examine(media_of(encoded(enlarged, "PNG"), "a.png"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "squares as of a JPEG" in evidence.reason
    assert "was a JPEG" not in evidence.reason
