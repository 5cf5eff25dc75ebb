"""Pictures that are no plain eight-bit RGB: each is looked at as people see it, or is told why it is not."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from detector.core.errors import DetectorError, NotApplicable, PixelsUnreadable
from detector.pixels.decode import Pixels, decode
from detector.pixels.orientation import orientation_of
from detector.pixels.png import png_chunks
from detector.pixels.upright import decode_upright
from tests.detector.made import encoded, exif_block, photo_like, png_chunk, png_with

PHOTO = photo_like(64, 96)


def with_alpha(clear_rows: int, kind: str = "PNG") -> bytes:
    alpha = np.full((*PHOTO.shape[:2], 1), 255, np.uint8)
    alpha[:clear_rows] = 7
    return encoded(np.dstack([PHOTO, alpha]), kind, lossless=True, exact=True)


def damaged(data: bytes, chunk: bytes) -> bytes:
    """With a wrong checksum on the first chunk of that kind."""
    end = next(e for k, _, e in png_chunks(data) if k == chunk)
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


def heic(pixels: Pixels, **options: object) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(out, quality=95, **options)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("WEBP", "image/webp")])
def test_an_opaque_fourth_channel_changes_nothing_and_a_transparent_part_is_not_applicable(kind, media_type):
    assert np.array_equal(decode(with_alpha(0, kind), media_type), PHOTO)
    with pytest.raises(NotApplicable, match="25% of the picture is transparent"):
        decode(with_alpha(16, kind), media_type)


def test_a_colour_that_stands_for_transparency_counts_as_that():
    with pytest.raises(NotApplicable, match="transparent"):
        decode(encoded(np.zeros_like(PHOTO), "PNG", transparency=(0, 0, 0)), "image/png")
    grey = Image.fromarray(PHOTO).convert("LA")
    out = io.BytesIO()
    grey.save(out, "PNG")
    assert np.array_equal(decode(out.getvalue(), "image/png")[:, :, 2], np.asarray(grey)[:, :, 0])


def test_of_sixteen_bits_the_upper_eight_are_looked_at():
    deep = (PHOTO.astype(np.uint16) << 8) | 0x5A
    opaque = np.dstack([deep[:, :, ::-1], np.full(PHOTO.shape[:2], 65535, np.uint16)])
    for picture in (deep[:, :, ::-1], opaque):
        ok, data = cv2.imencode(".png", picture)
        assert ok
        assert np.array_equal(decode(data.tobytes(), "image/png"), PHOTO)


def test_cmyk_is_not_applicable():
    out = io.BytesIO()
    Image.fromarray(PHOTO).convert("CMYK").save(out, "JPEG")
    with pytest.raises(NotApplicable, match="CMYK"):
        decode(out.getvalue(), "image/jpeg")


@pytest.mark.parametrize("chunk", [b"IHDR", b"gAMA", b"IDAT", b"IEND"])
def test_a_png_is_decoded_whatever_its_checksums_say_while_its_pixels_are_whole(chunk):
    whole = png_with((b"gAMA", struct.pack(">I", 45455)), side=64)
    assert np.array_equal(decode(damaged(whole, chunk), "image/png"), decode(whole, "image/png"))


def test_a_png_whose_pixels_do_not_fit_their_own_checksum_is_refused():
    raw = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PHOTO))
    header = (b"IHDR", struct.pack(">IIBBBBB", 96, 64, 8, 2, 0, 0, 0))

    def png(body: bytes) -> bytes:
        chunks = (header, (b"IDAT", body), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(k, p) for k, p in chunks)

    assert np.array_equal(decode(png(raw), "image/png"), PHOTO)
    for wrong in (raw[:-1] + bytes([raw[-1] ^ 1]), raw[:-40]):
        with pytest.raises(PixelsUnreadable):
            decode(png(wrong), "image/png")


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 1), (1, 1)])
def test_a_line_of_pixels_is_decoded_as_what_it_is(shape):
    picture = photo_like(*shape)
    assert np.array_equal(decode(encoded(picture, "PNG"), "image/png"), picture)


@pytest.mark.parametrize(("kind", "media_type"), [("HEIF", "image/heic"), ("AVIF", "image/avif")])
def test_heic_and_avif_are_decoded_within_the_limit_and_cut_ones_are_refused(kind, media_type):
    data = heic(PHOTO) if kind == "HEIF" else encoded(PHOTO, kind, quality=95)
    assert np.abs(decode(data, media_type).astype(int) - PHOTO).mean() < 8
    with pytest.raises(NotApplicable, match="the limit is 100"):
        decode(data, media_type, max_pixels=100)
    with pytest.raises(DetectorError):
        decode(data[: len(data) // 2], media_type)


def test_transparency_and_animation_are_told_in_avif_and_heic_too():
    clear = np.dstack([PHOTO, np.zeros((*PHOTO.shape[:2], 1), np.uint8)])
    for data, media_type in ((heic(clear), "image/heic"), (encoded(clear, "AVIF"), "image/avif")):
        with pytest.raises(NotApplicable, match="100% of the picture is transparent"):
            decode(data, media_type)
    frames = [Image.fromarray(photo_like(64, 64, s)) for s in range(2)]
    out = io.BytesIO()
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:])
    with pytest.raises(NotApplicable, match="animated"):
        decode(out.getvalue(), "image/avif")


def test_files_of_others_in_these_formats_are_decoded(suites: Path):
    for name, media_type, shape in (
        ("found/heic-iloc/iloc_v1_bo4_single.heic", "image/heic", (400, 600, 3)),
        ("c2pa/c2pa-rs-fixtures/sample1.avif", "image/avif", (800, 1204, 3)),
    ):
        assert decode((suites / name).read_bytes(), media_type).shape == shape


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_every_format_is_turned_by_the_same_tag(kind):
    media_type = f"image/{kind.lower()}"
    tags = Image.Exif()
    tags[0x112] = 6
    data = encoded(PHOTO, kind, exif=tags)
    assert orientation_of(data, media_type) == 6
    assert decode(data, media_type).shape == PHOTO.shape
    assert decode_upright(data, media_type).shape == (96, 64, 3)
    assert orientation_of(encoded(PHOTO, kind), media_type) == 1
    tags[0x112] = 99
    assert orientation_of(encoded(PHOTO, kind, exif=tags), media_type) == 1


def test_heic_is_turned_by_its_decoder_alone():
    data = heic(PHOTO, exif=exif_block({0x112: 6}))
    assert orientation_of(data, "image/heic") == 1
    assert decode_upright(data, "image/heic").shape == decode(data, "image/heic").shape
