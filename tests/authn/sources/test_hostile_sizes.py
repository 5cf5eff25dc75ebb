"""Files made to cost time: the work grows with the file and no faster, and what is counted has an end.

Nothing here is held to seconds. Four times the bytes may take at most nine times as long (a quadratic search
takes sixteen), with the best of several runs, so that a busy machine does not decide.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable

import pytest

from authn.core.evidence import HeuristicOutcome
from authn.core.media import media_of
from authn.report.preview import make_preview, orientation_of
from authn.sources.compression import CompressionSource
from authn.sources.containers import (
    MAX_IPTC_DATASETS,
    MAX_PARTS,
    MAX_TEXT_CHUNKS,
    MAX_XMP_PACKETS,
    MAX_XMP_TOTAL,
    Blocks,
    read_blocks,
    xmp_packet,
)
from authn.sources.learned import LearnedSource
from authn.sources.markers import generator_of_text, generator_record
from authn.sources.metadata import MetadataSource
from detector.pixels.exif import MAX_VALUES, parse_exif
from detector.pixels.guard import affordable
from detector.pixels.jpeg import MAX_SCANS, MAX_SEGMENTS, parse_jpeg
from tests.detector.made import encoded, exif_block, jpeg_with, photo_like, png_chunk, png_with

FACTOR, AT_MOST, RUNS = 4, 9, 3
GIF = encoded(photo_like(16, 16), "GIF")
JPEG = encoded(photo_like(160, 160))
FTYP = b"\0\0\0\x18ftypisom\0\0\0\0isommp41"
STEPS = "Steps: 1, Seed: 1, CFG scale: 1, "


def segment(marker: int, payload: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def within(jpeg: bytes, extra: bytes) -> bytes:
    return jpeg[:2] + extra + jpeg[2:]


def riff(chunk: bytes, times: int) -> bytes:
    body = encoded(photo_like(16, 16), "WEBP")[12:] + chunk * times
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def took(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return max(best, 1e-4)


SEARCHED = {
    "openings": b"<x:xmpmeta",
    "closed elements that never end": b"<x:xmpmeta></x:xmpmeta" + b" " * 100,
    "closings": b"</x:xmpmeta",
    "openings far before a closing": b"<x:xmpmeta" * 10 + b" " * 2000 + b"</x:xmpmeta",
}


@pytest.mark.parametrize("piece", SEARCHED.values(), ids=SEARCHED)
def test_a_packet_is_searched_for_once_over(piece):
    small = piece * (2**20 // len(piece))
    assert xmp_packet(small) is None
    assert took(lambda: xmp_packet(small * FACTOR)) < AT_MOST * took(lambda: xmp_packet(small))


WHOLE_FILES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "xmp openings in a GIF": ("a.gif", lambda n: GIF + b"<x:xmpmeta" * (n * 100_000)),
    "exif openings in a GIF": ("a.gif", lambda n: GIF + b"Exif\0\0II*\0" * (n * 100_000)),
    "tiny boxes of a film": ("a.mp4", lambda n: FTYP + b"\0\0\0\x08free" * (n * 200_000)),
    "fill bytes of a JPEG": ("a.jpg", lambda n: within(JPEG, b"\xff" * (n * 2**18))),
    "stray bytes of a JPEG": ("a.jpg", lambda n: within(JPEG, b"\xff\0a" * (n * 2**17))),
    "restart markers of a JPEG": ("a.jpg", lambda n: within(JPEG, b"\xff\xd0" * (n * 2**18))),
    "exif segments": (
        "a.jpg",
        lambda n: within(JPEG, segment(0xE1, b"Exif\0\0" + exif_block({0x10E: "a" * 60_000})) * (n * 100)),
    ),
    "xmp segments": (
        "a.jpg",
        lambda n: within(JPEG, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a/>" * 9000) * (n * 100)),
    ),
    "photoshop resources": (
        "a.jpg",
        lambda n: within(JPEG, segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 4000) * (n * 4)),
    ),
    "chunks of a WebP": ("a.webp", lambda n: riff(b"abcd\0\0\0\0", n * 50_000)),
    "chunks of a PNG": ("a.png", lambda n: png_with(*[(b"tEXt", b"a\0b")] * (n * 4_000))),
}


@pytest.mark.parametrize("kind", WHOLE_FILES)
def test_looking_at_a_file_costs_in_proportion_to_its_size(kind):
    name, make = WHOLE_FILES[kind]

    def look(data: bytes) -> None:
        media = media_of(data, name)
        MetadataSource().examine(media)
        make_preview(media)
        orientation_of(media)

    small, large = make(1), make(FACTOR)
    assert took(lambda: look(large)) < AT_MOST * took(lambda: look(small))


@pytest.mark.parametrize("work", [generator_record, lambda t: generator_of_text("description", t)])
@pytest.mark.parametrize("piece", [STEPS, "\n" + STEPS, " --v", "dall-e" * 3, "prompt:", '{"a":'])
def test_looking_for_a_record_costs_in_proportion_to_the_text(work, piece):
    small = piece * (20_000 // len(piece))
    assert work(small) is None
    assert took(lambda: work(small * FACTOR)) < AT_MOST * took(lambda: work(small))


def test_of_many_exif_blocks_a_decoder_gets_none_and_the_reader_the_first():
    first = segment(0xE1, b"Exif\0\0" + exif_block({0x112: 6, 0x131: "GIMP 2.10"}))
    data = within(JPEG, first + segment(0xE1, b"Exif\0\0" + exif_block({0x112: 3})) * 1600)
    media = media_of(data, "a.jpg")
    assert (media.width, media.height) == (160, 160)
    assert len(affordable(data, "image/jpeg")) <= len(JPEG)
    assert orientation_of(media) == 6
    assert MetadataSource().examine(media)[1].outcome is HeuristicOutcome.SUPPORTS
    assert read_blocks(media).troubles == ["a second EXIF block was not read"]


def test_entries_that_point_at_the_same_megabyte_do_not_multiply_it():
    size, count = 2**20, 200
    entries = b"".join(struct.pack("<HHII", 0x9000 + i, 7, size, 8) for i in range(count))
    data = b"II*\0" + struct.pack("<I", 8 + size) + b"\0" * size + struct.pack("<H", count) + entries
    tags = parse_exif(data)
    assert tags.malformed
    assert 0 < sum(len(v) for _, v in tags.values if isinstance(v, bytes)) <= MAX_VALUES


def test_a_picture_of_many_scans_ends_in_an_abstention_and_has_no_preview():
    data = encoded(photo_like(160, 160), progressive=True)
    last = data.rindex(b"\xff\xda")
    media = media_of(data[:-2] + data[last:-2] * MAX_SCANS + data[-2:], "a.jpg")
    (evidence,) = LearnedSource().examine(media)
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert "scans" in evidence.reason
    assert make_preview(media) is None
    assert CompressionSource().examine(media)[0].reason


def blocks_of(data: bytes, name: str) -> Blocks:
    return read_blocks(media_of(data, name))


def test_what_is_counted_has_an_end_and_the_report_says_so():
    xmp = b"http://ns.adobe.com/xap/1.0/\0"
    many = blocks_of(jpeg_with(*[(0xE1, xmp + b"<a/>")] * 50), "a.jpg")
    assert (len(many.xmp), many.troubles) == (MAX_XMP_PACKETS, ["only the first 8 XMP packets were read"])
    heavy = blocks_of(png_with(*[(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 900_000)] * 5), "a.png")
    assert sum(map(len, heavy.xmp)) <= MAX_XMP_TOTAL
    assert len(heavy.troubles) == 1
    comments = blocks_of(jpeg_with(*[(0xFE, b"a")] * (MAX_TEXT_CHUNKS + 5)), "a.jpg")
    assert (len(comments.texts), len(comments.troubles)) == (MAX_TEXT_CHUNKS, 1)
    resources = b"8BIM\4\4\0\0\0\0\0\5\x1c\2x\0\0\0" * 3000
    captions = blocks_of(jpeg_with(*[(0xED, b"Photoshop 3.0\0" + resources)] * 40), "a.jpg")
    assert len(captions.iptc) <= MAX_IPTC_DATASETS
    assert captions.troubles == [f"only the first {MAX_PARTS} Photoshop resources were read"]
    webp = blocks_of(riff(b"abcd\0\0\0\0", MAX_PARTS + 1), "a.webp")
    assert webp.troubles == [f"the WebP has more than {MAX_PARTS} chunks, of which no more were read"]
    png = blocks_of(png_with(*[(b"teSt", b"")] * (MAX_PARTS + 1)), "a.png")
    assert "of which no more were read" in png.troubles[0]
    bombs = [png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 2**22, 9))] * 20
    plain = png_with()
    inflated = blocks_of(plain[:-12] + b"".join(bombs) + plain[-12:], "a.png")
    assert sum(len(t) for _, t in inflated.texts) <= 8 * 2**20
    assert parse_jpeg(within(JPEG, segment(0xE1, b"") * (MAX_SEGMENTS + 1))).troubles
