from __future__ import annotations

import numpy as np
import pytest

from authn.core.contradiction_codes import ContradictionCode, could_show
from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from authn.core.media import media_of
from authn.sources.colour_filter import ColourFilterSource
from detector.pixels.augment import resize
from detector.pixels.decode import Pixels, open_cv2
from tests.authn.sources.drawn import low_within, nowhere_below
from tests.detector.made import encoded, photo_like

HEIGHT, WIDTH, SIDE, TOP, LEFT = 480, 640, 192, 32, 400


def interpolated(pixels: Pixels, down: int = 0) -> Pixels:
    """As a camera does it: one colour at each pixel is kept, the others are made up."""
    cv2 = open_cv2()
    kept = pixels[:, :, 1].copy()
    kept[down::2, ::2], kept[1 - down :: 2, 1::2] = pixels[down::2, ::2, 0], pixels[1 - down :: 2, 1::2, 2]
    return np.asarray(cv2.cvtColor(kept, cv2.COLOR_BayerGBRG2RGB if down else cv2.COLOR_BayerRGGB2RGB))


PHOTO = interpolated(photo_like(HEIGHT, WIDTH, seed=3))
PASTED, MOVED = PHOTO.copy(), PHOTO.copy()
PLACE = np.s_[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
PASTED[PLACE] = interpolated(photo_like(HEIGHT, WIDTH, seed=4), down=1)[PLACE]
MOVED[PLACE] = PHOTO[20 : 20 + SIDE, 31 : 31 + SIDE]


def examine(data: bytes, name: str = "a.png") -> HeuristicEvidence:
    (evidence,) = ColourFilterSource().examine(media_of(data, name))
    assert evidence.llr is None
    return evidence


def test_a_photo_as_its_sensor_saw_it_points_to_nothing() -> None:
    evidence = examine(encoded(PHOTO, "PNG"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "no place has them the other way round" in evidence.reason
    assert dict(evidence.findings[0].facts)["green_at_corner"] is False


@pytest.mark.parametrize("pixels", [PASTED, MOVED])
@pytest.mark.parametrize("saved", [{"kind": "PNG"}, {"quality": 98}])
def test_a_place_with_green_at_the_other_pixels_is_pointed_to_where_it_lies(
    pixels: Pixels, saved: dict[str, object]
) -> None:
    media, source = media_of(encoded(pixels, **saved), "a"), ColourFilterSource()  # type: ignore[arg-type]
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    (drawn,) = source.overlays(media, found)
    assert low_within(drawn.own, 3, (LEFT, TOP, LEFT + SIDE, TOP + SIDE), margin=48)
    assert nowhere_below(drawn.reference, 5)


def test_beside_a_claim_of_no_edits_it_is_the_contradiction_of_pixels() -> None:
    found = examine(encoded(MOVED, "PNG"))
    assert could_show(found, ContradictionCode.UNEDITED_BUT_DIFFERENT)
    assert not could_show(found, ContradictionCode.UNEDITED_BUT_COPIED)


def test_places_across_the_middle_that_moved_alike_may_be_a_corrected_lens_and_nothing_follows() -> None:
    alike, other = PHOTO.copy(), interpolated(photo_like(HEIGHT, WIDTH, seed=4), down=1)
    for place in (np.s_[32:160, 32:160], np.s_[32:160, 480:608]):
        alike[place] = other[place]
    evidence = examine(encoded(alike, "PNG"))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "correcting a lens moves them alike" in evidence.reason


def test_a_place_moved_by_an_even_number_of_pixels_goes_with_the_rest() -> None:
    even = PHOTO.copy()
    even[PLACE] = PHOTO[20 : 20 + SIDE, 30 : 30 + SIDE]
    assert examine(encoded(even, "PNG")).outcome is HeuristicOutcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("data", "why", "applicable"),
    [
        (encoded(PHOTO[:96, :96], "PNG"), "fewer than 150 blocks of 16 x 16", False),
        (encoded(np.full((400, 400, 3), 255, np.uint8), "PNG"), "have detail or noise", False),
        (encoded(np.full((400, 400, 3), 90, np.uint8), "PNG"), "have detail or noise", False),
        (encoded(photo_like(HEIGHT, WIDTH), "PNG"), "no traces of a sensor's colour filter", True),
        (encoded(resize(PASTED, 0.75, "area"), "PNG"), "no traces of a sensor's colour filter", True),
        (encoded(PASTED, quality=60), "no traces of a sensor's colour filter", True),
    ],
)
def test_what_has_no_traces_is_an_abstention_with_its_reason(data: bytes, why: str, applicable: bool) -> None:
    evidence = examine(data, "a")
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, applicable)
    assert why in evidence.reason


def test_of_a_picture_beyond_the_bound_the_part_below_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("detector.forensics.colour_filter.MAX_SQUARES", 30 * WIDTH // 8)  # 240 of 480 pixels
    evidence = examine(encoded(MOVED, "PNG"))
    assert dict(evidence.findings[0].facts)["looked_at_share"] == 0.5
    assert "in the upper 50% of the picture" in evidence.findings[0].detail
