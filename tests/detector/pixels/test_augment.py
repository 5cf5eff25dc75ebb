from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.pixels.augment import Encoding, codec_match, draw_codec, encode, resize, through
from detector.pixels.jpeg import parse_jpeg
from tests.detector.made import photo_like

PHOTO = photo_like(96, 128)


def test_both_members_of_a_pair_pass_the_very_same_draw():
    draw = draw_codec(np.random.default_rng(5))
    assert np.array_equal(codec_match(PHOTO, draw), codec_match(PHOTO.copy(), draw))


def test_draws_repeat_with_their_seed_and_differ_between_seeds():
    assert draw_codec(np.random.default_rng(1)) == draw_codec(np.random.default_rng(1))
    assert len({draw_codec(np.random.default_rng(s)) for s in range(20)}) == 20


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_draw_leaves_a_colour_picture_of_the_drawn_size(seed):
    draw = draw_codec(np.random.default_rng(seed))
    out = codec_match(PHOTO, draw)
    assert out.dtype == np.uint8
    assert out.shape == (round(96 * draw.scale), round(128 * draw.scale), 3)


def test_draws_cover_both_encoders_both_chroma_samplings_and_lossless_ends():
    last = [draw_codec(np.random.default_rng(s)).last for s in range(300)]
    kinds = {(e.media_type, e.full_chroma) for e in last if e}
    assert kinds == {("image/jpeg", True), ("image/jpeg", False), ("image/webp", False)}
    assert any(e is None for e in last)


@pytest.mark.parametrize(("full_chroma", "expected"), [(True, "4:4:4"), (False, "4:2:0")])
def test_the_chroma_sampling_of_the_encoder_is_the_drawn_one(full_chroma, expected):
    data = encode(PHOTO, Encoding(media_type="image/jpeg", quality=80, full_chroma=full_chroma))
    assert parse_jpeg(data).subsampling == expected


def test_a_lower_quality_changes_more():
    def distance(quality):
        out = through(PHOTO, Encoding(media_type="image/jpeg", quality=quality))
        return np.abs(out.astype(int) - PHOTO).mean()

    assert distance(50) > distance(80) > distance(97)


def test_an_unscaled_picture_is_untouched_by_resizing():
    assert resize(PHOTO, 1.0, "area") is PHOTO
