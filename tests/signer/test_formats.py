"""What is signed at all: by the bytes, and only if they are all there."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from signer.core.errors import InputRefused, UnreadableMedia, UnsupportedMedia
from signer.formats import media_type_of
from signer.proof.container import supports
from tests.doubles.photos import photo, sound

WHOLE = {
    "image/jpeg": photo("JPEG"),
    "image/png": photo("PNG"),
    "image/webp": photo("WEBP"),
    "image/tiff": photo("TIFF"),
    "image/avif": photo("AVIF"),
    "audio/wav": sound(),
}
SUITE = {
    "sample1.avif": "image/avif",
    "sample1.heif": "image/heic",
    "sample1.webp": "image/webp",
    "test.webp": "image/webp",
    "test.tiff": "image/tiff",
    "libpng-test.png": "image/png",
    "IMG_0003.jpg": "image/jpeg",
    "video1.mp4": "video/mp4",
}


@pytest.mark.parametrize("media_type", WHOLE)
def test_the_bytes_decide_the_kind_and_the_name_does_not(media_type: str) -> None:
    assert media_type_of(WHOLE[media_type], "holiday.txt") == media_type
    assert supports(media_type)


@pytest.mark.parametrize("name", SUITE)
def test_files_of_other_makers_are_recognised_as_whole(suites: Path, name: str) -> None:
    data = (suites / "c2pa/c2pa-rs-fixtures" / name).read_bytes()
    assert media_type_of(data, name) == SUITE[name]


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("media_type", WHOLE)
def test_a_truncated_file_is_refused(media_type: str, part: float) -> None:
    data = WHOLE[media_type]
    with pytest.raises(UnreadableMedia, match="truncated"):
        media_type_of(data[: int(len(data) * part)], "x")


def test_a_truncated_jpeg_is_refused_even_where_its_thumbnail_ends_properly() -> None:
    body = photo("JPEG")
    thumbnail = b"\xff\xd8\xff\xd9"
    with_thumbnail = body[:2] + b"\xff\xe1\x00\x0c" + b"Exif\0\0" + thumbnail + body[2:]
    assert media_type_of(with_thumbnail, "x") == "image/jpeg"
    with pytest.raises(UnreadableMedia, match="truncated"):
        media_type_of(with_thumbnail[:-200], "x")


def test_what_a_phone_appends_to_a_jpeg_does_not_matter() -> None:
    assert media_type_of(photo("JPEG") + b"a short film \xff\xda", "x") == "image/jpeg"


@pytest.mark.parametrize("name", ["DSC_0001.NEF", "_A1.arw", "x.cr2", "x.pef"])
def test_a_raw_file_of_a_camera_is_not_rewritten(name: str) -> None:
    with pytest.raises(UnsupportedMedia, match="raw file"):
        media_type_of(WHOLE["image/tiff"], name)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"plain text " * 9,
        photo("GIF"),
        b"%PDF-1.7\n",
        b"RIFF\x04\0\0\0CDXA",
        b"II+\0\x08\0\0\0",
        b"\0" * 99,
    ],
    ids=["byte", "text", "gif", "pdf", "riff", "bigtiff", "zeros"],
)
def test_other_kinds_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        media_type_of(data, "photo.jpg")


@pytest.mark.parametrize("media_type", WHOLE)
def test_mutated_headers_end_in_a_kind_or_a_typed_refusal(media_type: str) -> None:
    noise = random.Random(media_type)
    for _ in range(300):
        data = bytearray(WHOLE[media_type])
        for _ in range(noise.randint(1, 8)):
            data[noise.randrange(min(len(data), 400))] = noise.choice((0, 1, 127, 128, 255))
        del data[noise.randint(1, len(data)) :]
        with suppress(InputRefused):
            assert supports(media_type_of(bytes(data), "x"))
