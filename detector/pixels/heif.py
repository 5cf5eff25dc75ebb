"""HEIC and AVIF to pixels: by libheif (pillow-heif) and by Pillow's libavif, one thread each.

libheif turns a picture as its own boxes say, and its size is that of the turned one; libavif leaves that to
its caller, and so do we, as for every other format.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image

from detector.core.errors import DetectorError, NotApplicable
from detector.pixels.guard import decoding

DECODED = ("image/avif", "image/heic")
_MODES = ("RGB", "RGBA")


def decode_heif(data: bytes, media_type: str, max_pixels: int) -> NDArray[np.uint8]:
    """(height, width, 3 or 4), eight bits also of those that have more. Raises ``NotApplicable`` for
    animations and more pixels than ``max_pixels``, ``PixelsUnreadable``, and ``DetectorError`` where
    pillow-heif is not installed."""
    read = _heic if media_type == "image/heic" else _avif
    with decoding("the picture"):
        return read(data, max_pixels)


def _heic(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    try:
        import pillow_heif
    except ImportError as e:
        raise DetectorError("HEIC is not decoded here: pillow-heif is not installed") from e
    pillow_heif.options.DECODE_THREADS = 1
    picture: Any = pillow_heif.open_heif(io.BytesIO(data))
    width, height = picture.size
    _within(width, height, max_pixels)
    found: NDArray[np.uint8] = np.asarray(picture)
    if picture.mode not in _MODES:  # of one channel
        found = np.asarray(picture.to_pillow().convert("RGB"))
    return found


def _avif(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with Image.open(io.BytesIO(data), formats=("AVIF",)) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise NotApplicable("the picture is animated")
        _within(*picture.size, max_pixels)
        return np.asarray(picture if picture.mode in _MODES else picture.convert("RGB"))


def _within(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise NotApplicable(f"{width} x {height} pixels; the limit is {max_pixels}")
