"""A manifest store in a JPEG whose first segments must not come to stand apart from what they point at.

The engine puts the store behind the last JFIF segment. Where that is not the first segment (pictures with a
gain map begin with XMP and MPF), the list of pictures (CIPA DC-007) stays before the store and what it points
at moves behind it: the gain map is lost. Here the store goes before everything else.
"""

from __future__ import annotations

import struct

from signer.embed.layout import Layout

_APP0, _APP11, _SCAN = 0xE0, 0xEB, 0xDA
_PIECE = 64_000
_INSTANCE = 0x0211  # what the engine takes
_BOX_HEADER = 8


def late_jfif(data: bytes) -> bool:
    """Whether another segment stands before a JFIF segment. Raises ``IndexError``, ``struct.error``."""
    at, others = 2, False
    while data[at] == 0xFF and data[at + 1] != _SCAN:
        marker = data[at + 1]
        if marker == _APP0 and others:
            return True
        if marker == 0xFF:
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            others = others or marker != _APP0
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return False


def layout(data: bytes, store_size: int) -> Layout:
    """Behind the start of the picture; a JFIF segment that comes first stays first."""
    at = 2
    while data[at : at + 2] == bytes((0xFF, _APP0)):
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    view = memoryview(data)
    return Layout(head=(view[:at],), tail=(view[at:],), wrap=_segments)


def _segments(store: bytes) -> bytes:
    """ISO/IEC 19566-5, annex D: every segment repeats the header of the box."""
    pieces = []
    for number, at in enumerate(range(0, len(store), _PIECE), 1):
        content = store[:_BOX_HEADER] * (at > 0) + store[at : at + _PIECE]
        head = struct.pack(">BBH2sHI", 0xFF, _APP11, 2 + 8 + len(content), b"JP", _INSTANCE, number)
        pieces.append(head + content)
    return b"".join(pieces)
