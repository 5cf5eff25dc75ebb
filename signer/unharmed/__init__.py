"""Whether a signed photo still holds everything that the photo held, part by part.

Asked before the original is replaced, whoever put the manifest in. Compared are coded bytes: a picture whose
bytes are the same, and at which every table of positions still points, decodes as before. Nothing is decoded
here, and nothing here trusts the code that wrote the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from signer.core.errors import PhotoWouldChange, UnreadableMedia
from signer.unharmed import bmff, jpeg, png, riff, tiff
from signer.unharmed.parts import Part, first_difference

_READERS: dict[str, Callable[[bytes], Iterable[Part]]] = {
    "image/jpeg": jpeg.parts,
    "image/png": png.parts,
    "image/webp": riff.parts,
    "audio/wav": riff.parts,
    "video/x-msvideo": riff.parts,
    "image/tiff": tiff.parts,
    "image/heic": bmff.parts,
    "image/avif": bmff.parts,
    "video/mp4": bmff.parts,
    "video/quicktime": bmff.parts,
    "audio/mp4": bmff.parts,
}
_BROKEN = (struct.error, ValueError, IndexError)


def refuse_harm(before: bytes, after: bytes, media_type: str, name: str) -> None:
    """Return where ``after`` holds every part of ``before``, unchanged, and nothing more but a manifest.

    Raises ``PhotoWouldChange`` with the part's name; ``UnreadableMedia`` where the parts cannot be told, so
    that nobody could say what became of them.
    """
    read = _READERS[media_type]
    try:
        old = tuple(read(before))
    except _BROKEN as e:
        raise UnreadableMedia(f"the parts of {name} cannot be told apart, so it is not signed: {e}") from e
    try:
        new = tuple(read(after))
    except _BROKEN as e:
        raise PhotoWouldChange(f"{name} was left as it is: signing would break it ({e})") from e
    part = first_difference(before, old, after, new)
    if part is None and media_type == "image/tiff" and not _in_place(before, after):
        part = "what no directory names, a maker's note for example"
    if part is not None:
        raise PhotoWouldChange(f"{name} was left as it is: signing would change {part}")


def _in_place(before: bytes, after: bytes) -> bool:
    """Whether every byte of a TIFF behind the header stands where it stood: a maker's note counts from the
    start of the file, and says nowhere what it points at. A stamped file is as long as the signed one was;
    the rest of it is compared by its parts alone."""
    return len(after) == len(before) or after.startswith(memoryview(before)[8:], 8)
