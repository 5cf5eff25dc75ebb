"""JPEG, PNG, TIFF and GIF (C2PA 2.x, A.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from signer.core.errors import ContainerUnreadable
from signer.proof.containers.places import Budget, Place, Span, names_store, place

_TIFF_TAG = 0xCD41
_TIFF_BYTES = (1, 7)  # BYTE, UNDEFINED
_BIG_TIFF = (b"+\0", b"\0+")
_GIF_IDENTIFIER = b"C2PA_GIF"


def jpeg(data: bytes, budget: Budget) -> Iterator[Place]:
    """APP11 segments "JP": a box split over segments, each repeating its header (ISO/IEC 19566-5, Annex D).

    The box instance number tells boxes of one type apart, so boxes of other types may share it.
    """
    pieces: dict[bytes, list[tuple[int, Span]]] = {}
    broken: ContainerUnreadable | None = None
    try:
        for marker, body in _jpeg_segments(data, budget):
            if marker == 0xEB:
                budget.spend(9)  # putting pieces together costs more than passing them over
                _add_piece(data, body, pieces)
    except ContainerUnreadable as e:
        broken = e  # what came before it counts
    for key, parts in pieces.items():
        parts.sort(key=lambda part: part[0])
        first, rest = parts[0][1], parts[1:]
        if not names_store(first.of(data)):
            continue
        header = len(key) - 2
        spans = (first, *(Span(start=min(s.start + header, s.end), end=s.end) for _, s in rest))
        whole = [sequence for sequence, _ in parts] == list(range(parts[0][0], parts[0][0] + len(parts)))
        yield Place(spans=spans, torn=not whole)
    if broken:
        raise broken


def _add_piece(data: bytes, body: Span, pieces: dict[bytes, list[tuple[int, Span]]]) -> None:
    if data[body.start : body.start + 2] != b"JP" or body.end - body.start < 16:
        return
    (sequence,) = struct.unpack(">I", data[body.start + 4 : body.start + 8])
    box = body.start + 8
    header = 16 if data[box : box + 4] == b"\0\0\0\1" else 8
    key = data[body.start + 2 : body.start + 4] + data[box : box + header]
    pieces.setdefault(key, []).append((sequence, Span(start=box, end=body.end)))


def _jpeg_segments(data: bytes, budget: Budget) -> Iterator[tuple[int, Span]]:
    """Up to the first scan. Bytes where a marker belongs are passed over, as decoders do (T.81, B.1.1.2)."""
    at = 2
    while at + 4 <= len(data):
        budget.spend()
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at = data.find(b"\xff", at + 1)
            if at == -1:
                break
            continue
        marker = data[at + 1]
        if marker in (0xDA, 0xD9):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if length < 2:
            raise ContainerUnreadable("a JPEG segment is shorter than its own length field")
        yield marker, Span(start=at + 4, end=min(at + 2 + length, len(data)))
        at += 2 + length
    raise ContainerUnreadable("the JPEG ends before its picture begins")


def png(data: bytes, budget: Budget) -> Iterator[Place]:
    at = 8
    while at + 8 <= len(data):
        budget.spend()
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 8 + length
        if kind == b"caBX":
            yield place(at + 8, min(end, len(data)))
        if kind == b"IEND":
            return
        at = end + 4
    raise ContainerUnreadable("the PNG ends before its last chunk")


def tiff(data: bytes, budget: Budget) -> Iterator[Place]:
    """The tag in any directory of the chain. A chain that returns to an earlier directory was seen whole."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in _BIG_TIFF
    number, offset, entry = (order + "Q", order + "Q", 20) if big else (order + "H", order + "I", 12)
    form = order + ("HHQQ" if big else "HHII")
    start = 8 if big else 4
    at, seen = _number(data, offset, start), set[int]()
    while at and at not in seen:
        seen.add(at)
        budget.spend()
        entries = _number(data, number, at)
        first = at + struct.calcsize(number)
        end = first + entry * entries
        if end > len(data):
            raise ContainerUnreadable("a TIFF directory reaches beyond the end of the file")
        budget.spend(entries)
        for tag, kind, count, value in struct.iter_unpack(form, data[first:end]):
            if tag == _TIFF_TAG and kind in _TIFF_BYTES:
                yield place(value, min(value + count, len(data)))
        at = _number(data, offset, end)


def _number(data: bytes, form: str, at: int) -> int:
    size = struct.calcsize(form)
    if at + size > len(data):
        raise ContainerUnreadable("a TIFF directory lies beyond the end of the file")
    (found,) = struct.unpack(form, data[at : at + size])
    return int(found)


def gif(data: bytes, budget: Budget) -> Iterator[Place]:
    """Application extension "C2PA_GIF"; its sub-blocks hold the store."""
    if len(data) < 13:
        raise ContainerUnreadable("the GIF ends inside its header")
    at = 13 + _colours(data[10])
    while at < len(data):
        budget.spend()
        introducer = data[at]
        if introducer == 0x3B:
            return
        if introducer == 0x2C:
            if at + 10 > len(data):
                break
            at, _ = _sub_blocks(data, at + 11 + _colours(data[at + 9]), budget)
        elif introducer == 0x21:
            at, spans = _sub_blocks(data, at + 2, budget)
            # The identifier's block has 11 bytes: eight of name, three of authentication code.
            if spans and spans[0].of(data)[: len(_GIF_IDENTIFIER)] == _GIF_IDENTIFIER:
                yield Place(spans=tuple(spans[1:]))
        else:
            raise ContainerUnreadable("a GIF block begins with an unknown byte")
    raise ContainerUnreadable("the GIF ends before its trailer")


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sub_blocks(data: bytes, at: int, budget: Budget) -> tuple[int, list[Span]]:
    spans = []
    while at < len(data) and data[at]:
        budget.spend()
        spans.append(Span(start=at + 1, end=min(at + 1 + data[at], len(data))))
        at += 1 + data[at]
    if at >= len(data):
        raise ContainerUnreadable("the GIF ends inside a block")
    return at + 1, spans
