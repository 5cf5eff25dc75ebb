"""The eyes as an evidence source, on real faces of the corpus and on faces that the test spoils."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.core.media import media_of
from authn.sources.symmetry import SymmetrySource
from detector.core.errors import DetectorError, ModelUnavailable, PixelsUnreadable
from detector.forensics.faces import open_faces
from detector.forensics.symmetry import SUPPORTS_COLOUR
from detector.forensics.symmetry_measure import REAL, measure_symmetry
from tests.detector.made import encoded, photo_like

FACE = "train/faces256_ffhq/00736.jpg"
Pixels = np.ndarray


@pytest.fixture(scope="module")
def source(face_models: Path) -> SymmetrySource:
    return SymmetrySource((face_models,))


@pytest.fixture(scope="module")
def face(corpus_dir: Path) -> Pixels:
    with Image.open(corpus_dir / FACE) as image:
        return np.asarray(image.convert("RGB"))


def examine(source: SymmetrySource, data: bytes, name: str = "a.png") -> HeuristicEvidence:
    (evidence,) = source.examine(media_of(data, name))
    assert evidence.question is Question.SYNTHETIC
    assert evidence.kind == "signal"
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    return evidence


def png(pixels: Pixels) -> bytes:
    return encoded(pixels, "PNG")


def painted(face: Pixels, models: Path, change: Callable[[Pixels], Pixels], reach: float = 1.0) -> Pixels:
    """The face with ``change`` made to the iris on the left of the picture."""
    found = open_faces((models,)).faces(face)[0].left
    y, x = np.mgrid[0 : face.shape[0], 0 : face.shape[1]] + 0.5
    inside = np.hypot(x - found.centre[0], y - found.centre[1]) < reach * found.radius
    out = face.copy()
    out[inside] = change(face[inside].astype(float)).clip(0, 255)
    return out


def test_the_eyes_of_a_real_face_are_inconclusive(source, face):
    evidence = examine(source, png(face))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert evidence.raw < SUPPORTS_COLOUR / 2
    assert "so do those of most generated faces" in evidence.reason
    facts = dict(evidence.findings[0].facts)
    assert (facts["faces"], facts["faces_compared"]) == (1, 1)
    assert facts["iris_left_pixels"] == pytest.approx(11.5, abs=1.5)


def test_one_recoloured_iris_of_a_real_face_supports_and_names_the_innocent_causes(source, face, face_models):
    recoloured = painted(face, face_models, lambda iris: iris * (0.75, 1.0, 1.35))
    evidence = examine(source, png(recoloured))
    assert evidence.outcome is HeuristicOutcome.SUPPORTS
    assert evidence.raw >= SUPPORTS_COLOUR
    assert "born" in evidence.reason


def test_a_photo_without_a_face_is_an_abstention(source):
    evidence = examine(source, png(photo_like(300, 400)))
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert "no face was found" in evidence.reason


@pytest.mark.parametrize(("side", "why"), [(64, "no face was found"), (170, "too small")], ids=str)
def test_a_small_face_is_an_abstention(source, face, side, why):
    small = np.asarray(Image.fromarray(face).resize((side, side), Image.Resampling.LANCZOS))
    evidence = examine(source, png(small))
    assert evidence.outcome is HeuristicOutcome.ABSTAIN
    assert why in evidence.reason


def test_a_face_without_colour_is_an_abstention(source, face):
    grey = np.repeat(face.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    evidence = examine(source, png(grey))
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert "no colour" in evidence.reason


def test_a_hidden_eye_is_an_abstention(source, face, face_models):
    hidden = painted(face, face_models, lambda iris: np.full_like(iris, 15), reach=3.0)
    assert examine(source, png(hidden)).outcome is HeuristicOutcome.ABSTAIN


def test_a_face_in_low_light_is_an_abstention(source, face):
    assert examine(source, png(face // 6)).outcome is HeuristicOutcome.ABSTAIN


def test_a_photo_that_was_taken_upright_is_turned_before_it_is_examined(source, face):
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(face))).save(out, "JPEG", quality=98, exif=exif)
    assert examine(source, out.getvalue(), "a.jpg").outcome is HeuristicOutcome.INCONCLUSIVE


def test_formats_whose_pixels_are_not_decoded_are_not_applicable(source):
    media = replace(media_of(png(photo_like(8, 8)), "a.png"), media_type="image/tiff")
    (evidence,) = source.examine(media)
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)


def test_a_truncated_file_is_not_examined(source, face):
    with pytest.raises(PixelsUnreadable):
        source.examine(media_of(encoded(face, "JPEG")[:-400], "a.jpg"))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damaged_files_give_evidence_or_a_typed_error(source, face, data):
    raw = bytearray(encoded(face, "JPEG"))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(3, len(raw) - 1))] = data.draw(st.integers(0, 255))
    media = replace(media_of(encoded(face, "JPEG"), "a.jpg"), data=bytes(raw))
    try:
        (evidence,) = source.examine(media)
    except DetectorError:
        return
    assert evidence.outcome is not HeuristicOutcome.AGAINST


def test_without_the_models_nothing_is_examined_and_the_report_says_how_to_get_them():
    with pytest.raises(ModelUnavailable, match=r"symmetry\.md"):
        SymmetrySource().examine(media_of(png(photo_like(64, 64)), "a.png"))


@pytest.mark.slow
def test_false_alarms_on_real_faces_stay_within_what_the_card_says(face_models, corpus_dir):
    measured = measure_symmetry(corpus_dir, open_faces((face_models,)), folders=(REAL,), views=("as it is",))
    compared = [m.compared for m in measured if m.compared]
    alarms = sum(f.colour >= SUPPORTS_COLOUR for f in compared)
    assert len(compared) > 50
    assert alarms / len(measured) <= 0.02
