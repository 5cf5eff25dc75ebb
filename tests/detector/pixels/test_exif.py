"""EXIF as strangers write it: read as far as it goes, bounded, and never an exception."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detector.pixels import exif
from detector.pixels.exif import ExifTags, exif_of, parse_exif
from detector.pixels.jpeg import parse_jpeg
from tests.detector.made import exif_block, jpeg_with, jpegs


def entry(order: str, tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(order + "HHI", tag, kind, count) + value


def directory(order: str, *entries: bytes, count: int | None = None, behind: bytes = b"") -> bytes:
    """A TIFF structure of one directory; ``behind`` begins at 14 + 12 for each entry."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    number = struct.pack(order + "H", len(entries) if count is None else count)
    return mark + struct.pack(order + "I", 8) + number + b"".join(entries) + b"\0\0\0\0" + behind


def test_exif_text_and_numbers_of_both_directories_are_read():
    tags = parse_exif(exif_block({exif.MAKE: "Nikon", exif.MODEL: "D70"}, {exif.PIXEL_X: 3008}))
    assert (tags.text(exif.MAKE), tags.text(exif.MODEL)) == ("Nikon", "D70")
    assert tags.number(exif.PIXEL_X) == 3008
    assert not tags.malformed


def test_exif_of_camera_files_agrees_with_pillow(corpus_dir):
    for path in jpegs(corpus_dir / "camera" / "exif_samples")[:12]:
        with Image.open(path) as image:
            theirs = image.getexif()
        mine = exif_of(parse_jpeg(path.read_bytes()))
        assert mine.text(exif.MAKE) == str(theirs[exif.MAKE]).split("\0", 1)[0].strip()


@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [(3, "Hxx", 700), (4, "I", 70_000), (8, "hxx", -7), (9, "i", -70_000), (13, "I", 8)],
    ids=["short", "long", "signed short", "signed long", "directory"],
)
def test_every_whole_number_is_read_in_both_byte_orders(order: str, kind: int, form: str, value: int):
    tags = parse_exif(directory(order, entry(order, exif.PIXEL_X, kind, 1, struct.pack(order + form, value))))
    assert (tags.value(exif.PIXEL_X), tags.malformed) == (value, False)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_fraction_is_its_quotient(above: int, below: int):
    raw = struct.pack("<II", above, below)
    tags = parse_exif(directory("<", entry("<", exif.F_NUMBER, 5, 1, struct.pack("<I", 26)), behind=raw))
    assert tags.number(exif.F_NUMBER) == pytest.approx(above / below)


@pytest.mark.parametrize(
    ("kind", "count", "value", "behind"),
    [(5, 1, struct.pack("<I", 26), struct.pack("<II", 1, 0)), (12, 1, struct.pack("<I", 26), bytes(8))],
    ids=["a fraction over zero", "a floating number"],
)
def test_a_value_that_means_no_number_is_left_out_and_nothing_is_malformed(kind, count, value, behind):
    tags = parse_exif(directory("<", entry("<", exif.F_NUMBER, kind, count, value), behind=behind))
    assert tags == ExifTags(values=(), malformed=False)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"II*\0",
        b"XX*\0" + bytes(20),
        directory("<", count=3),
        directory("<", entry("<", exif.MAKE, 99, 1, b"abcd")),
        directory("<", entry("<", exif.MAKE, 2, 500, struct.pack("<I", 26))),
        b"II*\0" + struct.pack("<I", 9_999) + bytes(8),
    ],
    ids=["nothing", "no room", "no order", "fewer entries", "unknown type", "behind the end", "far away"],
)
def test_what_cannot_be_read_is_left_out_and_said(raw: bytes):
    assert parse_exif(raw) == ExifTags(values=(), malformed=True)


def test_values_that_all_point_at_the_same_megabyte_are_read_to_a_limit():
    blob = bytes(exif.MAX_BLOB)
    entries = [entry("<", n, 7, exif.MAX_BLOB, struct.pack("<I", 14 + 12 * 8)) for n in range(1, 9)]
    tags = parse_exif(directory("<", *entries, behind=blob))
    assert tags.malformed
    assert sum(len(value) for _, value in tags.values) == exif.MAX_VALUES


def test_a_directory_of_too_many_entries_is_read_to_its_limit():
    entries = [entry("<", n, 4, 1, struct.pack("<I", n)) for n in range(1, exif.MAX_ENTRIES + 2)]
    assert len(parse_exif(directory("<", *entries)).values) == exif.MAX_ENTRIES


def test_the_first_value_of_a_tag_counts():
    twice = [entry("<", exif.PIXEL_X, 4, 1, struct.pack("<I", n)) for n in (1, 2)]
    assert parse_exif(directory("<", *twice)).number(exif.PIXEL_X) == 1


def test_a_value_is_asked_for_by_its_kind():
    tags = parse_exif(exif_block({exif.MAKE: "Nikon", exif.PIXEL_X: 9}, {exif.USER_COMMENT: b"abcdefgh"}))
    assert (tags.number(exif.MAKE), tags.text(exif.PIXEL_X), tags.blob(exif.MAKE)) == (None, None, None)
    assert tags.blob(exif.USER_COMMENT) == b"abcdefgh"
    assert parse_exif(exif_block({exif.MAKE: ""})).text(exif.MAKE) is None


def test_the_exif_of_a_jpeg_is_its_first_block_and_nothing_else_in_that_segment():
    other, first, second = (0xE1, b"http://ns"), exif_block({exif.MAKE: "A"}), exif_block({exif.MAKE: "B"})
    blocks = [
        (marker, b"Exif\0\0" + block) for marker, block in ((0xE2, second), (0xE1, first), (0xE1, second))
    ]
    data = jpeg_with(other, *blocks)
    assert exif_of(parse_jpeg(data)).text(exif.MAKE) == "A"
    assert exif_of(parse_jpeg(jpeg_with(other))) is None


@given(st.binary(max_size=400))
def test_no_exif_bytes_raise(raw):
    for order in (b"II*\0", b"MM\0*", b""):
        parse_exif(order + raw)


@given(st.data())
def test_damaged_exif_is_read_as_far_as_it_goes(data):
    raw = bytearray(exif_block({exif.MAKE: "Nikon", exif.SOFTWARE: "x" * 50}, {exif.USER_COMMENT: b"a" * 40}))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    tags = parse_exif(bytes(raw))
    assert all(isinstance(v, str | int | float | bytes) for _, v in tags.values)


def test_a_directory_that_points_to_itself_ends():
    tags = parse_exif(exif_block({0x8769: 8, exif.MAKE: "x"}))
    assert tags.text(exif.MAKE) == "x"
