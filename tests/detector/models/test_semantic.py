from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.models.card import open_card
from detector.models.kinds import Kind
from detector.models.registry import SEMANTIC_MODEL
from detector.models.score import Answer
from detector.models.semantic import (
    BLOCKS,
    FEATURES,
    WIDTH,
    OnnxEncoder,
    SemanticDetector,
    asking_for,
    embedding_of,
    open_encoder,
    open_semantic,
)
from detector.models.semantic_head import FARTHEST, KINDS, MAKINGS, Heads, heads_from
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.upright import turned_back, upright
from tests.detector.made import encoded, photo_like
from tests.programs import require_encoder


def test_a_file_that_is_not_the_encoder_is_refused(tmp_path):
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_encoder(tmp_path / "none.onnx")
    (tmp_path / "other.onnx").write_bytes(b"other")
    with pytest.raises(ModelUnavailable, match="not the image encoder"):
        open_encoder(tmp_path / "other.onnx")


class Fixed:
    """An encoder that sees nothing but the mean of red, in the first number of the first block's class
    token."""

    def tokens(self, pixels):
        if min(pixels.shape[:2]) < 128:
            raise NotApplicable("too small")
        out = np.zeros((BLOCKS, 5, WIDTH), np.float32)
        out[0, 0, 0] = pixels[..., 0].mean() / 255
        return out


def plain_heads(**values: np.ndarray) -> Heads:
    """Heads that weigh nothing but what is given."""
    base = {
        "mean": np.zeros(FEATURES, np.float32), "scale": np.ones(FEATURES, np.float32),
        "making": np.zeros((len(MAKINGS), FEATURES), np.float32),
        "making_bias": np.array([0.0, -50.0, -50.0], np.float32),
        "content": np.zeros((len(KINDS), FEATURES), np.float32),
        "content_bias": np.array([5.0, 0.0, 0.0, 0.0], np.float32),
    }  # fmt: skip
    return Heads(**(base | values))


def detector(limit: float | None = None, **point: float) -> SemanticDetector:
    """Of a card without guarantees, which answers by its operating point."""
    card = open_card(SEMANTIC_MODEL)
    card = replace(
        card, domain_limit=limit, operating_point=replace(card.operating_point, **point), guarantees=None
    )
    making = np.zeros((len(MAKINGS), FEATURES), np.float32)
    making[0, 0] = 10.0
    return SemanticDetector(card=card, encoder=Fixed(), heads=plain_heads(making=making))


def test_a_picture_is_any_making_that_one_head_finds():
    making = np.zeros((len(MAKINGS), FEATURES), np.float32)
    making[:, 0] = [1.0, 2.0, -3.0]
    heads = plain_heads(making=making, making_bias=np.zeros(3, np.float32))
    x = np.zeros(FEATURES, np.float32)
    x[0] = 2.0
    assert heads.logits(heads.standard(x)) == pytest.approx(np.log(np.exp([2.0, 4.0, -6.0]).sum()))


def test_one_odd_number_does_not_decide():
    heads = plain_heads()
    x = np.zeros(FEATURES, np.float32)
    x[0] = 1e4
    assert heads.standard(x)[0] == FARTHEST


def test_the_kind_is_the_likeliest_one_with_its_probability():
    kind, probability = plain_heads().kind(np.zeros(FEATURES, np.float32))
    assert kind is Kind.PHOTO
    assert probability == pytest.approx(np.exp(5) / (np.exp(5) + 3))


def test_heads_that_do_not_fit_together_are_refused():
    with pytest.raises(ModelUnavailable, match="do not fit together"):
        plain_heads(mean=np.zeros(3, np.float32))
    tensors = plain_heads().tensors()
    del tensors["content"]
    with pytest.raises(ModelUnavailable, match="hold no content"):
        heads_from(tensors)


def test_the_numbers_of_a_picture_are_class_tokens_means_and_deviations_block_by_block():
    tokens = np.random.default_rng(0).normal(0, 1, (BLOCKS, 5, WIDTH)).astype(np.float32)
    found = embedding_of(tokens).reshape(BLOCKS, 3, WIDTH)
    assert np.allclose(found[3, 0], tokens[3, 0], atol=2e-3)
    assert np.allclose(found[3, 1], tokens[3, 1:].mean(0), atol=2e-3)
    assert np.allclose(found[3, 2], tokens[3, 1:].std(0), atol=2e-3)


