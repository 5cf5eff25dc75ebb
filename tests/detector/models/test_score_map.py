"""Places of a score: the windows are the score itself, squares cover the picture and are few."""

from __future__ import annotations

import io
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.data.corpus import load_index, pictures
from detector.models.inference import open_detector
from detector.models.places import MAX_SQUARES, SQUARE_SIDE, grid_of
from tests.detector.made import encoded, photo_like


@pytest.fixture(scope="module")
def detector():
    return open_detector()


def test_the_score_is_the_mean_over_the_windows(detector):
    data = encoded(photo_like(300, 600), "PNG")
    found = detector.score_map(data, "image/png")
    assert (found.width, found.height) == (600, 300)
    assert fmean(w.logit for w in found.windows) == pytest.approx(
        detector.score(data, "image/png").logit, abs=1e-4
    )
    assert found.supports_logit == detector.card.operating_point.supports_logit


def test_smooth_squares_are_counted_and_not_asked(detector):
    picture = photo_like(256, 400)
    picture[:128, :128] = 90
    found = detector.score_map(encoded(picture, "PNG"), "image/png")
    assert (len(found.squares), found.smooth) == (5, 1)
    assert (0, 0) not in {(s.x, s.y) for s in found.squares}


@pytest.mark.parametrize(
    ("height", "width"),
    [(256, 256), (300, 1000), (1024, 1024), (3000, 4000), (4000, 3000), (200, 40_000), (9000, 13_000)],
)
def test_squares_are_few_reach_every_edge_and_never_overlap(height, width):
    places = grid_of(height, width)
    assert len(places) <= MAX_SQUARES
    ys, xs = sorted({y for y, _ in places}), sorted({x for _, x in places})
    assert len(places) == len(ys) * len(xs)
    for line, length in ((ys, height), (xs, width)):
        assert line[0] + line[-1] + SQUARE_SIDE == pytest.approx(length, abs=1)
        assert all(b - a >= SQUARE_SIDE for a, b in pairwise(line))


@pytest.mark.parametrize(("height", "width"), [(255, 255), (128, 500), (200, 200)])
def test_a_picture_with_room_for_too_few_squares_has_no_places(detector, height, width):
    with pytest.raises(NotApplicable, match="too few to say where"):
        detector.score_map(encoded(photo_like(height, width)), "image/jpeg")


def test_a_picture_that_does_not_decode_has_no_places(detector):
    data = encoded(photo_like(300, 300))
    with pytest.raises(PixelsUnreadable):
        detector.score_map(data[: len(data) // 2], "image/jpeg")


def test_a_generated_part_of_a_photo_stands_out_where_it_was_put(detector, corpus_dir):
    """Both parts are cut from larger pictures and saved together, so that no encoder tells them apart."""
    items = {i.path: i for i in load_index(corpus_dir)}
    fake = pictures(corpus_dir, items["fakes_train/sd15_art_grid/Mary-Blair.webp"])[3]
    photo = pictures(corpus_dir, next(i for i in items.values() if i.set_name == "openimages"))[0]
    picture = np.ascontiguousarray(photo[:512, :1024])
    picture[:, 512:] = fake[:, : picture.shape[1] - 512]
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=95)
    squares = detector.score_map(out.getvalue(), "image/jpeg").squares
    put = [s.logit for s in squares if s.x >= 512]
    rest = [s.logit for s in squares if s.x + s.side <= 512]
    assert len(put) >= 8
    assert len(rest) >= 8
    assert np.median(put) > np.median(rest) + 1
