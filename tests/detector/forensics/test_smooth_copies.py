"""Copies of smooth places, told by grain that stands twice."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import NotApplicable
from detector.forensics.smooth_copies import examine_smooth_copies
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, decode, open_cv2

HEIGHT, WIDTH, SIDE = 300, 400, 96
HERE, THERE = (100, 90), (210, 290)  # down and across, of the middles


def sky(seed: int = 5) -> Pixels:
    """Brightness that falls slowly, and grain."""
    noise = np.random.default_rng(seed).normal(0, 4, (HEIGHT, WIDTH, 1))
    grain = open_cv2().GaussianBlur(noise, (0, 0), 1.0)[:, :, None]
    levels = np.linspace(90, 170, HEIGHT)[:, None, None] + 2 * grain + np.array([-10, 0, 25])
    return np.clip(levels.round(), 0, 255).astype(np.uint8)


def copied(pixels: Pixels) -> Pixels:
    """A round place put elsewhere, as bright as what was there."""
    down, across = THERE[0] - HERE[0], THERE[1] - HERE[1]
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    place = ((y - THERE[0]) ** 2 + (x - THERE[1]) ** 2 < (SIDE / 2) ** 2)[:, :, None]
    return np.where(place, np.roll(pixels, (down, across), (0, 1)), pixels)


@pytest.mark.parametrize("quality", [None, 95, 80])
def test_a_copy_of_a_smooth_place_is_found_with_both_places(quality: int | None) -> None:
    pixels = copied(sky())
    if quality is not None:
        pixels = through(pixels, Encoding(media_type="image/jpeg", quality=quality))
    (place,) = examine_smooth_copies(pixels).copied
    assert (place.down, place.across) == (THERE[0] - HERE[0], THERE[1] - HERE[1])
    assert place.middle == pytest.approx((HERE[1], HERE[0]), abs=8)
    assert place.mask[HERE]
    assert place.mask[THERE]
    assert not place.mask[30, 30]


def test_the_same_sky_with_grain_of_its_own_everywhere_is_no_copy() -> None:
    assert examine_smooth_copies(sky()).copied == ()
    assert examine_smooth_copies(decode(reference_photo(), MEDIA_TYPE)).copied == ()


def test_a_soft_line_that_lies_upon_itself_wherever_it_is_moved_along_is_no_copy() -> None:
    pixels = sky().astype(np.float32)
    pixels += 8 * np.exp(-(((np.arange(WIDTH) - 200) / 4.0) ** 2))[None, :, None]
    assert examine_smooth_copies(np.clip(pixels, 0, 255).astype(np.uint8)).copied == ()


def test_a_pattern_that_repeats_many_times_is_no_copy() -> None:
    tile = sky()[:100, :100]
    assert examine_smooth_copies(np.tile(tile - tile.mean(axis=1, keepdims=True).astype(np.uint8) + 120,
                                         (3, 4, 1))).copied == ()  # fmt: skip


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (sky()[:100], "128 pixels"),
        (np.full((300, 300, 3), 90, np.uint8), "100% of the picture has no grain"),
        (np.random.default_rng(1).integers(0, 255, (200, 200, 3)).astype(np.uint8), "0% of the picture"),
    ],
)
def test_small_flat_and_rough_pictures_abstain(pixels: Pixels, why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        examine_smooth_copies(pixels)
