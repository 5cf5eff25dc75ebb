from __future__ import annotations

import io

import pytest
from PIL import Image

from detector.core.errors import DetectorError
from detector.forensics.camera_measure import measure_cameras
from detector.forensics.compression import (
    MIN_SAMPLES,
    CameraTables,
    Comparison,
    camera_key,
    compare,
    examine_compression,
    known_cameras,
    tables_digest,
)
from detector.pixels.jpeg import JpegStructure, parse_jpeg
from detector.pixels.quantisation import standard_table
from tests.detector.made import encoded, jpeg_with, photo_like

PHOTO = photo_like(48, 64)


@pytest.mark.parametrize("quality", [1, 30, 49, 50, 75, 95, 100])
def test_standard_software_is_known_by_its_exact_quality(quality):
    found = examine_compression(parse_jpeg(encoded(PHOTO, quality=quality)))
    assert (found.ijg_quality, found.standard, found.adobe) == (quality, True, False)


def test_the_standard_tables_are_those_that_libjpeg_writes():
    for quality in (10, 50, 90):
        with Image.open(io.BytesIO(encoded(PHOTO, quality=quality))) as image:
            luma, chroma = image.quantization[0], image.quantization[1]
        assert standard_table(quality) == tuple(luma)
        assert standard_table(quality, chroma=True) == tuple(chroma)


def test_tables_of_its_own_are_not_standard_and_have_a_nearest_quality():
    own = [min(255, v + (i % 5)) for i, v in enumerate(standard_table(90))]
    data = encoded(PHOTO, qtables=[own, own])
    found = examine_compression(parse_jpeg(data))
    assert not found.standard
    assert abs(found.ijg_quality - 90) <= 4


def test_segments_of_adobe_and_of_photoshops_form_are_told_apart():
    captioned = examine_compression(parse_jpeg(jpeg_with((0xED, b"Photoshop 3.0\0"))))
    coded = examine_compression(parse_jpeg(jpeg_with((0xEE, b"Adobe\0d\0\0\0\0\1"))))
    assert (captioned.adobe, captioned.photoshop) == (False, True)
    assert (coded.adobe, coded.photoshop) == (True, False)


def test_a_lossless_quarter_turn_does_not_change_the_digest():
    table = tuple(range(64))
    turned = tuple(8 * x + y for y in range(8) for x in range(8))
    assert tables_digest((table,)) == tables_digest((turned,))
    assert tables_digest((table,)) != tables_digest((table, table))


def test_a_jpeg_without_tables_is_refused():
    empty = JpegStructure(
        tables=(), sampling=(), width=1, height=1, progressive=False, scans=1, segments=(), complete=True
    )
    with pytest.raises(DetectorError, match="no quantisation tables"):
        examine_compression(empty)


def test_each_comparison_is_reached():
    found = examine_compression(parse_jpeg(encoded(PHOTO, quality=80)))
    own = [v + 1 for v in standard_table(80)]
    unlike = examine_compression(parse_jpeg(encoded(PHOTO, qtables=[own, own])))

    def camera(*digests, uses_standard=False, samples=MIN_SAMPLES):
        return CameraTables(camera="c", samples=samples, tables_sha256=digests, uses_standard=uses_standard)

    assert compare(found, None) is Comparison.UNKNOWN_CAMERA
    assert compare(found, camera(found.tables_sha256)) is Comparison.MATCHES_CAMERA
    assert compare(found, camera("x", uses_standard=True)) is Comparison.CAMERA_USES_STANDARD
    assert compare(found, camera("x")) is Comparison.SOFTWARE_TABLES
    assert compare(found, camera("x", samples=MIN_SAMPLES - 1)) is Comparison.FEW_SAMPLES
    assert compare(unlike, camera("x")) is Comparison.UNLIKE_BOTH


def test_the_packaged_table_of_cameras_is_what_the_corpus_gives(corpus_dir):
    from importlib.resources import files

    packaged = (files("detector") / "forensics" / "camera_tables.json").read_text(encoding="utf-8")
    assert measure_cameras(corpus_dir) == packaged


def test_the_packaged_table_can_be_read():
    camera = known_cameras()["nikon corporation nikon d70"]
    assert camera.samples >= 20
    assert not camera.uses_standard


def test_one_camera_has_one_spelling():
    assert camera_key("Canon", "Canon EOS 350D DIGITAL\0\0 ") == "canon canon eos 350d digital"
    assert camera_key("Canon", None) is None
