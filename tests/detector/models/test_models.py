"""Every registered detector passes here; being listed in the registry is enough to be tested."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import DetectorError, ModelUnavailable, NotApplicable, PixelsUnreadable
from detector.core.metrics import auc
from detector.data.corpus import load_index, pictures
from detector.data.splits import Split
from detector.lab.steps.card_text import card_markdown
from detector.lab.steps.evaluation import pipeline_scores, sampled
from detector.models.card import dump_card, open_card, parse_card
from detector.models.condition import Condition
from detector.models.inference import open_detector
from detector.models.registry import DEFAULT_MODEL, MODELS, SEMANTIC_MODEL, model_files
from detector.models.score import Answer
from detector.models.weights import load_network, network_at, save_tensors
from detector.pixels.augment import Encoding, through
from detector.pixels.preprocess import MIN_SIDE
from tests.conftest import ROOT
from tests.detector.made import encoded, photo_like

PHOTO = photo_like(300, 420)


@pytest.fixture(scope="module", params=sorted(set(MODELS) - {SEMANTIC_MODEL}))
def detector(request):
    opened = open_detector(request.param)
    return replace(opened, card=replace(opened.card, domain_limit=None))  # noise is no picture of any domain


@pytest.fixture(params=sorted(MODELS))
def card(request):
    return open_card(request.param)


def test_the_defaults_are_registered():
    assert {DEFAULT_MODEL, SEMANTIC_MODEL} <= set(MODELS)


def certain(detector, **point: float):
    """The same detector with an operating point that every picture passes, and no edge of its domain."""
    anything = {
        "supports_logit": -98.0,
        "against_logit": -99.0,
        "min_log10_ratio": -99.0,
        "against_min_side": 0,
    }
    point = anything | point
    card = replace(detector.card, domain_limit=None, guarantees=None)
    return replace(detector, card=replace(card, operating_point=replace(card.operating_point, **point)))


def test_a_score_names_its_model_and_its_calibration(detector):
    score = detector.score(encoded(PHOTO, quality=92), "image/jpeg")
    assert score.model_sha256 == detector.card.weights_sha256
    assert score.ratio.calibration_id == detector.card.calibration.calibration_id
    assert score.ratio.low <= score.ratio.log10 <= score.ratio.high


def test_the_ratio_alone_is_the_ratio_of_the_score(detector):
    data = encoded(PHOTO, quality=92)
    assert detector.ratio(data, "image/jpeg") == detector.score(data, "image/jpeg").ratio


def test_only_an_answer_is_tried_by_re_encoding(detector):
    firm = certain(detector).score_pixels(PHOTO)
    assert firm.stability is not None
    assert firm.stability.variants >= 3
    assert firm.stability.low <= firm.logit <= firm.stability.high
    silent = certain(detector, supports_logit=98.0).score_pixels(PHOTO)
    assert silent.answer is Answer.INCONCLUSIVE
    assert silent.stability is None


def test_outside_of_its_domain_a_detector_has_no_answer(detector):
    inside = certain(detector)
    assert inside.score_pixels(PHOTO).answer is Answer.SUPPORTS
    outside = replace(inside, card=replace(inside.card, domain_limit=0.0)).score_pixels(PHOTO)
    assert outside.answer is Answer.INCONCLUSIVE
    assert "outside of what the detector was calibrated on" in outside.reason
    assert outside.distance > 0


def test_the_heatmap_has_a_value_for_every_square_that_is_not_flat(detector):
    picture = photo_like(256, 400)
    picture[:128, :128] = 90
    heat = detector.heatmap(picture)
    assert heat.shape == (2, 3)
    assert np.isnan(heat[0, 0])
    assert np.isfinite(heat.ravel()[1:]).all()
    with pytest.raises(NotApplicable):
        detector.heatmap(photo_like(100, 400))


def test_the_same_bytes_score_the_same(detector):
    data = encoded(PHOTO, quality=92)
    assert detector.score(data, "image/jpeg") == detector.score(data, "image/jpeg")


def test_no_ratio_is_stronger_than_its_calibration_set(detector):
    c = detector.card.calibration
    for logit in (-1e9, -3.0, 0.0, 3.0, 1e9):
        ratio = c.ratio(logit, None, Condition(side=300, quality=90, media_type="image/jpeg"))
        assert abs(ratio.log10) <= math.log10(min(c.real_items, c.fake_items))


def test_an_answer_that_does_not_survive_re_encoding_is_inconclusive(detector):
    """The point is set on the score of the picture itself, so a copy that scores otherwise is beyond it."""
    seen = certain(detector).score_pixels(PHOTO)
    assert seen.stability is not None
    if seen.stability.low < seen.logit:
        fragile = certain(detector, supports_logit=seen.logit)
    else:
        assert seen.stability.high > seen.logit, "choose a picture that a re-encoding moves"
        fragile = certain(detector, supports_logit=98.0, against_logit=seen.logit)
    score = fragile.score_pixels(PHOTO)
    assert score.stability is not None
    assert score.stability.flips >= 1
    assert score.answer is Answer.INCONCLUSIVE
    assert "does not survive" in score.reason


def test_an_answer_that_survives_every_re_encoding_stands(detector):
    assert certain(detector).score_pixels(PHOTO).answer is Answer.SUPPORTS


def test_a_score_beyond_the_point_but_with_a_weak_ratio_is_inconclusive(detector):
    weak = certain(detector, against_logit=-100.0, supports_logit=-99.0, min_log10_ratio=9.0)
    assert weak.score_pixels(PHOTO).answer is Answer.INCONCLUSIVE


def test_a_small_picture_is_never_spoken_against(detector):
    least = min(PHOTO.shape[:2])
    against = {"supports_logit": 100.0, "against_logit": 99.0, "min_log10_ratio": -9.0}
    allowed = certain(detector, **against, against_min_side=least)
    assert allowed.score_pixels(PHOTO).answer is Answer.AGAINST
    score = certain(detector, **against, against_min_side=least + 1).score_pixels(PHOTO)
    assert score.answer is Answer.INCONCLUSIVE
    assert "cannot see" in score.reason


def test_too_small_animated_and_foreign_pictures_get_no_score(detector):
    with pytest.raises(NotApplicable):
        detector.score(encoded(photo_like(MIN_SIDE - 1, 400)), "image/jpeg")
    with pytest.raises(NotApplicable):
        detector.score(b"GIF89a", "image/gif")
    with pytest.raises(PixelsUnreadable):
        detector.score(encoded(PHOTO)[:2000], "image/jpeg")


def test_weights_of_another_digest_are_refused(detector, tmp_path):
    _, path = model_files(detector.card.model_id)
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    (tmp_path / "w.safetensors").write_bytes(changed)
    with pytest.raises(ModelUnavailable, match="digest"):
        load_network(detector.card, tmp_path / "w.safetensors")


def test_missing_weights_are_a_typed_error(detector, tmp_path):
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_network(detector.card, tmp_path / "none")


def test_weights_that_do_not_fit_are_refused_even_with_the_right_digest(detector, tmp_path):
    state = dict(load_network(detector.card, model_files(detector.card.model_id)[1]).state_dict())
    state.pop("stem.weight")
    digest = save_tensors(state, tmp_path / "w.safetensors")
    card = replace(detector.card, weights_sha256=digest)
    with pytest.raises(ModelUnavailable, match="do not fit"):
        load_network(card, tmp_path / "w.safetensors")
    with pytest.raises(ModelUnavailable, match="not those of a trace network"):
        network_at(card, tmp_path / "w.safetensors")


def test_bytes_that_are_no_tensors_are_refused_even_with_the_right_digest(detector, tmp_path):
    import hashlib

    (tmp_path / "w").write_bytes(b"\x80\x04pickle")
    card = replace(detector.card, weights_sha256=hashlib.sha256(b"\x80\x04pickle").hexdigest())
    with pytest.raises(ModelUnavailable):
        load_network(card, tmp_path / "w")


def test_the_weights_are_small_enough_to_ship(card):
    _, path = model_files(card.model_id)
    assert len(path.read_bytes()) <= 3 * 1024 * 1024


def test_a_card_comes_back_from_its_own_text(card):
    assert parse_card(dump_card(card)) == card


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"card_version": 99}', '{"card_version": 1}', "nonsense"])
def test_a_malformed_card_is_a_typed_error(text):
    with pytest.raises(ModelUnavailable):
        parse_card(text)


def test_a_card_with_an_unknown_field_is_refused(detector):
    raw = json.loads(dump_card(detector.card)) | {"accuracy": 0.99}
    with pytest.raises(ModelUnavailable):
        parse_card(json.dumps(raw))


def test_an_unknown_model_is_a_typed_error():
    with pytest.raises(ModelUnavailable, match="no detector is called"):
        open_detector("no-such-model")


def test_the_card_is_measured_and_its_page_is_the_generated_one(card):
    assert card.evaluation is not None or (card.judged and card.tested)
    page = ROOT / "docs" / "cards" / f"{card.model_id}.md"
    assert page.read_text(encoding="utf-8") == card_markdown(card)


def test_the_table_of_left_out_families_says_that_it_does_not_predict_real_generators(card):
    page = card_markdown(card)
    if not card.left_out:
        return
    beside = page[page.index("## Generators left out") : page.index("## Known limits")]
    assert "does not predict real generators" in beside
    assert "stylegan1 0.40 as stored" in beside
    assert "stylegan2 0.53 as stored" in beside


def test_nothing_was_trained_on_without_a_licence(card):
    assert all(s.licence for s in card.sets if s.train or s.calibration)


def test_preprocessing_of_the_card_is_the_preprocessing_of_the_code(detector):
    from detector.pixels import preprocess

    p = detector.card.preprocessing
    assert (p.min_side, p.crop_side, p.max_crops, p.min_texture) == (
        preprocess.MIN_SIDE, preprocess.CROP_SIDE, preprocess.MAX_CROPS, preprocess.MIN_TEXTURE,
    )  # fmt: skip


def test_a_twelve_megapixel_photo_is_scored_in_seconds(detector):
    import time

    data = encoded(np.tile(photo_like(500, 500), (6, 8, 1)), quality=90)
    detector.score(data, "image/jpeg")
    started = time.process_time()
    detector.score(data, "image/jpeg")
    assert time.process_time() - started < 6.0


@pytest.mark.slow
def test_real_photos_of_two_encoders_are_not_separable(detector, corpus_dir):
    jpeg, webp = pipeline_scores(detector.raw, corpus_dir, load_index(corpus_dir), lambda *_: None)
    assert len(jpeg) > 100
    assert 0.4 < auc(jpeg, webp) < 0.6


@pytest.mark.slow
def test_real_test_photos_are_rarely_called_generated(detector, corpus_dir):
    items = [i for i in load_index(corpus_dir) if i.split is Split.TEST and not i.fake]
    answers = []
    for item in sampled([i for i in items if i.set_name in {"openimages", "coco", "camera_crops"}]):
        try:
            answers.append(detector.score_pixels(pictures(corpus_dir, item)[0]).answer)
        except NotApplicable:
            continue
    assert len(answers) >= 50
    assert np.mean([a is Answer.SUPPORTS for a in answers]) <= 0.08


def test_a_re_encoded_copy_scores_near_its_original(detector):
    logits = [
        detector.score_pixels(p).logit
        for p in (PHOTO, through(PHOTO, Encoding(media_type="image/jpeg", quality=98, full_chroma=True)))
    ]
    assert abs(logits[0] - logits[1]) < 2.5


@pytest.mark.parametrize(
    "module",
    ["detector", "detector.models.inference", "detector.models.registry", "authn.sources.metadata",
     "authn.sources.compression", "authn.sources.learned", "authn.cli.lab.group"],
)  # fmt: skip
def test_importing_does_not_load_torch(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_every_error_of_the_laboratory_has_a_code_of_its_own():
    from detector.core import errors

    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, DetectorError)]
    assert len({e.code for e in kinds}) == len(kinds) >= 6
