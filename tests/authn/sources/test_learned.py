from __future__ import annotations

from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.config import load_settings
from authn.core.errors import AuthnError, SystemLacking
from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.core.media import media_of
from authn.core.score_map import maps_text, parse_maps
from authn.examine import detectors
from authn.examine.opening import sources
from authn.sources.agreement import answered
from authn.sources.learned import LearnedSource, SemanticSource
from detector.core.errors import DetectorError, ModelUnavailable, NotApplicable, PixelsUnreadable
from detector.models.card import open_card
from detector.models.condition import Condition
from detector.models.encoder_file import INSTALL
from detector.models.reference import reference_photo
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from tests.detector.made import encoded, photo_like

SOURCE = LearnedSource()


def test_evidence_carries_raw_score_and_calibrated_ratio():
    (evidence,) = SOURCE.examine(media_of(reference_photo(), "a.jpg"))
    assert (evidence.detector, evidence.question) == (DEFAULT_MODEL, Question.SYNTHETIC)
    assert evidence.raw is not None
    assert evidence.llr is not None
    assert evidence.llr.calibration_id.startswith("given-")
    assert evidence.condition == Condition(
        side=432, quality=evidence.condition.quality, media_type="image/jpeg"
    )
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert len(evidence.model_sha256 or "") == 64


@pytest.mark.parametrize("picture", [encoded(photo_like(60, 60)), encoded(photo_like(60, 60), "GIF")])
def test_a_picture_it_does_not_apply_to_is_an_abstention_without_any_number(picture):
    (evidence,) = SOURCE.examine(media_of(picture, "a"))
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert (evidence.raw, evidence.llr, evidence.stability) == (None, None, None)


def test_a_picture_that_does_not_decode_is_raised_and_gets_no_score():
    data = encoded(photo_like(300, 300))
    with pytest.raises(PixelsUnreadable):
        SOURCE.examine(media_of(data[: len(data) // 2], "a"))


def test_a_missing_model_is_raised_when_it_is_needed():
    source = LearnedSource("no-such-model")
    assert source.name == "no-such-model"
    with pytest.raises(ModelUnavailable):
        source.examine(media_of(encoded(photo_like(300, 300)), "a"))


def test_an_empty_model_id_means_the_default():
    assert LearnedSource("").name == DEFAULT_MODEL


def test_a_second_branch_without_its_encoder_is_raised_when_it_is_needed(tmp_path):
    source = SemanticSource(tmp_path / "encoder.onnx")
    assert source.name == SEMANTIC_MODEL
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        source.examine(media_of(encoded(photo_like(300, 300)), "a"))


def test_where_a_score_comes_from_names_the_model_that_made_it():
    media = media_of(encoded(photo_like(300, 600), quality=95), "a.jpg")
    (evidence,) = SOURCE.examine(media)
    found = SOURCE.score_map(media)
    assert (found.detector, found.model_sha256) == (evidence.detector, evidence.model_sha256)
    assert (found.width, found.height) == (600, 300)
    assert fmean(w.logit for w in found.windows) == pytest.approx(evidence.raw)
    assert parse_maps(maps_text((found,))) != ()
    assert found.reference is not None
    assert (found.reference.width, found.reference.height) == (768, 432)
    assert SOURCE.score_map(media).reference is found.reference, "made once"


def test_a_detector_of_whole_pictures_has_no_places_to_show():
    class Whole:
        card = open_card(DEFAULT_MODEL)

        def score_pixels(self, pixels, condition):
            raise AssertionError

    class WholeSource(LearnedSource):
        def _open(self):
            return Whole()

    with pytest.raises(NotApplicable, match="looks at the picture as a whole"):
        WholeSource("whole").score_map(media_of(encoded(photo_like(300, 300)), "a"))


def guess(detector: str, outcome: HeuristicOutcome, kind: str = "learned") -> HeuristicEvidence:
    return HeuristicEvidence(
        detector=detector, version="1", kind=kind, question=Question.SYNTHETIC, outcome=outcome, reason="so"
    )


def test_learned_detectors_that_contradict_each_other_have_no_answer():
    given = (
        guess("a", HeuristicOutcome.SUPPORTS), guess("b", HeuristicOutcome.AGAINST),
        guess("m", HeuristicOutcome.SUPPORTS, "metadata"), guess("c", HeuristicOutcome.ABSTAIN),
    )  # fmt: skip
    a, b, metadata, c = answered(given, None)
    assert (a.outcome, b.outcome) == (HeuristicOutcome.INCONCLUSIVE,) * 2
    assert (
        a.reason == b.reason == "a and b answer the same question in opposite ways, so neither has an answer"
    )
    assert (metadata, c) == (given[2], given[3])


@pytest.mark.parametrize("other", ["supports", "inconclusive", "abstain"])
def test_learned_detectors_that_do_not_contradict_each_other_are_left_as_they_are(other):
    given = (guess("a", HeuristicOutcome.SUPPORTS), guess("b", HeuristicOutcome(other)))
    assert answered(given, None) == given


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_pictures_give_evidence_or_a_typed_error(data):
    raw = bytearray(encoded(photo_like(140, 140), data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        SOURCE.examine(media_of(bytes(raw), "a"))
    except (DetectorError, AuthnError):
        return


def test_the_branch_for_whole_pictures_is_always_asked_and_says_what_it_lacks(tmp_path, monkeypatch):
    environ = {"ASSAY_HOME": str(tmp_path)}
    picture = media_of(encoded(photo_like(300, 300)), "a")
    monkeypatch.setattr(detectors, "installed_encoder", lambda: None)
    (without,) = (s for s in sources(load_settings(environ=environ)) if s.name == SEMANTIC_MODEL)
    with pytest.raises(SystemLacking, match=f"image encoder: not installed here .{INSTALL}"):
        without.examine(picture)
    environ["ASSAY_SEMANTIC_ENCODER"] = str(tmp_path / "encoder.onnx")
    (named,) = (s for s in sources(load_settings(environ=environ)) if s.name == SEMANTIC_MODEL)
    with pytest.raises(ModelUnavailable, match=r"encoder\.onnx cannot be read: No such file"):
        named.examine(picture)


def test_a_model_that_is_not_there_is_looked_for_once():
    class Counted(LearnedSource):
        asked = 0

        def _open(self):
            self.asked += 1
            raise ModelUnavailable("it is another file")

    source = Counted()
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="another file"):
            source.examine(media_of(encoded(photo_like(300, 300)), "a"))
    assert source.asked == 1
