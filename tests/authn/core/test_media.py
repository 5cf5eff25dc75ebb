"""Limits and sniffing: whatever the file is, the answer is a ``Media`` or one typed refusal."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from authn.core.errors import MediaError, MediaTooLarge, UnreadableMedia, UnsupportedMedia
from authn.core.media import MediaLimits, media_of, open_media, sniff
from authn.report.preview import make_preview
from detector.core.errors import PixelsUnreadable
from detector.pixels.guard import decoding
from tests.doubles.oversized import OVERSIZED
from tests.doubles.photos import photo, sound


def test_a_photo_is_read_whole_with_its_size_and_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(photo())
    media = open_media(file)
    assert (media.media_type, media.width, media.height) == ("image/jpeg", 96, 64)
    assert media.data == photo()


@pytest.mark.parametrize(
    ("image_format", "media_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/tiff"),
     ("GIF", "image/gif"), ("AVIF", "image/avif")],
)  # fmt: skip
def test_the_bytes_decide_the_type_and_the_name_is_only_a_claim(image_format: str, media_type: str) -> None:
    media = media_of(photo(image_format), "movie.mp4")
    assert (media.media_type, media.claimed_type) == (media_type, "video/mp4")
    assert (media.width, media.height) == (96, 64)


def test_sound_has_no_size_in_pixels() -> None:
    media = media_of(sound(), "a.wav")
    assert (media.media_type, media.width) == ("audio/wav", None)


def test_heif_size_is_read_from_the_boxes(suites: Path) -> None:
    media = open_media(suites / "c2pa/c2pa-rs-fixtures/sample1.heif")
    assert media.media_type == "image/heic"
    assert media.width


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", UnreadableMedia),
        (b"hello, this is text", UnsupportedMedia),
        (b"PK\x03\x04" + bytes(40), UnsupportedMedia),
        (b"\xff\xd8\xff", UnreadableMedia),
        (photo()[:30], UnreadableMedia),
        (b"\x89PNG\r\n\x1a\n", UnreadableMedia),
        (b"II*\0\xff\xff\xff\xff", UnreadableMedia),
    ],
    ids=["empty", "text", "zip", "three bytes", "cut in the header", "only a signature", "TIFF to nowhere"],
)  # fmt: skip
def test_bad_bytes_get_their_own_refusal(data: bytes, error: type[MediaError]) -> None:
    with pytest.raises(error):
        media_of(data, "x.jpg")


@pytest.mark.parametrize("name", OVERSIZED)
def test_too_many_pixels_close_a_picture_to_decoders_and_refuse_nothing(name: str) -> None:
    media = media_of(OVERSIZED[name](), name)
    if name == "wide.webp":  # Pillow keeps the size to itself
        assert (media.width, media.height) == (None, None)
        assert media.not_decoded == "it declares more than 178956970 pixels, and no limit allows that many"
    else:
        size = f"{media.width} x {media.height}"
        assert size == ("50000 x 50000" if name == "bomb.png" else "20000 x 20000")
        assert media.not_decoded == f"it declares {size} pixels; the limit is 128000000"
    assert make_preview(media) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_the_limit_of_pixels_is_the_callers_to_the_pixel(kind: str) -> None:
    at, over = (media_of(photo(kind), "x", MediaLimits(max_pixels=n)) for n in (96 * 64, 96 * 64 - 1))
    assert (at.not_decoded, over.not_decoded) == ("", "it declares 96 x 64 pixels; the limit is 6143")
    assert (make_preview(at) is None, make_preview(over) is None) == (False, True)


def test_a_file_over_the_limit_is_not_even_read(tmp_path: Path) -> None:
    file = tmp_path / "big.jpg"
    with file.open("wb") as f:
        f.truncate(10_000_000_000)
    with pytest.raises(MediaTooLarge):
        open_media(file, MediaLimits(max_bytes=1_000_000))


def test_links_folders_pipes_and_missing_files_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "real.jpg").write_bytes(photo())
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("link.jpg", "dangling.jpg", "pipe.jpg", ".", "missing.jpg"):
        with pytest.raises(UnreadableMedia):
            open_media(tmp_path / name)


def test_a_png_with_megabytes_of_text_can_still_be_examined() -> None:
    out = io.BytesIO()
    text = PngInfo()
    text.add_text("workflow", "x" * 3_000_000, zip=True)
    Image.open(io.BytesIO(photo("PNG"))).save(out, "PNG", pnginfo=text)
    assert media_of(out.getvalue(), "generated.png").width == 96


def test_a_cut_photo_with_a_whole_header_can_still_be_examined() -> None:
    assert media_of(photo()[:-200], "cut.jpg").width == 96


@pytest.mark.parametrize("head", [b"RIFFftyp", b"RIFFftypqt  mp42", b"RIFFmoov", b"RIFF\x00\x00\x00\x00XXXX"])
def test_a_riff_of_a_form_that_is_not_examined_is_nothing_else_either(head: bytes) -> None:
    assert sniff(head + bytes(60)) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_media_or_one_typed_refusal(data: bytes) -> None:
    try:
        media_of(data, "x")
    except MediaError:
        return
    assert sniff(data) is not None


SIGNATURES = (
    b"\xff\xd8\xff\xe0",
    b"RIFF\0\0\0\0WEBP",
    b"II*\0",
    b"\x89PNG\r\n\x1a\n",
    b"\0\0\0\x18ftypavif",
)


@given(prefix=st.sampled_from(SIGNATURES), rest=st.binary(max_size=300))
def test_a_right_signature_before_rubbish_is_refused_or_read(prefix: bytes, rest: bytes) -> None:
    with contextlib.suppress(MediaError):
        assert media_of(prefix + rest, "x").media_type == sniff(prefix + rest)


ODD_HEADERS = {
    "float TIFF": ("found/containers/float_rgb.tif", "image/tiff"),
    "gain map AVIF": ("found/containers/gainmap_gammazero_libavif.avif", "image/avif"),
}


@pytest.mark.parametrize(("name", "media_type"), ODD_HEADERS.values(), ids=list(ODD_HEADERS))
def test_a_picture_whose_header_nobody_reads_is_media_without_a_size(
    name: str, media_type: str, suites: Path
) -> None:
    media = open_media(suites / name)
    assert (media.media_type, media.width, media.height) == (media_type, None, None)


NO_SIZE = {
    "PNG of no columns": photo("PNG")[:16] + bytes(8) + photo("PNG")[24:],
    "WebP of an unknown chunk": b"RIFF" + (200).to_bytes(4, "little") + b"WEBPVP8?" + bytes(200),
    "JPEG without a frame": b"\xff\xd8\xff\xdb" + bytes(200),
    "TIFF to nowhere": b"II*\0\xff\xff\xff\xff" + bytes(200),
    "AVIF without boxes": b"\0\0\0\x18ftypavif" + bytes(200),
    "GIF of no colours": b"GIF89a" + b"\xff" * 200,
}


@pytest.mark.parametrize("data", NO_SIZE.values(), ids=list(NO_SIZE))
def test_what_has_no_size_is_shown_to_no_decoder(data: bytes) -> None:
    media = media_of(data, "x")
    if media.width is None:
        assert make_preview(media) is None


@pytest.mark.parametrize("kind", [RuntimeError, OverflowError, RecursionError, AttributeError, EOFError])
def test_whatever_a_decoder_raises_is_one_typed_refusal(kind: type[Exception]) -> None:
    with pytest.raises(PixelsUnreadable, match=kind.__name__), decoding("the picture"):
        raise kind("as libavif does")


def test_a_decoders_words_do_not_stand_in_a_report(suites: Path) -> None:
    """Pillow's name an address in memory, which is another one every time."""
    with pytest.raises(PixelsUnreadable) as raised, decoding("the picture"):
        Image.open(io.BytesIO(b"no picture"))
    assert raised.value.detail == "the picture cannot be decoded (UnidentifiedImageError)"
