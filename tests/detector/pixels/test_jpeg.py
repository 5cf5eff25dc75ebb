from __future__ import annotations

import contextlib
import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.pixels.decode import decode
from detector.pixels.jpeg import MAX_SCANS, MAX_SEGMENTS, ZIGZAG, bare_jpeg, jpeg_size, parse_jpeg
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


def test_endless_segments_are_not_walked_to_their_end():
    jpeg = parse_jpeg(b"\xff\xd8" + b"\xff\xe1\0\x02" * (MAX_SEGMENTS + 1))
    assert not jpeg.complete
    assert jpeg.troubles == (f"more than {MAX_SEGMENTS} segments",)


@pytest.mark.parametrize("data", [b"", b"PNG", b"\xff\xe0\0\x10JFIF"])
def test_what_is_no_jpeg_raises_a_typed_error(data):
    with pytest.raises(PixelsUnreadable):
        parse_jpeg(data)


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        (b"\xff\xd8\x00\x00", ()),
        (b"\xff\xd8\xff\xe0\x00\x01", ("a segment is shorter than its own length field",)),
        (b"\xff\xd8\xff\xdb\x00\x05\x00\x01\x02", ("a quantisation table is malformed",)),
        (b"\xff\xd8\xff\xc0\x00\x04\x08\x01", ("the frame header is malformed",)),
    ],
)
def test_what_cannot_be_read_is_named_and_the_picture_is_not_complete(data, trouble):
    jpeg = parse_jpeg(data)
    assert (jpeg.complete, jpeg.troubles) == (False, trouble)


def after_the_first_segment(data: bytes, stray: bytes) -> bytes:
    end = 4 + int.from_bytes(data[4:6], "big")
    return data[:end] + stray + data[end:]


@pytest.mark.parametrize("stray", [b"\0\0", b"ab", b"\xff\0", b"\x12\xff\xff", b"\xff\xd0", b"\xff\xff\xff"])
def test_stray_bytes_between_segments_are_passed_over_as_decoders_do(stray):
    plain = encoded(PHOTO)
    odd = after_the_first_segment(plain, stray)
    with Image.open(io.BytesIO(odd)) as image:
        image.load()
    assert parse_jpeg(odd).complete
    assert parse_jpeg(odd).tables == parse_jpeg(plain).tables
    assert (parse_jpeg(odd).width, parse_jpeg(odd).height) == (64, 48)
    assert np.array_equal(decode(odd, "image/jpeg"), decode(plain, "image/jpeg"))


def scans(count: int, height: int = 48, width: int = 64) -> bytes:
    """A progressive picture with its last scan over and over."""
    data = encoded(photo_like(height, width), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (scans(MAX_SCANS), "scans"),
        (scans(120, 1, 60_000).replace(struct.pack(">HH", 1, 60_000), b"\x88\0\xea\x60"), "scans of 60000"),
    ],
)
def test_a_picture_of_too_many_scans_is_not_given_to_a_decoder(data, why):
    assert parse_jpeg(data).complete
    with pytest.raises(NotApplicable, match=why):
        decode(data, "image/jpeg", max_pixels=10**10)


def test_pictures_as_encoders_write_them_have_few_enough_scans(corpus_dir):
    most = [parse_jpeg(p.read_bytes()) for p in jpegs(corpus_dir / "camera")[:60]]
    most.append(parse_jpeg(encoded(PHOTO, progressive=True)))
    assert max(j.scans for j in most) * 10 < MAX_SCANS
    assert not [j for j in most if j.too_costly]


def test_the_bare_picture_is_the_same_picture_without_what_applications_wrote():
    data = jpeg_with((0xE1, b"Exif\0\0" + b"x" * 60_000), (0xFE, b"remark"), pixels=PHOTO, progressive=True)
    bare = bare_jpeg(data)
    assert {s.marker for s in parse_jpeg(bare).segments} == {0xE0}
    assert np.array_equal(decode(bare, "image/jpeg"), decode(data, "image/jpeg"))
    assert bare_jpeg(b"\xff\xd8" + b"\xff\xe1\0\x02" * (MAX_SEGMENTS + 1)) == b"\xff\xd8"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_structure_gives_a_structure_or_a_typed_error(data):
    raw = bytearray(encoded(PHOTO))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, min(700, len(raw) - 1)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PixelsUnreadable):
        assert parse_jpeg(bytes(raw)).scans >= 0


@pytest.mark.parametrize(
    ("sampling", "name"),
    [
        (((1, 1),), "monochrome"),
        (((1, 2), (1, 1), (1, 1)), "4:4:0"),
        (((4, 1), (1, 1), (1, 1)), "4:1:1"),
        (((4, 2), (1, 1), (1, 1)), "4x2"),
        (((2, 2), (2, 1), (1, 1)), "2x2,2x1,1x1"),
        (((1, 1),) * 4, "1x1,1x1,1x1,1x1"),
    ],
)
def test_a_chroma_sampling_has_its_usual_name_or_its_factors(sampling, name):
    assert replace(parse_jpeg(encoded(PHOTO)), sampling=sampling).subsampling == name


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 5, "subsampling": 2}])
def test_the_size_alone_is_that_of_the_whole_structure(options):
    data = jpeg_with((0xE1, b"x" * 500), pixels=PHOTO, **options)
    assert jpeg_size(data) == (64, 48)
    assert jpeg_size(data[: data.rindex(b"\xff\xda")]) == (64, 48), (
        "nothing behind the frame header is looked at"
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"PNG", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x04\x08\x01", encoded(PHOTO)[:100]],
    ids=["nothing", "no JPEG", "start alone", "malformed frame", "cut before the frame"],
)
def test_a_file_without_a_frame_header_has_no_size(data):
    assert jpeg_size(data) is None


def test_a_frame_without_pixels_has_no_size():
    data = encoded(PHOTO).replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 0, 64), 1)
    assert jpeg_size(data) is None


def test_tables_of_sixteen_bits_are_read_and_put_in_rows():
    values = struct.pack(">64H", *range(300, 364))
    (table,) = parse_jpeg(b"\xff\xd8\xff\xdb" + struct.pack(">H", 2 + 1 + 128) + b"\x10" + values).tables
    assert [table[place] for place in ZIGZAG] == list(range(300, 364))
