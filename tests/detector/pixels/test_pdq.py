"""PDQ as others compute it, its eight turns, and pictures that it says nothing about."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from detector.core.errors import NotApplicable
from detector.pixels.pdq import Turn, grey_of, pdq_hash
from detector.pixels.within import pictures_within
from tests.doubles.photos import photo

# What the package pdqhash 0.2.8, which wraps the code of PDQ's authors, says of ``scene``.
REFERENCE = {
    (300, 400, 1): "2d2ab49f2d3ab49f0d3fa49f053f15ea6dc0b740ac55b940e2808a6a3a8a5b7f",
    (64, 64, 2): "696aa5bf696a25bf496a25bf456ab5c0eb00ae40e815a240428a1aea7ebfdb57",
    (511, 200, 3): "0a40696a5a40696a5a40696afbc0eb95aa15689550aa46aa1fbf36dff5ff9695",
}


def scene(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = sum(np.sin(x * (3 + k) / width * 7 + y * (5 - k) / height * 6 + seed + k) for k in range(5))
    g = 128 + 20 * waves
    return np.clip(np.stack([g, g * 0.8 + y / height * 40, 255 - g], -1), 0, 255).astype(np.uint8)


def apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


@pytest.mark.parametrize("size", REFERENCE)
def test_a_hash_is_the_one_that_the_authors_code_computes(size: tuple[int, int, int]) -> None:
    found = pdq_hash(grey_of(scene(*size)))
    # A coefficient at the median may fall to either side by the last bit of a float.
    assert apart(found.value, bytes.fromhex(REFERENCE[size])) <= 2
    assert found.quality == 100


TURNED = {
    Turn.MIRRORED: lambda p: p[:, ::-1],
    Turn.FLIPPED: lambda p: p[::-1],
    Turn.ROTATED_180: lambda p: p[::-1, ::-1],
    Turn.TRANSPOSED: lambda p: p.swapaxes(0, 1),
    Turn.ROTATED_90: lambda p: np.rot90(p, -1),
    Turn.ROTATED_270: lambda p: np.rot90(p, 1),
    Turn.TRANSVERSED: lambda p: np.rot90(p, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("turn", TURNED)
def test_each_turn_has_the_hash_of_the_picture_turned_like_that(turn: Turn) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(photo("PNG", 211, 150, 3))))
    turned = pdq_hash(grey_of(TURNED[turn](pixels))).value
    assert apart(pdq_hash(grey_of(pixels)).turned[list(Turn).index(turn)], turned) <= 2


def test_a_flat_picture_has_no_quality_and_a_tiny_one_no_hash() -> None:
    assert pdq_hash(grey_of(np.full((80, 80, 3), 90, np.uint8))).quality == 0
    with pytest.raises(NotApplicable, match="15 x 80 pixels are too few"):
        pdq_hash(grey_of(np.zeros((80, 15, 3), np.uint8)))


@pytest.mark.parametrize("ground", [255, 20])
def test_a_picture_on_a_flat_page_is_found_within_it(ground: int) -> None:
    photo, page = scene(240, 320, 4), np.full((600, 900, 3), ground, np.uint8)
    page[20:30, 40:400] = 128  # a line of text
    page[200:440, 300:620] = photo
    (found,) = pictures_within(page)
    assert apart(pdq_hash(grey_of(found)).value, pdq_hash(grey_of(photo)).value) <= 8


def test_a_picture_without_a_flat_ground_has_none_within_it() -> None:
    assert pictures_within(np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)) == ()
