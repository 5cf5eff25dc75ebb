from __future__ import annotations

import io
import struct
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detector.core.errors import DetectorError, NotApplicable, PixelsUnreadable
from detector.pixels.decode import decode
from detector.pixels.png import MAX_CHUNKS, bare_png
from tests.detector.made import encoded, exif_block, jpeg_with, photo_like, png_chunk, png_with

PHOTO = photo_like(48, 64)
KINDS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}


@pytest.mark.parametrize("media_type", ["image/png", "image/webp"])
def test_lossless_pixels_come_back_in_rgb_order(media_type):
    data = encoded(PHOTO, KINDS[media_type], lossless=True)
    assert np.array_equal(decode(data, media_type), PHOTO)


@pytest.mark.parametrize("media_type", sorted(KINDS))
def test_a_truncated_picture_is_refused_instead_of_filled_with_grey(media_type):
    data = encoded(PHOTO, KINDS[media_type])
    for part in (0.3, 0.7, 0.95):
        with pytest.raises(PixelsUnreadable):
            decode(data[: int(len(data) * part)], media_type)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (png_with((b"zTXt", b"parameters\0\0" + zlib.compress(b"\0" * 2**27, 9)), side=48), "image/png"),
        (
            jpeg_with((0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"), (0xE2, b"MPF\0damaged"), pixels=PHOTO),
            "image/jpeg",
        ),
        (jpeg_with((0xDB, b"\x23" + b"\0\x10" * 64), pixels=PHOTO), "image/jpeg"),
    ],
    ids=["text that inflates for ever", "broken metadata", "odd table"],
)
def test_a_picture_that_is_whole_is_decoded_however_odd_the_file(data, media_type):
    assert decode(data, media_type).shape[2] == 3


def test_no_decoder_is_given_the_texts_of_a_png_to_inflate():
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 2**23, 9))
    texts = (*[text] * 3, (b"tEXt", b"a\0b"), (b"iTXt", b"a\0\1\0\0\0" + text[1][9:]))
    data, plain = png_with(*texts, (b"gAMA", b"\0\0\xb1\x8f")), png_with((b"gAMA", b"\0\0\xb1\x8f"))
    assert bare_png(data) == plain == bare_png(plain)
    assert bare_png(data[:-20]) == plain[:-20]  # what is cut is handed on as it is
    assert np.array_equal(decode(data, "image/png"), decode(plain, "image/png"))

    busy = png_with(*[text] * 150)  # 1.2 GB of text
    before = time.process_time()
    decode(busy, "image/png")
    assert time.process_time() - before < 1


def test_an_animated_png_is_not_applicable_and_one_of_a_single_frame_is():
    for frames, animated in ((2, True), (1, False)):
        data = png_with((b"acTL", struct.pack(">II", frames, 0)))
        if animated:
            with pytest.raises(NotApplicable, match="animated"):
                decode(data, "image/png")
        else:
            assert decode(data, "image/png").shape == (8, 8, 3)


def test_a_png_of_endless_chunks_is_not_given_to_a_decoder():
    data = png_with(*[(b"teSt", b"")] * (MAX_CHUNKS + 1))
    with pytest.raises(NotApplicable, match="chunks"):
        decode(data, "image/png")


def test_the_exif_orientation_is_ignored():
    plain = encoded(PHOTO)
    turned = jpeg_with((0xE1, b"Exif\0\0" + exif_block({0x112: 6})), pixels=PHOTO)
    assert decode(turned, "image/jpeg").shape == decode(plain, "image/jpeg").shape


@pytest.mark.parametrize("media_type", ["image/jxl", "image/gif", "image/tiff", "video/mp4"])
def test_other_formats_are_not_applicable(media_type):
    with pytest.raises(NotApplicable, match="not decoded here"):
        decode(b"anything", media_type)


def test_an_animation_is_not_applicable(tmp_path):
    frames = [Image.fromarray(photo_like(32, 32, s)) for s in range(2)]
    path = tmp_path / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(NotApplicable, match="animated"):
        decode(path.read_bytes(), "image/webp")


def test_a_header_that_declares_a_huge_picture_is_refused_before_decoding():
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 99))
    with pytest.raises(NotApplicable):
        decode(bomb + png_chunk(b"IEND", b""), "image/png")


def test_the_pixel_limit_is_the_callers():
    with pytest.raises(NotApplicable, match="the limit is 100"):
        decode(encoded(PHOTO), "image/jpeg", max_pixels=100)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_pictures_decode_or_raise_a_typed_error(data):
    media_type = data.draw(st.sampled_from(sorted(KINDS)))
    raw = bytearray(encoded(PHOTO, KINDS[media_type]))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(bytes(raw), media_type, max_pixels=1_000_000)
    except DetectorError:
        return
    assert pixels.ndim == 3


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)))
def test_random_bytes_raise_a_typed_error(raw, media_type):
    with pytest.raises(DetectorError):
        decode(raw, media_type)


HEADERS = {
    "a JPEG without a frame": (b"\xff\xd8\xff\xd9", "image/jpeg", "no readable image/jpeg header"),
    "a PNG cut in its header": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "image/png",
        "no readable image/png header",
    ),
    "a PNG that is none": (b"GIF89a" + bytes(60), "image/png", "no readable image/png header"),
    "a PNG without pixels": (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 5, 8, 2, 0, 0, 0)),
        "image/png",
        "without pixels",
    ),
    "a WebP that is none": (b"RIFF\0\0\0\0WEBP", "image/webp", "the image/webp header cannot be decoded"),
}


@pytest.mark.parametrize(("data", "media_type", "says"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_says_no_size_is_one_sentence_and_nothing_is_decoded(data, media_type, says):
    with pytest.raises(PixelsUnreadable, match=says):
        decode(data, media_type)


def test_pixels_are_those_of_pillow_but_for_the_rounding_of_a_lossy_decoder():
    data = encoded(PHOTO, quality=95, subsampling=0)
    with Image.open(io.BytesIO(data)) as image:
        theirs = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(decode(data, "image/jpeg").astype(int) - theirs).max() <= 3
