"""A picture without its compressed pixels: all that an engine looks for, in a hundredth of the bytes. Pure.

Whatever stands around the pixels stays as it is, so that an engine locates the manifest store by itself, as
in the whole file. The bytes that are left out are under the digest of the hard binding and nowhere else, and
none of them can begin a store: else there is no outline, and the engine gets the file.
"""

from __future__ import annotations

import struct

from signer.proof.containers.places import STORE_TYPE

MAX_PARTS = 10_000  # segments or chunks that are kept; who has more is looked at whole
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_SOS, _END = 0xDA, 0xD9
_PNG = b"\x89PNG\r\n\x1a\n"


def outline_of(data: bytes, media_type: str) -> bytes | None:
    """The outline of a JPEG or PNG whose parts lie in order; None for any other file."""
    make = {"image/jpeg": _jpeg, "image/png": _png}.get(media_type)
    try:
        return make(data) if make is not None else None
    except (struct.error, IndexError):
        return None


def _jpeg(data: bytes) -> bytes | None:
    """Up to the first scan and its header. Scans behind it hold tables and pixels, but a store could be put
    there, too: it begins with its type wherever it lies. ``rfind`` looks faster than ``find``."""
    if data[:2] != _SOI:
        return None
    at = 2
    for _ in range(MAX_PARTS):
        if data[at] != 0xFF or not 0xC0 <= data[at + 1] <= 0xFE or 0xD0 <= data[at + 1] <= _END:
            return None
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            return None
        if data[at + 1] == _SOS:
            return None if data.rfind(STORE_TYPE, end) != -1 else data[:end] + _EOI
        at = end
    return None


def _png(data: bytes) -> bytes | None:
    """Every chunk but those of pixels, whatever stands in it."""
    if data[:8] != _PNG:
        return None
    kept, at, kind = [data[:8]], 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or len(kept) > MAX_PARTS:
            return None
        if kind != b"IDAT":
            kept.append(data[at:end])
        at = end
    return b"".join((*kept, data[at:]))
