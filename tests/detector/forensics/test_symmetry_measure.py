"""How the card of the comparison of eyes is measured, on faces that the test draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import CorpusError
from detector.forensics.faces import Face
from detector.forensics.symmetry import SUPPORTS_COLOUR, FaceSymmetry, Unfit, compare_eyes
from detector.forensics.symmetry_measure import (
    GENERATED,
    MEASURES,
    REAL,
    VIEWS,
    Measured,
    measure_symmetry,
    symmetry_tables,
    two_persons,
)
from tests.detector.forensics.drawn import BLUE, BROWN, drawn


@pytest.fixture(scope="module")
def equal() -> FaceSymmetry:
    return compare_eyes(*drawn(BROWN, BROWN))


@pytest.fixture(scope="module")
def unlike() -> FaceSymmetry:
    return compare_eyes(*drawn(BLUE, BROWN))


def varied(face: FaceSymmetry, n: int) -> list[FaceSymmetry]:
    """Faces that differ a little, so that a resample has something to draw from."""
    return [
        replace(face, colour=face.colour + 0.1 * k, raw_colour=face.raw_colour + 0.1 * k) for k in range(n)
    ]


@pytest.fixture(scope="module")
def measured(equal: FaceSymmetry, unlike: FaceSymmetry) -> tuple[Measured, ...]:
    rows = []
    for test in (False, True):
        for view in VIEWS:
            for real, face in ((True, equal), (False, unlike)):
                rows += [
                    Measured(real=real, test=test, view=view, face=f, seconds=0.01) for f in varied(face, 24)
                ]
                turned = replace(face, unfit=(Unfit.POSE, Unfit.LIGHT))
                rows.append(Measured(real=real, test=test, view=view, face=turned, seconds=0.01))
                rows.append(Measured(real=real, test=test, view=view, face=None, seconds=0.01))
    return tuple(rows)


@pytest.fixture(scope="module")
def page(measured: tuple[Measured, ...]) -> str:
    return symmetry_tables(measured)


def test_only_a_face_whose_eyes_can_be_compared_counts_as_compared(equal: FaceSymmetry):
    one = Measured(real=True, test=True, view="as it is", face=equal, seconds=0)
    assert one.compared is equal
    assert replace(one, face=None).compared is None
    assert replace(one, face=replace(equal, unfit=(Unfit.DARK,))).compared is None


def test_every_half_and_view_says_how_often_it_answers(page: str):
    row = "| test | as it is | StyleGAN | 26 | 24 | 24 |"
    assert row in page
    assert "| calibration | JPEG 75 | real | 26 | 24 | 0 | 0.0% (0.0% to 12.9%)" in page
    assert page.count("| test |") == page.count("| calibration |") == 4


def test_every_measure_is_shown_and_one_of_them_is_answered_for(page: str):
    for name in MEASURES:
        assert f"| {name} | " in page
    assert page.count("| yes |") == 1
    assert "| colour of the irises, light taken off | 1.00 (1.00 to 1.00)" in page


def test_why_faces_were_not_compared_is_counted_by_reason(page: str):
    assert "Of 104 pictures; several reasons may hold." in page
    assert "| no face found | 4 |" in page
    assert f"| {Unfit.POSE.value} | 4 |" in page
    assert f"| {Unfit.SMALL.value} | 0 |" in page


def test_no_ratio_is_given_whether_a_calibration_holds_or_fails(page: str, measured: tuple[Measured, ...]):
    assert "No ratio is given." in page
    assert "A calibration on that half has slope" in page
    swapped = tuple(replace(m, real=not m.real) for m in measured)
    assert "A calibration on that half fails: the score does not rank" in symmetry_tables(swapped)


def test_eyes_of_two_persons_are_told_apart_by_their_colour_under_like_light(
    equal: FaceSymmetry, unlike: FaceSymmetry
):
    """In the second face the left eye is blue, so it fits no brown one of another."""
    faces = [*varied(equal, 6), *varied(replace(unlike, colour=0.0), 6)]
    area, rate = two_persons(faces, rounds=20)
    assert area.n == len(faces) * (len(faces) - 1)
    assert rate.value == pytest.approx((6 * 6 + 6 * 5) / area.n)
    assert rate.low <= rate.value <= rate.high
    assert area.value > 0.5


def test_eyes_under_other_light_are_no_pair(equal: FaceSymmetry):
    assert equal.left is not None
    lit = replace(equal, left=replace(equal.left, white=(99.0, 0.0, 0.0)))
    dark = replace(equal, left=replace(equal.left, white=(40.0, 0.0, 0.0)))
    area, _ = two_persons([*varied(equal, 3), lit, dark], rounds=5)
    assert area.n == 5 * 4 - 2 * 4


@dataclass(frozen=True)
class Drawn:
    """In the place of the networks: the face that was drawn, however the picture was saved."""

    face: Face

    def faces(self, _pixels: np.ndarray, *, min_width: float = 0) -> tuple[Face, ...]:
        return (self.face,) if self.face.width >= min_width else ()


def test_every_picture_of_both_folders_is_measured_in_every_view(tmp_path: Path):
    pixels, face = drawn(BLUE, BROWN)
    for folder in (REAL, GENERATED):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / folder / "a.jpg", quality=98, subsampling=0)
    found = measure_symmetry(tmp_path, Drawn(face))
    assert [(m.real, m.view) for m in found] == [(real, view) for real in (True, False) for view in VIEWS]
    assert len({m.test for m in found}) == 1, "the half is that of the file's digest"
    assert all(m.compared is not None and m.compared.colour > SUPPORTS_COLOUR for m in found)
    narrow = measure_symmetry(tmp_path, Drawn(replace(face, width=50.0)), views=["as it is"])
    assert [m.face for m in narrow] == [None, None]


def test_the_card_needs_the_corpus(tmp_path: Path):
    with pytest.raises(CorpusError, match="not in the corpus"):
        measure_symmetry(tmp_path, Drawn(drawn(BLUE, BLUE)[1]))
