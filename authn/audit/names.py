"""Names of inputs: any bytes, as text that JSON, CSV and a page can hold, and back again."""

from __future__ import annotations

import hashlib
import os
import re

KEY_BYTES = 16
# What an undecodable byte is written as; where a name itself holds such letters, its backslash is written so.
_LOOKS_ESCAPED = re.compile(rb"\\(?=x[0-9a-f]{2})")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def shown(name: str) -> str:
    """A name as UTF-8 text: a byte of another encoding appears as ``\\xNN``. No two names are shown alike."""
    raw = os.fsencode(name) if _is_of_files(name) else name.encode("utf-8", "surrogatepass")
    return _LOOKS_ESCAPED.sub(rb"\\x5c", raw).decode("utf-8", "backslashreplace")


def name_of(text: str) -> str:
    """The name that ``shown`` gave this text for, as the operating system's functions take it."""
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode()))


def key_of(name: str) -> bytes:
    """16 bytes that stand for a name in an index."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def _is_of_files(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
