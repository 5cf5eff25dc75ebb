"""Where a store is looked for, and what a file may look like before anybody speaks of a broken credential."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from signer.core.errors import ContainerUnreadable, ManifestMalformed
from signer.proof.container import read_manifest
from signer.proof.containers.places import MAX_PARTS
from tests.doubles.containers import app11, box, jumbf, pages, tag, tiff, with_segments
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import signed_photo


@pytest.fixture(scope="module")
def signed() -> bytes:
    return signed_photo(TestPki().leaf())


@pytest.mark.parametrize("name", ["scan_63_pages.tif", "scan_64_pages.tif", "jpegxt_three_boxes.jpg"])
def test_a_file_without_a_credential_is_looked_through_and_has_none(name: str, suites: Path) -> None:
    kind = "image/jpeg" if name.endswith("jpg") else "image/tiff"
    assert read_manifest((suites / "found/not-a-credential" / name).read_bytes(), kind) is None


@pytest.mark.parametrize("count", [1, 64, 65, 300])
def test_a_scan_of_any_number_of_pages_has_no_manifest(count: int) -> None:
    assert read_manifest(pages(count), "image/tiff") is None


JPEG_XT = [box(b"LCHK", b"12345678"), box(b"SPEC", bytes(12)), box(b"FTYP", b"jpxt    ")]
OTHER_BOXES = {
    "three types share a number": [app11(1, 1, b) for b in JPEG_XT],
    "one number twice": [app11(1, 1, JPEG_XT[0]), app11(1, 1, JPEG_XT[0])],
    "a piece is missing": [app11(1, 1, JPEG_XT[0]), app11(1, 3, JPEG_XT[0])],
    "JUMBF of another kind": [app11(1, 1, jumbf(b"jpeg360"))],
    "JUMBF of another kind, twice": [app11(1, 1, jumbf(b"jlink")), app11(1, 1, jumbf(b"jlink"))],
    "a box without a body": [app11(1, 1, box(b"jumb", b""))],
}


@pytest.mark.parametrize("segments", OTHER_BOXES.values(), ids=list(OTHER_BOXES))
def test_boxes_of_others_in_a_jpeg_are_no_manifest(segments: list[bytes]) -> None:
    assert read_manifest(with_segments(photo(), *segments), "image/jpeg") is None


def test_boxes_of_others_that_share_the_store_s_number_do_not_tear_it(signed: bytes) -> None:
    number = signed[signed.index(b"JP") + 2 : signed.index(b"JP") + 4]
    beside = app11(struct.unpack(">H", number)[0], 1, jumbf(b"jpeg360"))
    assert read_manifest(with_segments(signed, beside), "image/jpeg") == read_manifest(signed, "image/jpeg")


LOOPS = {
    "to itself": tiff((tag(256, 3, 1, 1), 8)),
    "to the first": tiff((tag(256, 3, 1, 1), 26), (tag(256, 3, 1, 1), 8)),
}


@pytest.mark.parametrize("data", LOOPS.values(), ids=list(LOOPS))
def test_directories_in_a_circle_were_all_seen(data: bytes) -> None:
    assert read_manifest(data, "image/tiff") is None


UNREADABLE = {
    "TIFF: half a file": ("image/tiff", pages(3)[:500]),
    "TIFF: the next directory lies nowhere": ("image/tiff", tiff((tag(256, 3, 1, 1), 0x7FFFFFFF))),
    "TIFF: a directory without end": ("image/tiff", b"MM\0*\0\0\0\x08\xff\xff" + bytes(100)),
    "TIFF: the tag of a store over other bytes": (
        "image/tiff",
        tiff((tag(0xCD41, 7, 40, 8), 0), after=bytes(60)),
    ),
    "JPEG: a segment of length one": ("image/jpeg", b"\xff\xd8\xff\xe1\0\x01" + bytes(40)),
    "JPEG: no picture": ("image/jpeg", photo()[:30]),
    "PNG: cut": ("image/png", photo("PNG")[:200]),
    "PNG: the chunk of a store over other bytes": (
        "image/png",
        photo("PNG")[:33] + struct.pack(">I", 4) + b"caBXtextcrc_" + photo("PNG")[33:],
    ),
    "GIF: cut": ("image/gif", photo("GIF")[:200]),
    "GIF: a block of no kind": ("image/gif", photo("GIF")[:-1] + b"\x99;"),
    "WebP: cut": ("image/webp", photo("WEBP")[:-10]),
    "AVIF: cut": ("image/avif", photo("AVIF")[:-10]),
    "MP4: a box of length two": ("video/mp4", box(b"ftyp", b"isom") + b"\0\0\0\x02free"),
}  # fmt: skip


@pytest.mark.parametrize(("media_type", "data"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_file_that_cannot_be_looked_through_is_not_accused(media_type: str, data: bytes) -> None:
    with pytest.raises(ContainerUnreadable):
        read_manifest(data, media_type)


def test_a_store_before_the_break_is_found(signed: bytes) -> None:
    end = signed.index(b"\xff\xda")
    assert read_manifest(signed[: end - 20], "image/jpeg") == read_manifest(signed, "image/jpeg")


def test_a_store_whose_header_lost_one_byte_is_known_as_a_store(signed: bytes) -> None:
    at = signed.index(b"jumb") - 4
    for i in range(at + 4, at + 38):
        hurt = signed[:i] + bytes([signed[i] ^ 1]) + signed[i + 1 :]
        assert read_manifest(hurt, "image/jpeg") is not None, i - at


def test_two_stores_are_refused(signed: bytes) -> None:
    at = signed.index(b"\xff\xeb")
    size = struct.unpack(">H", signed[at + 2 : at + 4])[0] + 2
    segment = signed[at : at + size]
    other = segment[:4] + b"JP\0\x77" + segment[8:]
    with pytest.raises(ManifestMalformed, match="more than one"):
        read_manifest(with_segments(signed, other), "image/jpeg")


MANY = MAX_PARTS + 10
TINY = {
    "boxes": ("video/mp4", box(b"ftyp", b"isom") + box(b"free", b"") * MANY),
    "chunks": ("audio/wav", b"RIFF" + struct.pack("<I", MANY * 8 + 4) + b"WAVE" + b"JUNK\0\0\0\0" * MANY),
    "PNG chunks": ("image/png", photo("PNG")[:33] + (bytes(4) + b"teXtcrc_") * MANY),
    "segments": ("image/jpeg", b"\xff\xd8" + b"\xff\xe5\0\x02" * MANY),
    "fill bytes": ("image/jpeg", b"\xff\xd8" + b"\xff" * MANY),
    "markers without a length": ("image/jpeg", b"\xff\xd8" + b"\xff\x01" * MANY),
    "sub-blocks": ("image/gif", b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\x01x" * MANY),
    "directories": ("image/tiff", tiff(*((b"", 8 + 6 * (i + 1)) for i in range(MANY)))),
}


@pytest.mark.parametrize(("media_type", "data"), TINY.values(), ids=list(TINY))
def test_a_file_of_countless_tiny_parts_costs_a_bounded_time(media_type: str, data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ContainerUnreadable, match="parts"):
        read_manifest(data, media_type)
    assert time.process_time() - began < 5
