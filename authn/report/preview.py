"""A small picture for people to recognise a file by. Runs in the confined worker, never in the service.

It shows what a decoder made of the bytes and proves nothing. Metadata and colour profiles are dropped.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from authn.core.errors import SystemLacking
from authn.core.extras import need
from authn.core.media import Media
from detector.core.errors import DetectorError, NotApplicable
from detector.pixels.guard import affordable, decoding
from detector.pixels.orientation import orientation_of as exif_orientation

MAX_SIDE_PIXELS = 640
MAX_PIXELS = 40_000_000
# JPEG is decoded at a fraction of its size, so it may be larger than what has to be decoded whole.
SCALABLE_FACTOR = 4
QUALITY = 82
_BEHIND = (128, 128, 128)  # what shows through transparent pixels

_FORMATS = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/webp": ("WEBP",),
    "image/tiff": ("TIFF",),
    "image/gif": ("GIF",),
    "image/avif": ("AVIF",),
}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def make_preview(
    media: Media, max_side: int = MAX_SIDE_PIXELS, *, max_pixels: int = MAX_PIXELS
) -> bytes | None:
    """A JPEG whose longer side has at most ``max_side`` pixels, upright, without metadata.

    None where the file is no picture that Pillow decodes, may not be decoded, is damaged, or has more pixels
    than the limits.
    """
    if media.width is None or media.not_decoded:
        return None  # where nobody could read its size, no limit of pixels was applied
    try:
        with _opened(media, max_pixels) as image:
            return _encoded(image, max_side, max_pixels, orientation_of(media))
    except (DetectorError, SystemLacking, MemoryError):
        return None


@contextmanager
def _opened(media: Media, max_pixels: int) -> Iterator[Image.Image]:
    """Raises ``NotApplicable``, ``PixelsUnreadable``, and ``SystemLacking`` for HEIC without its decoder."""
    if media.media_type == "image/heic":
        need("detect")
        from detector.pixels.decode import decode

        yield Image.fromarray(decode(media.data, media.media_type, max_pixels=max_pixels))
        return
    if media.media_type not in _FORMATS:
        raise NotApplicable(f"{media.media_type} is no picture that is shown")
    data = affordable(media.data, media.media_type)
    formats = _FORMATS[media.media_type]
    with decoding("the picture"), Image.open(io.BytesIO(data), formats=formats) as image:
        yield image


def orientation_of(media: Media) -> int:
    """The EXIF orientation that ``make_preview`` turns the picture by: 1 to 8, 1 where there is none."""
    return exif_orientation(media.data, media.media_type)


def _encoded(image: Image.Image, max_side: int, max_pixels: int, orientation: int) -> bytes | None:
    scalable = image.format in ("JPEG", "MPO")
    if image.width * image.height > max_pixels * (SCALABLE_FACTOR if scalable else 1):
        return None
    image.draft("RGB", (max_side, max_side))
    image.load()
    turn = _UPRIGHT.get(orientation)
    small = _eight_bit(image)
    small.thumbnail((max_side, max_side))
    small = _opaque(small)
    if turn is not None:
        small = small.transpose(turn)
    small.info = {}  # so that no comment, profile or EXIF block is written along
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _eight_bit(image: Image.Image) -> Image.Image:
    """A mode that can be scaled smoothly; Pillow clips 16-bit values where people expect them scaled."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda v: v * (1 / 256)).convert("L")
    if image.mode in ("1", "P", "PA"):
        return image.convert("RGBA")
    return image if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    layer = image.convert("RGBA")
    behind = Image.new("RGB", layer.size, _BEHIND)
    behind.paste(layer, mask=layer.getchannel("A"))
    return behind
