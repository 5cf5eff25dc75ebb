from __future__ import annotations

import pytest
from PIL import JpegPresets

from detector.forensics.compression import known_cameras
from detector.forensics.encoder_measure import measure_encoders
from detector.forensics.encoders import encoder_of, measured_encoders
from detector.pixels import exif
from detector.pixels.jpeg import parse_jpeg
from tests.detector.made import encoded, exif_block, jpeg_with, photo_like

PHOTO = photo_like(48, 64)
OWN = [min(255, 3 + i % 7) for i in range(64)]


def named(data: bytes):
    return encoder_of(parse_jpeg(data))


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_rule_of_libjpeg_is_named_with_its_quality(quality):
    found = named(encoded(PHOTO, quality=quality))
    assert (found.name, found.setting) == ("libjpeg or what is built on it", f"quality {quality}")


def test_the_levels_of_photoshop_that_pillow_publishes_are_named():
    tables = JpegPresets.presets["web_high"]["quantization"]
    found = named(encoded(PHOTO, qtables=tables, subsampling=0))
    assert (found.name, found.setting, found.basis) == ("Adobe Photoshop", "web high", "published")


def test_tables_that_nobody_was_measured_with_name_nobody():
    assert named(encoded(PHOTO, qtables=[OWN, OWN])) is None


def test_encoders_were_measured_in_several_files_and_are_no_camera_of_another_maker():
    for encoder in measured_encoders().values():
        assert encoder.files >= 3
    cameras = {d for c in known_cameras().values() for d in c.tables_sha256 if "nikon" in c.camera}
    assert all("Nikon" in e.name for d, e in measured_encoders().items() if d in cameras)


def test_a_table_is_made_of_files_that_agree_on_a_name(tmp_path):
    photo_of = {exif.MAKE: "SONY", exif.SOFTWARE: "ILCE-6000 v3.10"}
    for i in range(4):
        block = b"Exif\0\0" + exif_block(photo_of)
        (tmp_path / f"{i}.jpg").write_bytes(
            jpeg_with((0xE1, block), pixels=photo_like(48, 64, seed=i), qtables=[OWN, OWN])
        )
    text = measure_encoders((p, "one") for p in sorted(tmp_path.iterdir()))
    assert '"name": "a device of Sony"' in text
    assert '"files": 4' in text
    two = measure_encoders((p, "one") for p in sorted(tmp_path.iterdir())[:2])
    assert '"encoders": []' in two


def test_huffman_tables_of_the_standard_are_told_from_fitted_ones():
    assert parse_jpeg(encoded(PHOTO, quality=80)).usual_huffman is True
    assert parse_jpeg(encoded(PHOTO, quality=80, optimize=True)).usual_huffman is False
    assert parse_jpeg(b"\xff\xd8\xff\xd9").usual_huffman is None
