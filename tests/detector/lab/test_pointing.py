"""A map is believed where the score follows it, and found out where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import CalibrationError
from detector.lab.steps.pointing import Followed, blur_of, followed, pointing, with_squares
from detector.models.places import parts_map
from detector.models.score_map import ScoreMap
from detector.pixels.decode import Pixels
from tests.detector.made import photo_like

SIDE, CELLS = 112, 14


def toy_logits(pixels: Pixels) -> np.ndarray:
    """A detector of roughness: of each cell how far neighbours differ, minus a constant."""
    steps = np.abs(np.diff(pixels[:, :, 1].astype(float), axis=1, append=pixels[:, -1:, 1])) / 4
    cell = SIDE // CELLS
    return steps.reshape(CELLS, cell, CELLS, cell).mean((1, 3)) - 1.0


def toy_map(pixels: Pixels, logits: np.ndarray | None = None) -> ScoreMap:
    return parts_map(toy_logits(pixels) if logits is None else logits, *pixels.shape[:2], 0.5)


def toy_score(pixels: Pixels) -> float:
    return float(toy_logits(pixels).mean())


@pytest.fixture(scope="module")
def picture() -> Pixels:
    """Smooth, with noise in the upper left quarter, which alone makes the score."""
    pixels = np.full((SIDE, SIDE, 3), 120, np.uint8)
    pixels[:56, :56] = photo_like(56, 56, seed=3)
    return pixels


def test_a_score_that_was_taken_apart_is_the_mean_of_its_parts(picture: Pixels) -> None:
    found = toy_map(picture)
    assert found.parts
    assert np.mean([s.logit for s in found.squares]) == pytest.approx(toy_score(picture))
    (window,) = found.windows
    assert window.logit == pytest.approx(toy_score(picture))


@pytest.mark.parametrize(("height", "width"), [(112, 112), (131, 400), (1000, 333), (14, 20)])
def test_parts_fill_the_middle_square_and_never_leave_the_picture(height: int, width: int) -> None:
    found = parts_map(np.zeros((CELLS, CELLS)), height, width, 0.5)
    (window,) = found.windows
    assert window.side == min(height, width)
    assert abs(2 * window.x + window.side - width) <= 1
    assert abs(2 * window.y + window.side - height) <= 1
    assert len({(s.x, s.y) for s in found.squares}) == CELLS**2
    assert min(s.x for s in found.squares) == window.x
    assert all(s.x + s.side <= window.x + window.side for s in found.squares)
    assert all(s.y + s.side <= window.y + window.side for s in found.squares)


def test_the_score_follows_a_map_that_is_right_and_flees_one_that_is_upside_down(picture: Pixels) -> None:
    right = followed(toy_score, picture, toy_map(picture).squares, seed=1)
    assert right.deletion > 0.1
    assert right.insertion > 0.1
    assert right.fall == pytest.approx(toy_score(picture) - toy_score(blur_of(picture)))
    wrong = followed(toy_score, picture, toy_map(picture, -toy_logits(picture)).squares, seed=1)
    assert wrong.deletion < -0.05
    assert wrong.insertion < -0.05


def test_a_map_that_says_nothing_does_no_better_than_chance(picture: Pixels) -> None:
    flat = toy_map(picture, np.zeros((CELLS, CELLS))).squares
    found = pointing([followed(toy_score, picture, flat, seed=n) for n in range(40)])
    assert found.deletion.low < 0 < found.deletion.high
    assert found.insertion.low < 0 < found.insertion.high


def test_only_the_squares_are_changed(picture: Pixels) -> None:
    square = toy_map(picture).squares[17]
    changed = with_squares(picture, 255 - picture, [square])
    differs = (changed != picture).any(axis=2)
    assert differs[square.y : square.y + square.side, square.x : square.x + square.side].all()
    assert differs.sum() == square.side**2


def test_pictures_are_counted_and_none_is_an_error() -> None:
    found = pointing([Followed(deletion=d, insertion=-d, fall=1.0) for d in (1.0, 1.0, -1.0, 1.0)])
    assert (found.deletion.value, found.deletion.n, found.deleted, found.inserted) == (0.5, 4, 0.75, 0.25)
    with pytest.raises(CalibrationError):
        pointing([])