def test_a_turned_photo_is_looked_at_as_people_see_it():
    picture = photo_like(300, 400)
    turned = encoded(np.ascontiguousarray(np.rot90(picture)), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.open(io.BytesIO(turned)).save(out, "PNG", exif=exif)
    whole = detector()
    assert np.array_equal(
        whole.turned(np.ascontiguousarray(np.rot90(picture)), out.getvalue(), "image/png"), picture
    )


def test_an_answer_that_survives_re_encoding_stands():
    score = detector(supports_logit=0.0, against_logit=-1.0, min_log10_ratio=-9.0).score_pixels(
        photo_like(300, 400)
    )
    assert score.answer is Answer.SUPPORTS
    assert score.stability is not None
    assert score.stability.variants == 1


def test_a_copy_is_made_of_what_a_platform_would_keep():
    one = detector()
    assert [v.shape[1:3] for v in one.variants(photo_like(1100, 1200)[None])] == [(512, 559)]
    assert [v.shape[1:3] for v in one.variants(photo_like(300, 400)[None])] == [(300, 400)]


def test_a_strip_is_not_applicable_and_costs_nothing():
    strip = OnnxEncoder(session=None)
    with pytest.raises(NotApplicable, match="so long a strip"):
        strip.tokens(np.zeros((128, 1_000_000, 3), np.uint8))


def test_far_from_the_calibration_there_is_no_answer():
    score = detector(limit=0.0, supports_logit=0.0, against_logit=-1.0, min_log10_ratio=-9.0).score_pixels(
        photo_like(300, 400)
    )
    assert score.answer is Answer.INCONCLUSIVE
    assert "nothing that the head was fitted on" in score.reason


def test_a_small_picture_is_never_spoken_against_and_a_large_one_may_be():
    point = {"supports_logit": 90.0, "against_logit": 80.0, "min_log10_ratio": -9.0, "against_min_side": 350}
    small, large = detector(**point), detector(**point | {"against_min_side": 300})
    assert large.score_pixels(photo_like(300, 400)).answer is Answer.AGAINST
    score = small.score_pixels(photo_like(300, 400))
    assert score.answer is Answer.INCONCLUSIVE
    assert "cannot see" in score.reason


def test_a_small_picture_is_not_scored():
    with pytest.raises(NotApplicable):
        detector().score(encoded(photo_like(100, 400)), "image/jpeg")


@pytest.fixture(scope="module")
def real() -> SemanticDetector:
    return open_semantic(SEMANTIC_MODEL, require_encoder())


def test_the_real_encoder_sees_a_smaller_copy_as_the_same_picture_and_another_picture_as_another(real):
    picture, other = photo_like(480, 640, seed=1), photo_like(480, 640, seed=2)[::-1] // 3
    whole, smaller, another = (
        embedding_of(real.encoder.tokens(p))
        for p in (picture, resize(picture, 0.6, "area"), np.ascontiguousarray(other))
    )
    assert whole.shape == (FEATURES,)
    spread = real.heads.scale
    near, far = (np.abs((whole - x) / spread).mean() for x in (smaller, another))
    assert near < 0.3 < far


def test_outputs_are_added_to_a_model_as_protocol_buffers_are_merged():
    added = bytes([0x3A, 6, 0x62, 4, 0x0A, 2]) + b"ab"
    assert asking_for(["ab"]) == added
    assert asking_for(["ab", "ab"]) == added + added
    with pytest.raises(ValueError, match="longer"):
        asking_for(["x" * 130])


def test_the_real_branch_scores_a_re_encoded_copy_alike(real):
    picture = photo_like(480, 640)
    again = through(picture, Encoding(media_type="image/jpeg", quality=90))
    assert abs(real.raw(picture) - real.raw(again)) < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_found_on_a_turned_picture_is_laid_back_where_it_is(orientation: int):
    stored = np.arange(12.0).reshape(3, 4)
    seen = upright(np.stack([stored] * 3, 2).astype(np.uint8), orientation)[..., 0].astype(np.float64)
    assert np.array_equal(turned_back(seen, orientation), stored)


def test_the_parts_of_a_score_have_the_score_as_their_mean(real):
    data = encoded(photo_like(300, 400), "PNG")
    found = real.score_map(data, "image/png")
    assert found.parts
    assert len(found.squares) == 14 * 14
    logit = real.score(data, "image/png", band=False).logit
    assert np.mean([s.logit for s in found.squares]) == pytest.approx(logit, abs=2e-2)
