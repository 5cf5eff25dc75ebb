"""Which files of a corpus say what a camera writes, and which ones were written again after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.core.errors import CorpusError, FileFailed
from detector.forensics.camera_measure import measure_cameras
from detector.forensics.compression import examine_compression
from detector.pixels import exif
from detector.pixels.jpeg import parse_jpeg
from detector.pixels.quantisation import standard_table
from tests.detector.made import corpus_of, exif_block, jpeg_with, photo_like

PICTURE = photo_like(48, 64)
OWN = [v + 1 for v in standard_table(80)]
CAMERA = {exif.MAKE: "Maker", exif.MODEL: "One"}


def taken(
    tags: dict[int, str | int] | None, *segments: tuple[int, bytes], width: int = 64, **options
) -> bytes:
    """A camera's file: EXIF with its size, its own tables unless others are asked for."""
    block = (
        []
        if tags is None
        else [(0xE1, b"Exif\0\0" + exif_block(tags, {exif.PIXEL_X: width, exif.PIXEL_Y: 48}))]
    )
    return jpeg_with(*block, *segments, pixels=PICTURE, **(options or {"qtables": [OWN, OWN]}))


def rows_of(root: Path, *files: bytes, source: str = "set: Maker One") -> list[dict]:
    corpus_of(root, [(f"camera/{n}.jpg", "", data, source) for n, data in enumerate(files)])
    return json.loads(measure_cameras(root))["cameras"]


def test_a_camera_is_a_row_with_its_files_and_the_tables_it_used(tmp_path: Path):
    first, second = taken(CAMERA), taken(CAMERA, quality=80)
    digests = sorted(examine_compression(parse_jpeg(data)).tables_sha256 for data in (first, second))
    assert rows_of(tmp_path, first, second, first + b"tail") == [
        {"camera": "maker one", "samples": 3, "uses_standard": True, "tables_sha256": digests}
    ]


@pytest.mark.parametrize(
    "data",
    [
        taken(CAMERA | {exif.SOFTWARE: "Adobe Photoshop 7"}),
        taken(CAMERA | {exif.SOFTWARE: "GIMP 2.10"}),
        taken(CAMERA, width=65),
        taken(CAMERA, (0xEE, b"Adobe\0d\0\0\0\0\1")),
        taken(CAMERA, (0xED, b"Photoshop 3.0\0")),
        taken({exif.MAKE: "Maker"}),
    ],
    ids=["desktop program", "another one", "resized", "adobe", "captioned", "no model"],
)
def test_what_a_program_may_have_written_after_the_camera_does_not_count(data: bytes, tmp_path: Path):
    assert rows_of(tmp_path, data) == []


def test_the_firmware_that_cameras_name_is_no_desktop_program(tmp_path: Path):
    assert len(rows_of(tmp_path, taken(CAMERA | {exif.SOFTWARE: "Ver.1.00"}))) == 1


def test_a_file_turned_by_the_camera_still_has_its_size(tmp_path: Path):
    turned = {exif.PIXEL_X: 48, exif.PIXEL_Y: 64}
    data = jpeg_with((0xE1, b"Exif\0\0" + exif_block(CAMERA, turned)), pixels=PICTURE)
    assert len(rows_of(tmp_path, data)) == 1


def test_a_crop_without_metadata_is_of_the_camera_that_the_index_names(tmp_path: Path):
    (row,) = rows_of(tmp_path, taken(None), source="crops: Maker One")
    assert row["camera"] == "maker one"


def test_other_folders_and_formats_are_passed_over(tmp_path: Path):
    corpus_of(tmp_path, [("train/a.jpg", "", taken(CAMERA), "s"), ("camera/a.webp", "", b"x", "s")])
    assert json.loads(measure_cameras(tmp_path))["cameras"] == []


def test_a_folder_without_index_and_a_picture_that_cannot_be_read_are_refused(tmp_path: Path):
    with pytest.raises(CorpusError, match="missing"):
        measure_cameras(tmp_path)
    with pytest.raises(FileFailed, match=r"camera/0\.jpg cannot be read"):
        rows_of(tmp_path, b"no JPEG")
