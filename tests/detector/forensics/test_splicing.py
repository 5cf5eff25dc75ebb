"""Which windows of a picture differ from its median, by the head that ships."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.forensics.splicing import (
    LEAST_SIDE,
    MOST_WINDOWS,
    STEP,
    WINDOW,
    differing,
    shipped_head,
    splicing_head,
    step_of,
    strongest,
)  # fmt: skip
from detector.forensics.views import view
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, decode, open_cv2
from tests.detector.made import photo_like

PLACE = slice(192, 432), slice(240, 480)


def enlarged() -> Pixels:
    """The photo that ships, one place of it reduced and enlarged, and saved once more."""
    cv2, changed = open_cv2(), decode(reference_photo(), MEDIA_TYPE).copy()
    place = changed[PLACE]
    small = cv2.resize(place, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    changed[PLACE] = cv2.resize(small, place.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return through(changed, Encoding(media_type="image/jpeg", quality=95))


def test_a_place_that_was_enlarged_differs_more_than_the_rest_and_is_redder_in_the_view() -> None:
    changed = enlarged()
    grid, step = differing(changed), step_of(*changed.shape[:2])
    y, x = (np.arange(n) * step + WINDOW / 2 for n in grid.shape)
    inside = ((y > PLACE[0].start) & (y < PLACE[0].stop))[:, None] & (
        (x > PLACE[1].start) & (x < PLACE[1].stop)
    )
    assert np.nanmedian(grid[inside]) > np.nanmedian(grid[~inside]) + 0.3
    assert np.nanmax(grid) >= strongest(grid)
    drawn = view("differs", changed).astype(int)
    red = drawn[:, :, 0] - drawn[:, :, 1]
    scale = drawn.shape[0] / changed.shape[0]
    top, bottom, left, right = (round(v * scale) for s in PLACE for v in (s.start, s.stop))
    assert red[top:bottom, left:right].mean() > red.mean()


def test_windows_of_a_large_picture_are_as_many_as_of_a_small_one_and_lie_inside() -> None:
    for height, width in ((LEAST_SIDE, LEAST_SIDE), (900, 1200), (6000, 8000)):
        step = step_of(height, width)
        rows, columns = ((side - WINDOW) // step + 1 for side in (height, width))
        assert rows * columns <= MOST_WINDOWS
        assert step >= STEP


@pytest.mark.parametrize(
    ("pixels", "why"),
    [(photo_like(200, 900), "places are compared"), (np.full((500, 500, 3), 90, np.uint8), "0 windows")],
    ids=["small", "flat"],
)
def test_small_and_smooth_pictures_are_not_asked(pixels: Pixels, why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        differing(pixels)


def test_a_head_that_is_none_is_refused() -> None:
    from safetensors.numpy import save

    head, _ = shipped_head()
    tensors = head.tensors()
    assert splicing_head(save(tensors)).backbone == head.backbone
    for broken in (b"no", save({k: v for k, v in tensors.items() if k != "mean"}),
                   save(tensors | {"scale": tensors["scale"][:-1]})):  # fmt: skip
        with pytest.raises(ModelUnavailable):
            splicing_head(broken)
