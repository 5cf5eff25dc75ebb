"""The comparison of two eyes on eyes that the test draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.forensics import faces
from detector.forensics.faces import open_faces
from detector.forensics.symmetry import SUPPORTS_COLOUR, Unfit, compare_eyes, landmark_distance
from detector.forensics.symmetry_overlay import draw, png_of
from tests.detector.forensics.drawn import BLUE, BROWN, SIDE, drawn, mirrored_mesh
from tests.detector.made import photo_like


@pytest.mark.parametrize("colour", [BLUE, BROWN], ids=["blue", "brown"])
def test_two_equal_eyes_differ_by_nothing(colour):
    found = compare_eyes(*drawn(colour, colour))
    assert found.unfit == ()
    assert found.colour < 1.5
    assert found.landmark_distance < 1e-9


def test_one_recoloured_iris_is_beyond_the_operating_point():
    found = compare_eyes(*drawn(BLUE, BROWN))
    assert found.unfit == ()
    assert found.colour > 3 * SUPPORTS_COLOUR


def test_the_colour_that_is_measured_is_that_of_the_iris_and_not_of_pupil_or_glint():
    found = compare_eyes(*drawn(BLUE, BLUE))
    lightness, a, b = found.left.iris
    assert (lightness, a, b) == pytest.approx((41.3, 0.9, -25.6), abs=1.0)


def test_light_of_another_colour_on_one_side_is_taken_off():
    pixels, face = drawn(BROWN, BROWN, light=(1.0, 0.97, 0.9))
    found = compare_eyes(pixels, face)
    assert found.unfit == ()
    assert found.raw_colour > 1.5 * found.colour
    assert found.colour < SUPPORTS_COLOUR / 2


def test_strongly_coloured_light_on_one_side_is_not_compared():
    assert Unfit.LIGHT in compare_eyes(*drawn(BROWN, BROWN, light=(1.0, 0.8, 0.5))).unfit


def test_the_highlight_stands_in_the_frame_of_the_eye():
    found = compare_eyes(*drawn(BROWN, BROWN))
    (left, *_), (right, *_) = found.left.highlights, found.right.highlights
    assert (left.x, left.y) == pytest.approx((0.35, -0.35), abs=0.08)
    assert (right.x, right.y) == pytest.approx((0.35, -0.35), abs=0.08)
    assert found.highlight_distance < 0.1
    assert compare_eyes(*drawn(BROWN, BROWN, glint=False)).highlight_distance is None


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        pytest.param(Unfit.SMALL, {"radius": 4}, id="small"),
        pytest.param(Unfit.LIDS, {"openness": 0.25}, id="nearly-closed"),
        pytest.param(Unfit.POSE, {"yaw": 35}, id="turned"),
        pytest.param(Unfit.CONTRAST, {"white": 100}, id="dark-glasses"),
        pytest.param(Unfit.LIGHT, {"light": (0.6, 0.6, 0.6)}, id="half-in-shadow"),
    ],
)
def test_eyes_that_cannot_be_compared_say_why(reason, how):
    found = compare_eyes(*drawn(BROWN, BROWN, **how))
    assert reason in found.unfit


def test_low_light_and_pictures_without_colour_are_not_compared():
    pixels, face = drawn(BROWN, BROWN)
    assert Unfit.DARK in compare_eyes(pixels // 5, face).unfit
    grey = np.repeat(pixels.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    assert Unfit.MONOCHROME in compare_eyes(grey, face).unfit


def test_a_reflection_over_an_iris_is_not_compared():
    pixels, face = drawn(BROWN, BROWN)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    pixels[(np.hypot(x - 70, y - 95) < 8)] = 255
    assert set(compare_eyes(pixels, face).unfit) & {Unfit.GLARE, Unfit.UNEVEN}


def test_an_eye_beyond_the_edge_of_the_picture_is_not_compared():
    pixels, face = drawn(BROWN, BROWN)
    assert compare_eyes(np.ascontiguousarray(pixels[:, :150]), face).unfit


def test_landmarks_off_their_mirror_images_are_measured_in_widths_of_the_face():
    mesh = mirrored_mesh(120)
    mesh[61, 1] += 12
    assert landmark_distance(mesh) > 0.1 / 9
    assert landmark_distance(3 * mesh) == pytest.approx(landmark_distance(mesh))


def test_what_was_measured_can_be_drawn():
    pixels, face = drawn(BLUE, BROWN)
    sheet = draw(pixels, compare_eyes(pixels, face))
    assert sheet.shape == (300, 512, 3)
    assert (sheet[290, 100].astype(int) - BLUE).max() < 12
    assert png_of([sheet, sheet]).startswith(b"\x89PNG")


def test_a_picture_without_a_face_has_none(face_models: Path):
    models = open_faces((face_models,))
    assert models.faces(photo_like(300, 400)) == ()
    for shape in ((1, 1), (1, 3000), (3000, 1)):
        assert models.faces(np.zeros((*shape, 3), np.uint8)) == ()


def test_the_eye_on_the_right_is_read_as_the_mirror_image_of_one_on_the_left(
    face_models: Path, corpus_dir: Path
):
    with Image.open(corpus_dir / "train" / "faces256_ffhq" / "00736.jpg") as image:
        face = np.asarray(image.convert("RGB"))
    models = open_faces((face_models,))
    (found,) = models.faces(face)
    corners = found.mesh[[faces.RIGHT_CORNERS[1], faces.RIGHT_CORNERS[0]], :2]
    corners[:, 0] = 256 - corners[:, 0]
    other = models._eye(np.ascontiguousarray(face[:, ::-1]), corners, mirrored=False)
    assert (256 - other.centre[0], other.centre[1]) == pytest.approx(found.right.centre, abs=0.1)
    assert other.radius == pytest.approx(found.right.radius, abs=0.05)
    assert np.abs(256 - other.outline[:, 0] - found.right.outline[:, 0]).max() < 0.2


def test_the_measures_load_no_learning_framework():
    code = (
        "import sys, detector.forensics.symmetry, authn.sources.symmetry\n"
        "assert not {'torch', 'tensorflow', 'ai_edge_litert', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
