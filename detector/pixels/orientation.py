"""How a picture is to be turned before people see it: one reading of its EXIF for everybody.

Needs no NumPy: a page shows a small picture where nothing else looks at pixels.
"""

from __future__ import annotations

import io

from PIL import Image

from detector.core.errors import DetectorError
from detector.pixels.exif import ORIENTATION, ExifTags, exif_of, parse_exif
from detector.pixels.guard import decoding
from detector.pixels.jpeg import parse_jpeg
from detector.pixels.png import png_chunks
from detector.pixels.webp import webp_chunks


def orientation_of(data: bytes, media_type: str) -> int:
    """The EXIF tag Orientation, 1 to 8, of what ``decode`` decodes: by which its pixels are to be turned. 1
    where there is none or it cannot be read, and for HEIC, whose decoder has turned them."""
    try:
        if media_type == "image/avif":
            with decoding("the header"), Image.open(io.BytesIO(data), formats=("AVIF",)) as image:
                found = image.getexif().get(ORIENTATION, 1)
        else:
            tags = _tags(data, media_type)
            found = (tags.number(ORIENTATION) if tags else None) or 1
    except DetectorError:
        return 1
    return int(found) if found in range(1, 9) else 1


def _tags(data: bytes, media_type: str) -> ExifTags | None:
    """The first EXIF block."""
    if media_type == "image/jpeg":
        return exif_of(parse_jpeg(data))
    if media_type == "image/png":
        blocks = (data[start:end] for kind, start, end in png_chunks(data) if kind == b"eXIf")
    elif media_type == "image/webp":
        blocks = (data[start:end] for kind, start, end in webp_chunks(data) if kind == b"EXIF")
    else:
        return None
    raw = next(blocks, None)
    return None if raw is None else parse_exif(raw.removeprefix(b"Exif\0\0"))
