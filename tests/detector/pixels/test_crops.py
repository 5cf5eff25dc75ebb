"""The inside of a picture is found again wherever a crop left it, and in no other picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from detector.pixels.crops import SIDE, Small, grid, grid_hashes, inner_hash, nearest, opened, small_of


def scene(seed: int) -> np.ndarray:
    blocks = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32), dtype=np.uint8))
    return np.asarray(blocks.resize((640, 480), Image.Resampling.BICUBIC)).astype(np.float32)


SCENE = scene(4)


def found(signed: Small, seen: Small) -> int:
    inner = inner_hash(signed)
    assert inner is not None
    apart = np.bitwise_count(grid_hashes(seen) ^ np.frombuffer(inner, np.uint8)).sum(axis=1)
    return nearest(seen, inner, int(apart.argmin()))


def small(grey: np.ndarray) -> Small:
    return opened(small_of(grey))


@pytest.mark.parametrize(
    "cut", [(0, 0, 0, 0), (0.1, 0, 0, 0), (0.03, 0.09, 0.1, 0), (0.1, 0.1, 0.1, 0.1)], ids=str
)
def test_up_to_a_tenth_may_be_cut_from_every_side(cut: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = cut
    height, width = SCENE.shape
    rows = slice(round(top * height), round((1 - bottom) * height))
    columns = slice(round(left * width), round((1 - right) * width))
    assert found(small(SCENE), small(SCENE[rows, columns])) <= 12


def test_another_picture_stays_far_whatever_place_is_tried() -> None:
    assert found(small(SCENE), small(scene(9))) > 40


def test_a_picture_that_is_flat_inside_has_no_hash_of_it() -> None:
    framed = np.full_like(SCENE, 250.0)
    framed[:30], framed[:, :40] = SCENE[:30], SCENE[:, :40]
    assert inner_hash(small(framed)) is None


def test_hashes_have_a_row_for_every_place_and_a_wrong_size_is_refused() -> None:
    assert grid_hashes(small(SCENE)).shape == (len(grid()) ** 2, 32)
    assert all(0 < a < 0.125 and 0.875 < b < 1 for a, b in grid())
    with pytest.raises(ValueError):
        opened(bytes(SIDE))
