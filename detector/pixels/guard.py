"""What a decoder of pictures may raise on bytes that are not what their header says: one list for everybody.

Image libraries document few of these. libavif's binding raises ``RuntimeError``, a TIFF tag of the wrong type
ends in ``AttributeError``, a size of nonsense in ``OverflowError``. Running out of memory is not among them:
after it a native library may hold half-built state (``authn.confinement.inside``).
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.pixels.jpeg import bare_jpeg, parse_jpeg
from detector.pixels.png import bare_png

UNDECODABLE = (
    OSError,  # UnidentifiedImageError among them
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,  # OverflowError, ZeroDivisionError
    AttributeError,
    EOFError,
    RuntimeError,  # RecursionError, NotImplementedError
    AssertionError,
    BufferError,
    struct.error,
    zlib.error,
)


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Around every call into a decoder. Raises ``PixelsUnreadable`` for what it refuses, in whatever way, and
    ``NotApplicable`` for more pixels than any limit allows.

    Warnings are dropped: Pillow warns about sizes that our callers check, and about odd but harmless tags.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as e:
        raise NotApplicable(f"{what} declares more pixels than any limit allows") from e
    except UNDECODABLE as e:
        # Its own words may name an address in memory, and a report must read the same every time.
        raise PixelsUnreadable(f"{what} cannot be decoded ({type(e).__name__})") from e


def affordable(data: bytes, media_type: str) -> bytes:
    """The picture as it may be given to Pillow. It joins the metadata segments of a JPEG one by one, and each
    join copies all before it, so a JPEG comes without them; a PNG comes without texts to inflate. Raises
    ``NotApplicable`` where a decoder would be kept busy by something else than pixels, ``PixelsUnreadable``
    for what is no JPEG."""
    if media_type == "image/jpeg":
        costly = parse_jpeg(data).too_costly
        if costly is not None:
            raise NotApplicable(costly)
        return bare_jpeg(data)
    if media_type == "image/png":
        return bare_png(data)
    return data
