"""Views: what each makes visible, by a scale that no picture changes."""

from __future__ import annotations

import numpy as np
import pytest

from authn.core.views import NAMES
from detector.core.errors import DetectorError, NotApplicable
from detector.forensics.views import LEAST_SIDE, MAX_SIDE, VIEWS, view
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels
from tests.detector.made import photo_like

FLAT = np.full((64, 80, 3), 130, np.uint8)


def test_the_names_are_those_that_the_application_knows() -> None:
    assert tuple(VIEWS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_view_is_a_picture_of_bounded_size_of_any_pixels(name: str) -> None:
    rng = np.random.default_rng(0)
    loud = rng.integers(0, 2, (LEAST_SIDE, 3000, 3), dtype=np.uint8) * 255
    grey = np.repeat(photo_like(90, 70)[:, :, :1], 3, axis=2)
    for pixels in (FLAT, np.zeros_like(FLAT), np.full_like(FLAT, 255), grey, loud):
        drawn = view(name, pixels)
        assert drawn.dtype == np.uint8
        assert drawn.ndim == 3
        assert max(drawn.shape) <= MAX_SIDE


@pytest.mark.parametrize("name", ["ela", "noise", "gradient"])
def test_a_flat_picture_stays_dark_because_no_scale_is_fitted_to_it(name: str) -> None:
    assert view(name, FLAT).max() <= 40
    faint = FLAT.copy()
    faint[20:40, 20:40] += 1
    assert view(name, faint).max() <= 90


def test_the_error_level_of_a_pasted_part_of_another_quality_stands_out() -> None:
    whole = through(photo_like(512, 512), Encoding(media_type="image/jpeg", quality=60))
    whole[192:320, 192:320] = photo_like(512, 512, 3)[192:320, 192:320]
    level = view("ela", whole).mean(axis=2)
    inside = level[200:312, 200:312].mean()
    assert inside > 1.5 * level[:128].mean()


def test_noise_and_edges_are_bright_where_they_are() -> None:
    pixels = FLAT.copy()
    pixels[:, 40:] = 220
    assert view("gradient", pixels)[:, 38:42].max() > 100
    assert view("gradient", pixels)[:, :30].max() == 0
    pixels[10, 10] = 140
    assert view("noise", pixels)[10, 10, 0] == 250


def test_a_place_with_more_or_less_noise_than_its_like_is_lighter_or_darker() -> None:
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 3, (512, 512, 3))
    grain[96:224, 96:224] *= 4
    grain[288:416, 288:416] /= 4
    pixels = np.clip(128 + grain, 0, 255).astype(np.uint8)
    pixels[:32, :32] = 255
    drawn = view("noise_level", pixels)
    assert drawn.shape == pixels.shape
    assert drawn[112:208, 112:208].min() > 160
    assert drawn[304:400, 304:400].max() < 60
    assert 110 < np.median(drawn) < 146
    assert (drawn[8, 8] == (0, 0, 112)).all()


def test_light_that_rises_to_the_right_is_red_and_downwards_green() -> None:
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 2, 64, axis=0).repeat(3, axis=2)
    right, down = view("light", ramp)[32, 32], view("light", ramp.swapaxes(0, 1).copy())[32, 32]
    assert (right > [130, 127, 127]).all()
    assert right[0] == down[1]
    assert (right[1], right[2], down[0]) == (128, 128, 128)


def test_a_repeated_pattern_is_a_point_in_the_spectrum() -> None:
    x = np.arange(256)
    stripes = np.repeat((128 + 40 * np.sin(2 * np.pi * x / 8))[None, :], 256, axis=0)
    drawn = view("spectrum", np.repeat(stripes[:, :, None], 3, 2).astype(np.uint8))[:, :, 0]
    assert drawn[128, 128 + 32] > 220
    assert drawn[60, 60] < 60


def test_a_faint_pattern_in_noise_is_a_point_among_repeated_patterns_and_noise_is_dark() -> None:
    plain = photo_like(512, 512)
    y, x = np.mgrid[0:512, 0:512]
    faint = np.clip(plain + 3 * np.cos(2 * np.pi * (0.31 * x + 0.07 * y))[:, :, None], 0, 255).astype(
        np.uint8
    )
    at = (256 + round(0.07 * 512), 256 + round(0.31 * 512))
    assert view("moire", faint)[at][1] > 150
    assert view("moire", plain)[at].max() < 60
    assert (view("moire", plain) > 100).mean() < 0.01


def test_the_lowest_digit_is_the_last_plane() -> None:
    pixels: Pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 1
    planes = view("bits", pixels)
    assert planes.shape == (128, 256, 3)
    assert planes[64:, 224:].min() == 255
    assert planes[:64].max() == 0


def test_what_is_too_small_or_no_view_is_refused_with_a_reason() -> None:
    with pytest.raises(NotApplicable, match="15 x 16 pixels"):
        view("ela", np.zeros((16, 15, 3), np.uint8))
    with pytest.raises(NotApplicable, match="views are drawn of at most 50000000"):
        view("ela", np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (8000, 7000, 3)))
    with pytest.raises(DetectorError, match="no view has the name 'elan'"):
        view("elan", FLAT)
