"""What stands between strangers' bytes and a decoder."""

from __future__ import annotations

import math
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.pixels.guard import UNDECODABLE, affordable, decoding
from detector.pixels.jpeg import MAX_SCANS, bare_jpeg
from detector.pixels.png import MAX_CHUNKS, bare_png, png_chunks
from detector.pixels.upright import decode_upright, upright
from tests.detector.made import encoded, exif_block, jpeg_with, photo_like, png_chunk, png_with

PHOTO = photo_like(16, 24)


@pytest.mark.parametrize("kind", UNDECODABLE, ids=lambda k: k.__name__)
def test_whatever_a_decoder_raises_is_one_sentence_without_its_own_words(kind: type[Exception]):
    with pytest.raises(PixelsUnreadable) as e, decoding("the picture"):
        raise kind("object at 0x7f00deadbeef")
    assert e.value.detail == f"the picture cannot be decoded ({kind.__name__})"


def test_more_pixels_than_any_limit_is_no_question_for_a_detector():
    with pytest.raises(NotApplicable, match="more pixels than any limit"), decoding("the header"):
        raise Image.DecompressionBombError


@pytest.mark.parametrize("kind", [MemoryError, KeyboardInterrupt])
def test_running_out_of_memory_and_a_stop_are_not_taken_for_a_bad_picture(kind: type[BaseException]):
    with pytest.raises(kind), decoding("the picture"):
        raise kind


def test_a_decoder_that_warns_is_not_heard():
    with decoding("the picture"):
        warnings.warn("odd but harmless", UserWarning, stacklevel=1)


def test_a_decoder_is_given_pictures_without_what_applications_wrote():
    jpeg = jpeg_with((0xE1, b"Exif\0\0" + bytes(9)), pixels=PHOTO)
    png = png_with((b"tEXt", b"a\0b"))
    assert affordable(jpeg, "image/jpeg") == bare_jpeg(jpeg) != jpeg
    assert affordable(png, "image/png") == bare_png(png) != png
    webp = encoded(PHOTO, "WEBP")
    assert affordable(webp, "image/webp") is webp


def test_a_decoder_is_not_given_a_picture_of_too_many_scans():
    data = encoded(PHOTO, progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(NotApplicable, match="scans"):
        affordable(data[:-2] + data[last:-2] * MAX_SCANS + data[-2:], "image/jpeg")
    with pytest.raises(PixelsUnreadable):
        affordable(b"GIF89a", "image/jpeg")


def test_the_chunks_of_a_png_lie_where_they_are_said_to_be():
    data = png_with((b"tEXt", b"first"), (b"gAMA", b"\0\0\xb1\x8f"))
    found = [(kind, data[start:end]) for kind, start, end in png_chunks(data)]
    assert found[1:3] == [(b"tEXt", b"first"), (b"gAMA", b"\0\0\xb1\x8f")]
    assert (found[0][0], found[-1]) == (b"IHDR", (b"IEND", b""))
    for kind, start, end in png_chunks(data):
        stated = struct.unpack_from(">I", data, end)[0]
        assert stated == zlib.crc32(kind + data[start:end]), kind


def test_the_walk_over_a_png_ends_with_the_picture_the_file_or_the_limit():
    data = png_with()
    assert [k for k, _, _ in png_chunks(data + png_chunk(b"tEXt", b"late"))][-1] == b"IEND"
    assert [k for k, _, _ in png_chunks(data[:-16])][-1] != b"IEND"
    assert list(png_chunks(data[:10])) == []
    endless = data[:8] + png_chunk(b"teSt", b"") * (MAX_CHUNKS + 1)
    with pytest.raises(NotApplicable, match="chunks"):
        bare_png(endless)


@pytest.mark.parametrize(("orientation", "shape"), [(1, (16, 24, 3)), (6, (24, 16, 3)), (8, (24, 16, 3))])
def test_a_lying_photo_is_set_upright_as_its_exif_says(orientation: int, shape: tuple[int, ...]):
    data = jpeg_with((0xE1, b"Exif\0\0" + exif_block({0x112: orientation})), pixels=PHOTO)
    assert decode_upright(data, "image/jpeg").shape == shape


def test_a_picture_without_exif_stays_as_it_is():
    assert decode_upright(encoded(PHOTO), "image/jpeg").shape == PHOTO.shape
    assert (decode_upright(encoded(PHOTO, "PNG"), "image/png") == PHOTO).all()


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
