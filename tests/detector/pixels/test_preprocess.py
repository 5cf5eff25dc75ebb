from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.errors import NotApplicable
from detector.pixels.preprocess import CROP_SIDE, MAX_CROPS, MIN_SIDE, crops_of, texture_of
from tests.detector.made import photo_like


@settings(max_examples=25, deadline=None)
@given(st.integers(MIN_SIDE, 900), st.integers(MIN_SIDE, 900))
def test_crops_are_native_squares_no_larger_than_the_picture(height, width):
    picture = photo_like(height, width)
    crops = crops_of(picture)
    side = min(height, width, CROP_SIDE)
    assert crops.shape[1:] == (side, side, 3)
    assert 1 <= len(crops) <= MAX_CROPS


def test_a_crop_is_cut_out_and_never_resized():
    picture = photo_like(CROP_SIDE, CROP_SIDE)
    (crop,) = crops_of(picture)
    assert np.array_equal(crop, picture)


@pytest.mark.parametrize("shape", [(MIN_SIDE - 1, 500), (500, MIN_SIDE - 1), (1, 1)])
def test_a_picture_below_the_smallest_side_is_not_applicable(shape):
    with pytest.raises(NotApplicable, match="must have 128"):
        crops_of(photo_like(*shape))


def test_a_flat_picture_is_not_applicable():
    with pytest.raises(NotApplicable, match="flat"):
        crops_of(np.full((300, 300, 3), 127, np.uint8))


def test_a_monochrome_picture_is_not_applicable():
    grey = photo_like(300, 300)[:, :, :1].repeat(3, axis=2)
    with pytest.raises(NotApplicable, match="monochrome"):
        crops_of(grey)


def test_flat_parts_of_a_picture_are_passed_over():
    picture = np.full((CROP_SIDE, 4 * CROP_SIDE, 3), 200, np.uint8)
    picture[:, :CROP_SIDE] = photo_like(CROP_SIDE, CROP_SIDE)
    crops = crops_of(picture)
    assert len(crops) == 1
    assert np.array_equal(crops[0], picture[:, :CROP_SIDE])


def test_rich_and_poor_texture_are_both_looked_at():
    picture = photo_like(CROP_SIDE, 8 * CROP_SIDE)
    for k in range(8):
        part = slice(k * CROP_SIDE, (k + 1) * CROP_SIDE)
        picture[:, part] = picture[:, part] // (k + 1)
    seen = sorted(texture_of(c) for c in crops_of(picture))
    everything = sorted(texture_of(picture[:, k * 256 : (k + 1) * 256]) for k in range(8))
    assert (seen[0], seen[-1]) == (everything[0], everything[-1])


def test_a_very_large_picture_costs_no_more_crops():
    assert len(crops_of(np.tile(photo_like(512, 512), (8, 8, 1)))) == MAX_CROPS
