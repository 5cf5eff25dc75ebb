"""Bytes to pixels: structure and header first, the decoder last, and one decoder for every purpose.

Training, evaluation and the service all decode here. Truncated files are refused, because a decoder fills
what is missing with grey and a score of grey says nothing; a file whose structure is merely odd is not
refused, and what would cost a decoder too much is not asked of it. The EXIF orientation is ignored: a
rotation moves the compression grid that the evidence depends on. Nothing is resized. Of sixteen bits the
upper eight are looked at, as people see them.

What no detector was calibrated on is not applicable: animations, of which one frame says nothing about the
others; CMYK, whose colours depend on a profile; and pictures of which a part is transparent, because what is
seen there depends on what lies behind it.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.core.errors import DetectorError, NotApplicable, PixelsUnreadable
from detector.pixels import heif
from detector.pixels.guard import affordable, decoding
from detector.pixels.jpeg import JpegStructure, parse_jpeg
from detector.pixels.png import bare_png, png_chunks

Pixels = NDArray[np.uint8]  # height x width x 3, RGB

MAX_PIXELS = 128_000_000
MAX_TRANSPARENT = 0.01  # of a picture: the rounded corners of a window are less
_FORMATS = {"image/jpeg": ("JPEG", "MPO"), "image/png": ("PNG",), "image/webp": ("WEBP",)}


def open_cv2() -> ModuleType:
    """OpenCV, imported when first needed. Raises ``DetectorError`` with the remedy where a system library
    is missing."""
    try:
        import cv2
    except ImportError as e:
        raise DetectorError(f"OpenCV cannot be loaded here ({e}); assay doctor says how to mend it") from e
    module: ModuleType = cv2
    return module


def decode(data: bytes, media_type: str, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a still picture completely.

    Raises ``NotApplicable`` for other formats, animations, CMYK, transparency, more pixels than
    ``max_pixels`` and pictures that cost too much to decode, and ``PixelsUnreadable`` for bytes that are
    truncated or do not decode.
    """
    if media_type in heif.DECODED:
        return _opaque(heif.decode_heif(data, media_type, max_pixels))
    if media_type not in _FORMATS:
        raise NotApplicable(
            f"pixels of {media_type} are not decoded here; JPEG, PNG, WebP, HEIC and AVIF are"
        )
    layout = _layout(data, media_type)
    width, height = layout.width, layout.height
    if width * height > max_pixels:
        raise NotApplicable(f"{width} x {height} pixels; the limit is {max_pixels}")
    if layout.trouble is not None and not _decodes_whole(data, media_type):
        raise PixelsUnreadable(layout.trouble)
    if media_type == "image/png":
        data = bare_png(data)
    decoded = _decoded(data, layout)
    if decoded.shape[:2] != (height, width):
        raise PixelsUnreadable("the decoded size differs from the header")
    return _opaque(decoded)


def _decoded(data: bytes, layout: _Layout) -> NDArray[np.uint8]:
    """(height, width, 3), or 4 where there may be transparency. Raises ``PixelsUnreadable``."""
    cv2 = open_cv2()
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    if layout.alpha:
        flags = cv2.IMREAD_UNCHANGED
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as e:
        raise PixelsUnreadable(f"the decoder refused the picture: {str(e).strip()[:120]}") from e
    if decoded is None:
        raise PixelsUnreadable("the decoder could not read the picture")
    if not layout.alpha:
        colour: Pixels = decoded
        return colour
    if decoded.dtype == np.uint16:
        decoded = (decoded >> 8).astype(np.uint8)
    if decoded.ndim == 2 or decoded.shape[2] < 3:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_GRAY2BGR)
    order = cv2.COLOR_BGRA2RGBA if decoded.shape[2] == 4 else cv2.COLOR_BGR2RGB
    coloured: NDArray[np.uint8] = cv2.cvtColor(decoded, order)
    return coloured


def _opaque(found: NDArray[np.uint8]) -> Pixels:
    """Without the fourth channel. Raises ``NotApplicable`` where it hides something."""
    if found.shape[2] == 4:
        clear = float((found[:, :, 3] != 255).mean())
        if clear > MAX_TRANSPARENT:
            raise NotApplicable(
                f"{clear:.0%} of the picture is transparent: what lies behind it is not known"
            )
    return np.ascontiguousarray(found[:, :, :3])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """What the structure says before anything is decoded; ``trouble`` is why it seems not to be whole,
    ``alpha`` whether some of it may be transparent."""

    width: int
    height: int
    trouble: str | None
    alpha: bool = False


def _layout(data: bytes, media_type: str) -> _Layout:
    if media_type == "image/jpeg":
        return _jpeg_layout(parse_jpeg(data))
    if media_type == "image/png":
        return _png_layout(data)
    width, height = _header(data, media_type)
    cut = len(data) < 12 or data[:4] != b"RIFF" or struct.unpack_from("<I", data, 4)[0] + 8 > len(data)
    trouble = "the WebP ends before its picture does" if cut else None
    return _Layout(width=width, height=height, trouble=trouble, alpha=_webp_alpha(data))


def _webp_alpha(data: bytes) -> bool:
    """By the flag of the extended form, or that of the lossless one (RFC 9649, 2.7.1 and 3.4)."""
    at = {b"VP8X": 20, b"VP8L": 24}.get(data[12:16], len(data))
    return at < len(data) and bool(data[at] & 0x10)


def _jpeg_layout(jpeg: JpegStructure) -> _Layout:
    if jpeg.too_costly is not None:
        raise NotApplicable(jpeg.too_costly)
    if len(jpeg.sampling) == 4:
        raise NotApplicable("the JPEG is coded in CMYK; its colours depend on a profile")
    if not jpeg.width or not jpeg.height:
        raise PixelsUnreadable("no readable image/jpeg header")
    trouble = None if jpeg.complete else (*jpeg.troubles, "the JPEG ends before its picture does")[0]
    return _Layout(width=jpeg.width, height=jpeg.height, trouble=trouble)


def _png_layout(data: bytes) -> _Layout:
    """The chunks by name alone; Pillow would also inflate text before the pixels, and refuse what a generator
    writes there."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 33:
        raise PixelsUnreadable("no readable image/png header")
    width, height = struct.unpack_from(">II", data, 16)
    if not width or not height:
        raise PixelsUnreadable("the PNG declares a picture without pixels")
    whole, alpha = False, data[25] in (4, 6)
    for kind, start, end in png_chunks(data):
        if kind == b"acTL" and end - start >= 8 and struct.unpack_from(">I", data, start)[0] > 1:
            raise NotApplicable("the picture is animated")
        alpha |= kind == b"tRNS"
        whole = kind == b"IEND"
    trouble = None if whole else "the PNG ends before its picture does"
    return _Layout(width=width, height=height, trouble=trouble, alpha=alpha)


def _header(data: bytes, media_type: str) -> tuple[int, int]:
    with (
        decoding(f"the {media_type} header"),
        Image.open(io.BytesIO(data), formats=_FORMATS[media_type]) as image,
    ):
        if getattr(image, "n_frames", 1) > 1:
            raise NotApplicable("the picture is animated")
        width, height = image.size
        return width, height


def _decodes_whole(data: bytes, media_type: str) -> bool:
    """Whether a decoder that refuses truncated pictures takes this one. An end marker may be all that is
    missing; the decoder that we use otherwise would not tell."""
    try:
        with (
            decoding("the picture"),
            Image.open(io.BytesIO(affordable(data, media_type)), formats=_FORMATS[media_type]) as image,
        ):
            image.load()
    except (PixelsUnreadable, NotApplicable):
        return False
    return True
