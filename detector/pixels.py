"""Bytes to pixels: structure and header first, the decoder last, and one decoder for every purpose.

Training, evaluation and the service all decode here. Truncated files are refused, because a decoder fills
what is missing with grey and a score of grey says nothing. The EXIF orientation is ignored: a rotation
moves the compression grid that the evidence depends on. Nothing is resized.
"""

from __future__ import annotations

import io
import struct
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.decoding import decoding
from detector.errors import DetectorError, NotApplicable, PixelsUnreadable
from detector.forensics.jpeg import parse_jpeg

Pixels = NDArray[np.uint8]  # height x width x 3, RGB

MAX_PIXELS = 128_000_000
_FORMATS = {"image/jpeg": ("JPEG", "MPO"), "image/png": ("PNG",), "image/webp": ("WEBP",)}


def open_cv2() -> ModuleType:
    """OpenCV, imported when first needed. Raises ``DetectorError`` with the remedy where a system library
    is missing."""
    try:
        import cv2
    except ImportError as e:
        raise DetectorError(
            f"OpenCV cannot be loaded ({e}); install libgl1 and libglib2.0-0 (apt-get install libgl1 "
            "libglib2.0-0), or opencv-python-headless in place of opencv-python"
        ) from e
    module: ModuleType = cv2
    return module


def decode(data: bytes, media_type: str, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a still picture completely.

    Raises ``NotApplicable`` for other formats, animations and more pixels than ``max_pixels``, and
    ``PixelsUnreadable`` for bytes that are truncated or do not decode.
    """
    if media_type not in _FORMATS:
        raise NotApplicable(f"pixels of {media_type} are not decoded here; JPEG, PNG and WebP are")
    _check_structure(data, media_type)
    width, height = _header(data, media_type)
    if width * height > max_pixels:
        raise NotApplicable(f"{width} x {height} pixels; the limit is {max_pixels}")
    cv2 = open_cv2()
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as e:
        raise PixelsUnreadable(f"the decoder refused the picture: {str(e).strip()[:120]}") from e
    if decoded is None:
        raise PixelsUnreadable("the decoder could not read the picture")
    if decoded.shape[:2] != (height, width):
        raise PixelsUnreadable("the decoded size differs from the header")
    rgb: Pixels = np.ascontiguousarray(decoded[:, :, ::-1])
    return rgb


def _header(data: bytes, media_type: str) -> tuple[int, int]:
    with (
        decoding(f"the {media_type} header"),
        Image.open(io.BytesIO(data), formats=_FORMATS[media_type]) as image,
    ):
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            raise NotApplicable("the picture is animated")
        width, height = image.size
        return width, height


def _check_structure(data: bytes, media_type: str) -> None:
    if media_type == "image/jpeg":
        if not parse_jpeg(data).complete:
            raise PixelsUnreadable("the JPEG ends before its picture does")
    elif media_type == "image/png":
        _check_png(data)
    elif len(data) < 12 or data[:4] != b"RIFF" or struct.unpack("<I", data[4:8])[0] + 8 > len(data):
        raise PixelsUnreadable("the WebP ends before its picture does")


def _check_png(data: bytes) -> None:
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IEND":
            return
        at += 12 + size
    raise PixelsUnreadable("the PNG ends before its picture does")
