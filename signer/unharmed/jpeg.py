"""A JPEG (ISO/IEC 10918-1): segments, scans, and whatever a maker put behind the picture.

A second picture of an MPO, a gain map, a motion photo's film lie behind the end of the picture. What points
there counts from the end of the file (XMP of motion photos and gain maps) or from inside a segment (MPF, CIPA
DC-007): the latter must still hit the same byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from signer.proof.containers.places import names_store
from signer.unharmed.parts import Part

_SCAN = 0xDA
_MPF = b"MPF\0"
_MP_ENTRIES = 0xB002


def parts(data: bytes) -> Iterator[Part]:
    """Raises ``ValueError`` and its kin where the segments do not lead to a scan."""
    at = 2
    stores: set[bytes] = set()
    while data[at] == 0xFF and data[at + 1] != _SCAN:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            yield Part(name=f"marker {marker:02X}", start=at, end=at + 2)
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if marker == 0xEB and _of_manifest(data, at + 4, end, stores):
            pass
        else:
            yield Part(name=_name(data, marker, at + 4), start=at, end=end, said=_targets(data, at + 4, end))
        at = end
    if data[at : at + 2] != b"\xff\xda":
        raise ValueError("its segments do not lead to a picture")
    # One part: to look for the end of the picture costs more than to sign it.
    yield Part(name="the picture, or what lies behind it", start=at, end=len(data))


def _of_manifest(data: bytes, body: int, end: int, stores: set[bytes]) -> bool:
    """A piece of a C2PA store; other boxes in APP11 (JPEG XT) are the photo's own."""
    if data[body : body + 2] != b"JP":
        return False
    instance, sequence = data[body + 2 : body + 4], data[body + 4 : body + 8]
    if sequence == b"\0\0\0\1" and names_store(data[body + 8 : min(end, body + 72)]):
        stores.add(instance)
    return instance in stores


def _name(data: bytes, marker: int, body: int) -> str:
    if data.startswith((b"Exif\0", b"http://ns.adobe.com/x", b"ICC_PROFILE", _MPF), body):
        kind = {b"E": "EXIF", b"h": "XMP", b"I": "the ICC profile", b"M": "the list of pictures (MPF)"}
        return kind[data[body : body + 1]]
    kinds = {0xFE: "a comment", 0xED: "APP13 (IPTC)"}
    return kinds.get(marker) or (f"APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"marker {marker:02X}")


def _targets(data: bytes, body: int, end: int) -> tuple[int, ...]:
    """Where an MPF segment points to, from the end of the file; the picture itself has the offset 0."""
    if not data.startswith(_MPF, body):
        return ()
    header = body + 4
    order = "<" if data[header : header + 2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, header + 4)
    (count,) = struct.unpack_from(order + "H", data, header + directory)
    for i in range(count):
        tag, _, size, place = struct.unpack_from(order + "HHII", data, header + directory + 2 + 12 * i)
        if tag == _MP_ENTRIES:
            entries = range(header + place, min(header + place + size, end), 16)
            offsets = (struct.unpack_from(order + "I", data, at + 8)[0] for at in entries)
            return tuple(len(data) - header - offset if offset else 0 for offset in offsets)
    return ()
