from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detector.errors import PixelsUnreadable
from detector.forensics.jpeg import MAX_SEGMENTS, parse_jpeg
from tests.detector.made import encoded, jpeg_with, jpegs, photo_like

PHOTO = photo_like(48, 64)


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_structure_says_size_sampling_and_process(subsampling, name):
    jpeg = parse_jpeg(encoded(PHOTO, subsampling=subsampling, progressive=name == "4:2:2"))
    assert (jpeg.width, jpeg.height, jpeg.subsampling) == (64, 48, name)
    assert jpeg.progressive is (name == "4:2:2")
    assert jpeg.complete


@pytest.mark.parametrize("quality", [5, 50, 75, 92, 100])
def test_tables_are_those_that_pillow_reads(quality):
    data = encoded(PHOTO, quality=quality)
    with Image.open(io.BytesIO(data)) as image:
        theirs = [tuple(t) for t in image.quantization.values()]
    assert list(parse_jpeg(data).tables) == theirs


def test_every_camera_file_of_the_corpus_is_walked_to_its_end(corpus_dir):
    for path in jpegs(corpus_dir / "camera")[:60]:
        assert parse_jpeg(path.read_bytes()).complete, path.name


def test_a_picture_that_stops_early_is_not_complete():
    data = encoded(PHOTO)
    assert not any(parse_jpeg(data[:n]).complete for n in range(2, len(data) - 1, 37) if data[n - 1] != 0xFF)


def test_segments_of_applications_and_comments_are_listed():
    jpeg = parse_jpeg(jpeg_with((0xEB, b"hello"), (0xFE, b"remark")))
    assert (0xEB, b"hello") in [(s.marker, s.payload) for s in jpeg.segments]
    assert (0xFE, b"remark") in [(s.marker, s.payload) for s in jpeg.segments]


def test_endless_segments_are_refused():
    with pytest.raises(PixelsUnreadable, match="segments"):
        parse_jpeg(b"\xff\xd8" + b"\xff\xe1\0\x02" * (MAX_SEGMENTS + 1))


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\x00\x00", b"\xff\xd8\xff\xe0\x00\x01", b"\xff\xd8\xff\xdb\x00\x05\x00\x01\x02", b"PNG"],
)
def test_what_is_no_jpeg_raises_a_typed_error(data):
    with pytest.raises(PixelsUnreadable):
        parse_jpeg(data)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_structure_gives_a_structure_or_a_typed_error(data):
    raw = bytearray(encoded(PHOTO))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, min(700, len(raw) - 1)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PixelsUnreadable):
        assert parse_jpeg(bytes(raw)).scans >= 0
