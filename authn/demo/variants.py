"""What happens to a signed photo in the wild, done to its bytes: pure functions, no files.

Every variant is what its name says and nothing more: the changed one differs in a few pixels and keeps the
credential; the stripped one has exactly the signed pixels and no metadata at all.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops, PngImagePlugin, UnidentifiedImageError

from authn.core.errors import UnreadableMedia
from authn.core.media import sniff
from detector.core.errors import DetectorError
from detector.pixels.guard import decoding

SOI, SOS, EOI, APP0, APP1, APP14, APP15, COM = 0xD8, 0xDA, 0xD9, 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
JPEG_QUALITY = 90
CANDIDATE_BYTES = 600
CANDIDATES = 20
END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # neither stuffing nor a restart
XMP_NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
AI_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<Iptc4xmpExt:DigitalSourceType>{AI_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
GENERATOR_PARAMETERS = (
    "portrait of an officer, studio light\nNegative prompt: blurry\n"
    "Steps: 30, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: demo-marker"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """``says`` is what was done, in one line; ``file_name`` sorts in the order of telling."""

    file_name: str
    says: str
    data: bytes


def as_jpeg(data: bytes) -> bytes:
    """A JPEG as it is; any other picture that Pillow reads as one. Raises ``UnreadableMedia``."""
    if sniff(data) == "image/jpeg":
        return data
    return _encoded(_decoded(data).convert("RGB"), "JPEG", quality=95)


def variants(signed: bytes, marked_and_signed: bytes) -> tuple[Variant, ...]:
    """The set that the demo shows; both inputs are signed JPEG files. Raises ``UnreadableMedia``."""
    changed, pixels = change_one_bit(signed)
    return (
        Variant(file_name="1-untouched.jpg", says="as the camera signed it", data=signed),
        Variant(
            file_name="2-changed.jpg",
            says=f"one bit of the picture flipped: {pixels} of its pixels differ",
            data=changed,
        ),
        Variant(file_name="3-cropped.jpg", says="cropped and saved again", data=crop(signed)),
        Variant(
            file_name="4-stripped.jpg", says="same pixels, all metadata removed", data=strip_metadata(signed)
        ),
        Variant(
            file_name="5-ai-marked.png",
            says="saved as PNG with the markers a generator writes",
            data=mark_as_generated(signed),
        ),
        Variant(
            file_name="6-signed-ai-marked.jpg",
            says="carried a generator's marker already when it was signed",
            data=marked_and_signed,
        ),
    )


def change_one_bit(jpeg: bytes) -> tuple[bytes, int]:
    """Flip one bit of the compressed picture so that it still decodes; also how many pixels that changed.

    Looks for the smallest change near the end of the scan, where a flipped bit disturbs the fewest blocks.
    """
    start, end = scan_range(jpeg)
    before = _decoded(jpeg).convert("RGB")
    best: tuple[int, bytes] | None = None
    for at in range(end - 3, max(start, end - CANDIDATE_BYTES), -max(1, CANDIDATE_BYTES // CANDIDATES)):
        if 0xFF in (jpeg[at - 1], jpeg[at], jpeg[at] ^ 1):
            continue  # a marker or its stuffing: flipping it changes the file's structure, not its picture
        changed = jpeg[:at] + bytes([jpeg[at] ^ 1]) + jpeg[at + 1 :]
        pixels = _differing(before, _decoded(changed).convert("RGB"))
        if pixels and (best is None or pixels < best[0]):
            best = pixels, changed
    if best is None:
        raise UnreadableMedia("no bit was found whose change shows in the picture")
    return best[1], best[0]


def crop(jpeg: bytes) -> bytes:
    """The middle four fifths, encoded anew, as an editor without credentials does it."""
    image = _decoded(jpeg).convert("RGB")
    width, height = image.size
    return _encoded(
        image.crop((width // 10, height // 10, width - width // 10, height - height // 10)),
        "JPEG",
        quality=JPEG_QUALITY,
    )


def strip_metadata(jpeg: bytes) -> bytes:
    """Without any application segment but the two that decoding needs (JFIF, Adobe), and without comments."""
    kept = [jpeg[:2]]
    for marker, segment in _segments(jpeg):
        metadata = APP1 <= marker <= APP15 and marker != APP14
        if not metadata and marker != COM:
            kept.append(segment)
    return b"".join(kept)


def mark_as_generated(picture: bytes) -> bytes:
    """A PNG of the same pixels with generator parameters and IPTC's source type for generated media."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", GENERATOR_PARAMETERS)
    texts.add_itxt("XML:com.adobe.xmp", XMP)
    return _encoded(_decoded(picture).convert("RGB"), "PNG", pnginfo=texts)


def mark_jpeg(jpeg: bytes) -> bytes:
    """The same picture with IPTC's source type for generated media in its XMP, before anybody signs it."""
    content = XMP_NAMESPACE + XMP.encode()
    segment = b"\xff" + bytes([APP1]) + struct.pack(">H", len(content) + 2) + content
    kept = [jpeg[:2]]
    for marker, part in _segments(jpeg):
        if marker == APP1 and part[4:].startswith(XMP_NAMESPACE):
            continue
        if marker != APP0 and segment:
            kept.append(segment)
            segment = b""
        kept.append(part)
    return b"".join(kept)


def scan_range(jpeg: bytes) -> tuple[int, int]:
    """Where the compressed data of the first scan begins and ends (ITU-T T.81, B.1.1.5)."""
    at = 2
    for marker, segment in _segments(jpeg):
        if marker == SOS:
            (length,) = struct.unpack(">H", segment[2:4])
            end = END_OF_SCAN.search(segment, 2 + length)
            return at + 2 + length, at + (end.start() if end else len(segment))
        at += len(segment)
    raise UnreadableMedia("the JPEG has no picture data")


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker segments after SOI; the last one is the first SOS with everything that follows it."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == SOS:
            yield marker, jpeg[at:]
            return
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        yield marker, jpeg[at : at + 2 + length]
        at += 2 + length
    raise UnreadableMedia("the JPEG ends before its picture data")


def _decoded(data: bytes) -> Image.Image:
    try:
        with decoding("the picture"):
            image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "TIFF"))
            image.load()
    except DetectorError as e:
        if isinstance(e.__cause__, UnidentifiedImageError):
            raise UnreadableMedia("the picture is none of the kinds shown here: JPEG, PNG, WebP, TIFF") from e
        raise UnreadableMedia(e.detail) from e
    return image


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _differing(one: Image.Image, two: Image.Image) -> int:
    """Pixels that differ in any channel."""
    red, green, blue = ImageChops.difference(one, two).split()
    return sum(ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()[1:])
