"""A manifest store in a TIFF file (TIFF 6.0; C2PA 2.x, "Embedding manifests into TIFF").

The engine would put the store of a file with several pages into a directory of its own at the end of the
chain: a page without a picture, at which Pillow and ImageMagick give up. Here the first directory is written
once more at the end of the file, with the store's tag in it, and the header points there. Every other byte
stays where it is, so that no offset, not even one inside a maker's note, has to move; all pages are found by
all readers, and the store stands in the first directory, where readers of C2PA look too.
"""

from __future__ import annotations

import struct

from signer.core.errors import AlreadySigned, UnreadableMedia, UnsupportedMedia
from signer.embed.layout import Layout

TAG = 0xCD41
_UNDEFINED = 7
_MAX_ENTRIES = 0xFFFF
MAX_PAGES = 1024  # what readers of manifests follow: one goes to 1,024, the other to 2,000


def layout(data: bytes, store_size: int) -> Layout:
    """Raises ``UnreadableMedia``, ``UnsupportedMedia`` where the directory is full, ``AlreadySigned``."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        following = data[at + 2 + 12 * count :][:4]
        entries = [data[i : i + 12] for i in range(at + 2, at + 2 + 12 * count, 12)]
        tags = [struct.unpack(order + "H", entry[:2])[0] for entry in entries]
    except struct.error as e:
        raise UnreadableMedia("the first directory of the file reaches beyond its end") from e
    if len(following) < 4:
        raise UnreadableMedia("the first directory of the file reaches beyond its end")
    if TAG in tags:
        raise AlreadySigned("the file carries a manifest's tag already")
    if count >= _MAX_ENTRIES:
        raise UnsupportedMedia("the first directory of the file has no room for another entry")
    directory = len(data) + len(data) % 2  # directories begin on even offsets
    if _pages(data, order) > MAX_PAGES:
        raise UnsupportedMedia(f"the file has more than {MAX_PAGES} pages, which not every reader follows")
    start = directory + 2 + 12 * (count + 1) + 4
    place = sum(tag < TAG for tag in tags)
    entries.insert(place, struct.pack(order + "HHII", TAG, _UNDEFINED, store_size, start))
    return Layout(
        head=(
            data[:4] + struct.pack(order + "I", directory),
            memoryview(data)[8:],
            bytes(directory - len(data)) + struct.pack(order + "H", count + 1),
            *entries,
            following,
        )
    )


def _pages(data: bytes, order: str) -> int:
    """The length of the chain, or one more than is allowed where it does not end."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    pages = 0
    while at and pages <= MAX_PAGES and at + 2 <= len(data):
        pages += 1
        link = at + 2 + 12 * struct.unpack_from(order + "H", data, at)[0]
        at = int.from_bytes(data[link : link + 4], "little" if order == "<" else "big")
    return pages
