from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import CalibrationError, ModelUnavailable, NotApplicable
from detector.core.metrics import auc
from detector.models.card import open_card
from detector.models.registry import SEMANTIC_MODEL
from detector.models.score import Answer
from detector.models.semantic import (
    FEATURES,
    OnnxEncoder,
    SemanticDetector,
    open_encoder,
    open_semantic,
    with_output,
)
from detector.models.semantic_head import Embedded, Head, fit_head, left_out_scores
from detector.pixels.augment import Encoding, resize, through
from tests.detector.made import encoded, photo_like
from tests.programs import require_encoder

D = 6


def cloud(name: str, fake: bool, shift: float, seed: int, n: int = 20) -> Embedded:
    """Pictures of one source: the class moves the first number, the source another."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, 3, D))
    x[..., 0] += 2.0 if fake else -2.0
    x[..., 1 + seed % (D - 1)] += shift
    return Embedded(name=name, fake=fake, embeddings=x)


SETS = (
    cloud("camera", False, 3.0, 0), cloud("phone", False, -3.0, 1), cloud("one", True, 3.0, 2),
    cloud("two", True, -3.0, 3),
)  # fmt: skip


def test_the_head_separates_classes_and_not_sources():
    head = fit_head(SETS)
    scores = {s.name: head.logits(s.embeddings).ravel() for s in SETS}
    assert auc(scores["camera"], scores["one"]) > 0.95
    assert abs(head.weight[0]) == np.abs(head.weight).max()


def test_a_large_set_weighs_no_more_than_a_small_one():
    small = fit_head(SETS)
    repeated = replace(SETS[2], embeddings=np.concatenate([SETS[2].embeddings] * 5))
    large = fit_head((SETS[0], SETS[1], repeated, SETS[3]))
    assert np.allclose(small.weight, large.weight, atol=1e-4)


def test_the_ridge_keeps_weights_small_when_the_classes_do_not_overlap():
    apart = tuple(replace(s, embeddings=s.embeddings + (20.0 if s.fake else -20.0)) for s in SETS)
    assert np.abs(fit_head(apart).weight).max() < 20


def test_left_out_scores_come_from_heads_that_never_saw_the_set():
    """A set whose class contradicts all others is scored by what the others say."""
    liar = replace(cloud("liar", True, 0.0, 4), embeddings=cloud("x", False, 0.0, 4).embeddings)
    scores = left_out_scores((*SETS, liar))
    assert scores["liar"].mean() < 0 < scores["one"].mean()
    assert scores["liar"].shape == (20, 3)


def test_one_class_or_one_source_is_refused():
    with pytest.raises(CalibrationError):
        fit_head(SETS[:2])
    with pytest.raises(CalibrationError, match="two"):
        left_out_scores(SETS[1:])


def test_a_file_that_is_not_the_encoder_is_refused(tmp_path):
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_encoder(tmp_path / "none.onnx")
    (tmp_path / "other.onnx").write_bytes(b"other")
    with pytest.raises(ModelUnavailable, match="not the image encoder"):
        open_encoder(tmp_path / "other.onnx")


class Fixed:
    """An encoder that sees nothing but the mean of red, in the first of its numbers."""

    def embed(self, pixels):
        if min(pixels.shape[:2]) < 128:
            raise NotApplicable("too small")
        out = np.zeros(FEATURES, np.float32)
        out[0] = pixels[..., 0].mean() / 255
        return out


def detector(limit: float | None = None, **point: float) -> SemanticDetector:
    card = open_card(SEMANTIC_MODEL)
    card = replace(card, domain_limit=limit, operating_point=replace(card.operating_point, **point))
    weight = np.zeros(FEATURES)
    weight[0] = 10.0
    head = Head(mean=np.zeros(FEATURES), scale=np.ones(FEATURES), weight=weight, bias=0.0)
    return SemanticDetector(card=card, encoder=Fixed(), head=head)


def test_an_answer_that_survives_re_encoding_stands():
    score = detector(supports_logit=0.0, against_logit=-1.0, min_log10_ratio=-9.0).score_pixels(
        photo_like(300, 400)
    )
    assert score.answer is Answer.SUPPORTS
    assert score.stability is not None
    assert score.stability.variants == 3


def test_copies_are_made_of_what_a_platform_would_keep_and_one_is_enough_for_a_band():
    one = detector()
    copies = [v.shape[1:3] for v in one.variants(photo_like(1100, 1200)[None])]
    assert copies == [(512, 559), (512, 559), (256, 280)]
    assert [v.shape[1:3] for v in one.variants(photo_like(300, 400)[None])] == [(300, 400)] * 2 + [(150, 200)]
    vouched = replace(one, card=replace(one.card, guarantees=object()))
    assert len(vouched.variants(photo_like(300, 400)[None])) == 1


def test_a_strip_is_not_applicable_and_costs_nothing():
    strip = OnnxEncoder(session=None)
    with pytest.raises(NotApplicable, match="so long a strip"):
        strip.embed(np.zeros((128, 1_000_000, 3), np.uint8))


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
        real.encoder.embed(p) for p in (picture, resize(picture, 0.6, "area"), np.ascontiguousarray(other))
    )
    assert whole.shape == (FEATURES,)
    spread = real.head.scale
    near, far = (np.abs((whole - x) / spread).mean() for x in (smaller, another))
    assert near < 0.3 < far


def test_an_output_is_added_to_a_model_as_protocol_buffers_are_merged():
    assert with_output(b"model", "ab") == b"model" + bytes([0x3A, 6, 0x62, 4, 0x0A, 2]) + b"ab"
    with pytest.raises(ValueError, match="longer"):
        with_output(b"model", "x" * 130)


def test_the_real_branch_scores_a_re_encoded_copy_alike(real):
    picture = photo_like(480, 640)
    again = through(picture, Encoding(media_type="image/jpeg", quality=90))
    assert abs(real.raw(picture) - real.raw(again)) < 1.5
