"""How large the widest face of a real photo of the corpus is, as far as the encoder sees the photo.

Measured once over the corpus with the face finder of the optional extra (``python -m tests.bench.faces``)
and kept beside the manifest, so that whoever fits needs no face finder. A picture that is not listed was not
looked at.
"""

from __future__ import annotations

import csv
import io
import lzma
from functools import cache
from pathlib import Path

from detector.core.errors import CorpusError
from detector.core.files import read_file

FILLS = 0.25  # of the side of the middle square: from here on the photo is a portrait
SMALL = 0.15  # below it a face fills nothing; between the two a photo teaches nothing
SHIPPED = Path(__file__).with_name("faces.csv.xz")
_DIGITS = 16  # of a digest; no two pictures of the manifest share so many


def face_width(sha256: str) -> float | None:
    """The width of the widest face as a share of the side of the middle square, 0 for none; None for a
    picture that nobody looked at. Raises ``FileFailed`` and ``CorpusError`` where the list cannot be read."""
    return shipped_faces().get(sha256[:_DIGITS])


@cache
def shipped_faces() -> dict[str, float]:
    """By the first 16 digits of a picture's SHA-256."""
    return parse_faces(lzma.decompress(read_file(SHIPPED, SHIPPED.name)).decode())


def parse_faces(text: str) -> dict[str, float]:
    """Raises ``CorpusError`` for anything but lines of a digest and a share."""
    try:
        table = csv.reader(io.StringIO(text, newline=""), strict=True)
        return {digest: float(width) for digest, width in table}
    except (ValueError, csv.Error) as e:
        raise CorpusError(f"the list of faces is malformed: {e}") from e


def dump_faces(widths: dict[str, float]) -> str:
    """Sorted, four decimals; equal widths give equal text."""
    return "".join(f"{digest[:_DIGITS]},{width:.4f}\n" for digest, width in sorted(widths.items()))
