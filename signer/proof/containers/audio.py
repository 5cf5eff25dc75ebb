"""MP3 and FLAC: a GEOB frame of the ID3v2 tag in front of the sound (C2PA 2.x, A.3; id3.org v2.2 to v2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from signer.core.errors import ContainerUnreadable
from signer.proof.containers.places import Budget, Place, Span

_MIME_TYPES = (b"application/c2pa", b"application/x-c2pa-manifest-store")
_UNSYNCHRONISED, _EXTENDED = 0x80, 0x40
_UTF_16 = (1, 2)


def id3(data: bytes, budget: Budget) -> Iterator[Place]:
    """A file without a tag was looked through: there is no other place."""
    if not data.startswith(b"ID3"):
        return
    if len(data) < 10 or data[3] not in (2, 3, 4) or max(data[6:10]) > 0x7F:
        raise ContainerUnreadable("the ID3 tag is of an unknown kind")
    version, flags, end = data[3], data[5], 10 + _syncsafe(data[6:10])
    body, at, shift = data, 10, False
    if flags & _UNSYNCHRONISED and version < 4:  # the whole tag; in version 4 each frame says so itself
        body, at, shift = data[10:end].replace(b"\xff\0", b"\xff"), 0, True
        end = len(body)
    if flags & _EXTENDED:
        at += _extended_header(body, at, version)
    for frame in _frames(body, at, min(end, len(body)), version, budget):
        content = _store_of(body, frame, version)
        if content is not None and not shift and isinstance(content, Span):
            yield Place(spans=(content,))
        elif content is not None:
            yield Place(content=content.of(body) if isinstance(content, Span) else content)
    if end > len(body):
        raise ContainerUnreadable("the file ends inside its ID3 tag")


def _extended_header(body: bytes, at: int, version: int) -> int:
    if version == 2:
        raise ContainerUnreadable("the ID3 tag is compressed")
    size = body[at : at + 4]
    return _syncsafe(size) if version == 4 else 4 + int.from_bytes(size, "big")


def _frames(body: bytes, at: int, end: int, version: int, budget: Budget) -> Iterator[Span]:
    """Headers included, of object frames only. Padding ends the tag."""
    name, header = (3, 6) if version == 2 else (4, 10)
    while at + header <= end and body[at]:
        budget.spend()
        size = body[at + name : at + 2 * name]
        length = _syncsafe(size) if version == 4 else int.from_bytes(size, "big")
        following = at + header + length
        if body[at : at + name] == b"GEOB"[: 4 if version > 2 else 3]:
            yield Span(start=at, end=min(following, end))
        if following > end:
            raise ContainerUnreadable("an ID3 frame reaches beyond its tag")
        at = following


def _store_of(body: bytes, frame: Span, version: int) -> Span | bytes | None:
    """The object of a frame whose type is C2PA's; as bytes where they are not written as they are."""
    start, coded = frame.start + (6 if version == 2 else 10), False
    if version > 2:
        flags = body[frame.start + 9]
        if flags & (0xC0 if version == 3 else 0x0C):
            raise ContainerUnreadable("an object of the ID3 tag is compressed or encrypted")
        if version == 3:
            start += bool(flags & 0x20)
        else:
            start += bool(flags & 0x40) + 4 * bool(flags & 0x01)
            coded = bool(flags & 0x02)
    raw = Span(start=start, end=frame.end)
    if not coded:
        found = _object_at(body, raw)
        return None if found is None else Span(start=found, end=frame.end)
    plain = raw.of(body).replace(b"\xff\0", b"\xff")
    found = _object_at(plain, Span(start=0, end=len(plain)))
    return None if found is None else plain[found:]


def _object_at(body: bytes, frame: Span) -> int | None:
    """Encoding, MIME type, file name, description, then the object; None where the type is another's."""
    if frame.start >= frame.end:
        return None
    wide = body[frame.start] in _UTF_16
    at = body.find(b"\0", frame.start + 1, frame.end)
    if at == -1 or body[frame.start + 1 : at] not in _MIME_TYPES:
        return None
    at += 1
    for _ in range(2):
        at = _behind_text(body, at, frame.end, wide=wide)
    return at


def _behind_text(body: bytes, at: int, end: int, *, wide: bool) -> int:
    zero = body.find(b"\0\0" if wide else b"\0", at, end)
    while wide and zero != -1 and (zero - at) % 2:
        zero = body.find(b"\0\0", zero + 1, end)
    return end if zero == -1 else zero + (2 if wide else 1)


def _syncsafe(size: bytes) -> int:
    value = 0
    for byte in size:
        value = value << 7 | byte & 0x7F
    return value
