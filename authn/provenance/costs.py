"""Files that would keep an engine busy for minutes, told by counting before it is asked.

c2pa-rs walks a list of all boxes for every box of an ISO base media file: 40,000 of eight bytes, 320 kB, cost
5.4 s of CPU, three million would cost hours. In the other containers its work grows in proportion, at some
microseconds a part. Counting costs a fraction of that. And it walks the boxes of a manifest store without end
where the last one breaks off within its header: 600 bytes kept it busy until it was killed. What is not given
to an engine is not examined by it, with this reason; it is never a refutation.
"""

from __future__ import annotations

import struct

from signer.proof.container import has_more_parts, in_places
from signer.proof.jumbf import torn_boxes

# Twice the boxes of an hour of film in fragments of two seconds; 1.4 s of CPU.
MAX_BOXES = 20_000
MAX_PLACES = 8  # each is walked; one is what a file may have
MAX_PARTS = 200_000  # the largest honest file that was met has 70,000
_BMFF = ("video/mp4", "video/quicktime", "audio/mp4", "image/heic", "image/avif")
_COUNTED = ("image/gif", "image/png", "image/webp", "image/tiff", "audio/wav", "video/x-msvideo")
# Boxes into which c2pa-rs descends, and how many bytes stand before their first child (measured, 0.90).
_HOLDS_BOXES = dict.fromkeys(
    (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"dinf", b"tref", b"mvex", b"moof",
     b"traf", b"mfra", b"schi"), 0
) | {b"meta": 4}  # fmt: skip


def too_costly(data: bytes, media_type: str) -> str | None:
    """Why no engine should be asked about the file, or None."""
    if media_type in _BMFF and _has_more_boxes(data, MAX_BOXES):
        return f"the container has more than {MAX_BOXES} boxes; it was not given to the engine"
    if media_type in _COUNTED and has_more_parts(data, media_type, MAX_PARTS):
        return f"the container has more than {MAX_PARTS} parts; it was not given to the engine"
    return None


def endless(data: bytes, media_type: str, sidecar: bytes | None) -> str | None:
    """Why c2pa-rs should not be asked about what lies in the places for a manifest store, or None."""
    if torn := torn_boxes(sidecar or b""):
        return f"the manifest store beside the file is torn: {torn}; it was not given to the engine"
    for i, content in enumerate(in_places(data, media_type)):
        if i == MAX_PLACES:
            return f"the file has more than {MAX_PLACES} places for a manifest store; not given to the engine"
        if torn := torn_boxes(content):
            return f"what lies in the place for a manifest store is torn: {torn}; not given to the engine"
    return None


def _has_more_boxes(data: bytes, limit: int) -> bool:
    open_boxes = [(0, len(data))]
    count = 0
    while open_boxes:
        at, end = open_boxes.pop()
        while at + 8 <= end:
            count += 1
            if count > limit:
                return True
            length, kind = struct.unpack_from(">I4s", data, at)
            header = 8
            if length == 1 and at + 16 <= end:
                (length,) = struct.unpack_from(">Q", data, at + 8)
                header = 16
            elif length == 0:
                length = end - at
            if length < header:
                break
            following = min(at + length, end)
            if kind in _HOLDS_BOXES:
                open_boxes.append((following, end))
                end = following
                at += header + _HOLDS_BOXES[kind]
            else:
                at = following
    return False
