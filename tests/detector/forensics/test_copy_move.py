"""Copies within a picture, told from repeats by their grain."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import NotApplicable
from detector.forensics.copy_move import examine_copy_move
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode, open_cv2
from tests.detector.made import photo_like, textured

PHOTO = decode(reference_photo(), MEDIA_TYPE)
SIDE = 96


SCENE = textured(np.random.default_rng(4), 360, 480)


def copied(pixels: Pixels, *, turned: float = 0.0, scaled: float = 1.0, over: bool = False) -> Pixels:
    """A round place around (110, 120) put around (340, 220), turned ``over`` or not."""
    cv2 = open_cv2()
    turn = cv2.getRotationMatrix2D((110, 120), turned, scaled)
    if over:
        turn = np.column_stack([turn[:, :2] * (-1, 1), turn[:, 2] + 2 * 110 * turn[:, 0]])
    turn[:, 2] += (230, 100)
    size = (pixels.shape[1], pixels.shape[0])
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.circle(mask, (110, 120), SIDE // 2, 255, -1)
    there = cv2.warpAffine(mask, turn, size) > 127
    return np.where(there[:, :, None], cv2.warpAffine(pixels, turn, size, flags=cv2.INTER_CUBIC), pixels)


def saved(pixels: Pixels, quality: int) -> Pixels:
    return through(pixels, Encoding(media_type="image/jpeg", quality=quality))


@pytest.mark.parametrize(
    ("turned", "scaled", "quality"), [(0, 1, 95), (0, 1, 70), (30, 1, 90), (0, 1.2, 90), (90, 0.85, 85)]
)
@pytest.mark.parametrize("over", [False, True])
def test_a_copy_is_found_where_it_lies_however_it_was_turned_scaled_and_saved(
    turned: float, scaled: float, quality: int, over: bool
) -> None:
    found = examine_copy_move(saved(copied(SCENE, turned=turned, scaled=scaled, over=over), quality))
    (place,) = found.copied
    assert place.mirrored is over
    ends = sorted([place.first.mean(axis=0), place.second.mean(axis=0)], key=lambda p: float(p[0]))
    assert np.abs(ends[0] - (110, 120)).max() < 25
    assert np.abs(ends[1] - (340, 220)).max() < 25
    wanted = scaled if place.first.mean(axis=0)[0] < place.second.mean(axis=0)[0] else 1 / scaled
    assert place.scale == pytest.approx(wanted, abs=0.03)
    assert place.mask[120, 110]
    assert place.mask[220, 340]
    assert not place.mask[300, 60]


def printed_twice(*, grain: bool) -> Pixels:
    """Four megapixels with a soft drawing in two places, each with ``grain`` of its own or the very same."""
    cv2, rng = open_cv2(), np.random.default_rng(7)

    def soft(height: int, width: int, deviation: float) -> np.ndarray:
        noise = rng.normal(size=(height, width)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), deviation)
        return noise / noise.std()

    def grained(levels: np.ndarray) -> np.ndarray:
        return levels + 7 * rng.normal(size=levels.shape)

    levels = 128 + 25 * soft(1800, 2400, 12)
    drawn = 128 + 45 * soft(400, 400, 5)
    if not grain:
        drawn = grained(drawn)
    picture = grained(levels)
    for y, x in ((200, 300), (1100, 1700)):
        picture[y : y + 400, x : x + 400] = grained(drawn) if grain else drawn
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def test_what_was_printed_twice_is_no_copy_however_large_the_photo_is_that_shows_both() -> None:
    found = examine_copy_move(printed_twice(grain=True))
    assert found.reduced < 0.6
    assert found.places, "both are seen to be alike"
    assert found.copied == ()


def test_a_copy_in_a_large_photo_is_told_by_the_grain_that_it_has_before_it_is_reduced() -> None:
    (place,) = examine_copy_move(saved(printed_twice(grain=False), 85)).copied
    assert place.grain > 0.82
    assert place.mask[round(400 * 0.527), round(500 * 0.527)]


def test_what_looks_alike_with_grain_of_its_own_is_no_copy() -> None:
    rng = np.random.default_rng(2)
    twins = copied(SCENE).astype(np.float64)
    grain = open_cv2().GaussianBlur(rng.normal(0, 1, twins.shape[:2]), (0, 0), 0.7)
    found = examine_copy_move(
        np.clip(twins + 18 * (grain / grain.std())[:, :, None], 0, 255).astype(np.uint8)
    )
    assert found.places
    assert not found.copied


def test_of_a_pattern_that_repeats_the_question_is_not_asked() -> None:
    brick = textured(np.random.default_rng(5), 60, 60)
    wall = np.tile(brick, (4, 5, 1)).astype(np.float64)
    wall += np.random.default_rng(6).normal(0, 6, wall.shape[:2])[:, :, None]
    with pytest.raises(NotApplicable, match="pattern that repeats"):
        examine_copy_move(np.clip(wall, 0, 255).astype(np.uint8))


def test_an_ordinary_photo_has_none() -> None:
    assert examine_copy_move(PHOTO).copied == ()


def test_a_large_picture_is_looked_at_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.forensics.copy_move.MAX_PIXELS", 360 * 480)
    found = examine_copy_move(copied(resize(SCENE, 1.25, "cubic")))
    assert found.reduced == pytest.approx(0.8, abs=0.01)
    assert (found.height, found.width) == (360, 480)


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (photo_like(90, 400), "128 pixels"),
        (np.full((300, 300, 3), 90, np.uint8), "flat"),
        (np.full((300, 300, 3), 255, np.uint8), "flat"),
        (np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (300, 1, 3)), "stand out"),
    ],
    ids=["small", "flat", "saturated", "a ramp"],
)
def test_where_places_cannot_be_told_apart_the_question_is_not_asked(pixels: Pixels, why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        examine_copy_move(pixels)


def test_noise_stripes_and_black_with_one_spot_give_no_accusation() -> None:
    rng = np.random.default_rng(0)
    loud = rng.integers(0, 2, (300, 400, 1), dtype=np.uint8).repeat(3, axis=2) * 255
    stripes = np.zeros((300, 400, 3), np.uint8)
    stripes[:, ::8] = 200
    for pixels in (loud, stripes):
        try:
            found = examine_copy_move(pixels)
        except NotApplicable:
            continue
        assert not found.copied
        assert all(np.isfinite([p.grain, p.alike, p.told]).all() for p in found.places)
