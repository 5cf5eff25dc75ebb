"""How the texts of a log spell bytes and numbers; what is spelt otherwise is refused with ``ValueError``."""

from __future__ import annotations

import base64

MAX_DIGITS = 19
RECEIPT_SUFFIX = ".tlog-proof"  # of the file beside a photo
MAX_RECEIPT_CHARACTERS = 1 << 20
RECEIPT_HEADER = "c2sp.org/tlog-proof@v1"


def encode(raw: bytes) -> str:
    """In standard base64 with padding."""
    return base64.b64encode(raw).decode()


def decode(text: str) -> bytes:
    """Anything that decodes: whether it is the one spelling of its bytes is for the caller to ask."""
    return base64.b64decode(text, validate=True)


def number(text: str) -> int:
    """Decimal digits of ASCII, at most ``MAX_DIGITS``; zeros before it are let through."""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError("no number")
    return int(text)


def canonical_number(text: str) -> int:
    """As ``number``, without zeros before it."""
    found = number(text)
    if str(found) != text:
        raise ValueError("no number as it is written")
    return found
