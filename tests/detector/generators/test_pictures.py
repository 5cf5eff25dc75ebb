"""Bytes go into networks and come out of them without a change of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.generators.pictures import as_bytes, as_floats, as_parts, parts_as_bytes

ALL = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)


@pytest.mark.parametrize(
    ("inside", "outside"), [(as_floats, as_bytes), (as_parts, parts_as_bytes)], ids=["-1..1", "0..1"]
)
def test_every_value_comes_back(inside, outside):
    x = inside(ALL)
    assert (x.shape, x.dtype) == ((1, 3, 16, 16), torch.float32)
    back = outside(x)
    assert (back == ALL).all()
    assert back.flags.c_contiguous


def test_black_and_white_are_the_ends_and_what_lies_beyond_them_is_cut_off():
    assert as_floats(ALL).aminmax() == (-1, 1)
    assert as_parts(ALL).aminmax() == (0, 1)
    beyond = torch.tensor([-7.0, 7.0]).view(1, 1, 1, 2)
    assert as_bytes(beyond).ravel().tolist() == parts_as_bytes(beyond).ravel().tolist() == [0, 255]


def test_a_value_between_two_levels_is_rounded_to_the_nearer_one():
    levels = torch.tensor([10.4, 10.6]).view(1, 1, 1, 2)
    assert as_bytes(levels / 127.5 - 1).ravel().tolist() == [10, 11]
    assert parts_as_bytes(levels / 255).ravel().tolist() == [10, 11]


def test_pictures_that_are_tensors_already_stay_where_they_are():
    assert as_floats(torch.empty(2, 4, 4, 3, dtype=torch.uint8, device="meta")).device.type == "meta"


def test_what_published_networks_are_given_lies_plane_after_plane() -> None:
    """Over pixels that lie side by side a convolution rounds otherwise; fakes would not be the same bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    assert as_parts(pixels).is_contiguous()
    assert (parts_as_bytes(as_parts(pixels)) == pixels).all()
