"""A strict reader of DER (X.690): definite minimal lengths, low tag numbers, nothing left over; and a writer.

It only splits, and reads numbers and names; what they mean is decided by who asks.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_LENGTH_OCTETS = 4
INTEGER, OID, NULL, SEQUENCE = 0x02, 0x06, 0x05, 0x30


class DerError(ValueError):
    """The bytes are not strict DER."""


class Element(NamedTuple):
    """``raw`` is the whole element, ``body`` its contents; ``tag`` is the identifier octet."""

    tag: int
    body: bytes
    raw: bytes

    def children(self) -> tuple[Element, ...]:
        """The elements inside a constructed one. Raises ``DerError``."""
        if not self.tag & 0x20:
            raise DerError("a primitive element has no children")
        return elements(self.body)


def elements(data: bytes) -> tuple[Element, ...]:
    """All elements of ``data``, one after the other, to the last byte. Raises ``DerError``."""
    found = []
    at = 0
    while at < len(data):
        element = _element(data, at)
        found.append(element)
        at += len(element.raw)
    return tuple(found)


def first(data: bytes) -> Element:
    """The element that ``data`` begins with, whatever comes behind it. Raises ``DerError``."""
    return _element(data, 0)


def single(data: bytes, tag: int) -> Element:
    """Exactly one element with this tag and nothing behind it. Raises ``DerError``."""
    element = _element(data, 0)
    if len(element.raw) != len(data):
        raise DerError("trailing bytes")
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag:#04x} belongs")
    return element


def whole(element: Element, tag: int) -> bytes:
    """The contents of an element of this kind. Raises ``DerError``."""
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag:#04x} belongs")
    return element.body


def integer(element: Element, tag: int = INTEGER) -> int:
    """A number in its one spelling (X.690 section 8.3.2); ``tag`` if it is implicit. Raises ``DerError``."""
    body = whole(element, tag)
    if not body or (len(body) > 1 and (body[0], body[1] >> 7) in ((0, 0), (0xFF, 1))):
        raise DerError("a number is empty or padded")
    return int.from_bytes(body, "big", signed=True)


def identifier(element: Element) -> bytes:
    """The contents of an object identifier (X.690 section 8.19). Raises ``DerError``."""
    body = whole(element, OID)
    starts = [octet for before, octet in zip(b"\0" + body, body, strict=False) if not before & 0x80]
    if not body or body[-1] & 0x80 or 0x80 in starts:
        raise DerError("an object identifier is empty, padded or cut short")
    return body


def algorithm(element: Element) -> bytes:
    """The identifier of an AlgorithmIdentifier without parameters, or with NULL. Raises ``DerError``."""
    whole(element, SEQUENCE)
    parts = element.children()
    if not 0 < len(parts) < 3 or (len(parts) == 2 and parts[1].raw != bytes((NULL, 0))):
        raise DerError("an algorithm has parameters that it does not take")
    return identifier(parts[0])


def encoded(tag: int, body: bytes) -> bytes:
    """One element (X.690 section 8.1.3), in its shortest form."""
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + size.to_bytes(octets, "big") + body


def _element(data: bytes, at: int) -> Element:
    if at + 2 > len(data):
        raise DerError("truncated element")
    tag, length = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise DerError("long tag numbers do not occur here")
    start = at + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= MAX_LENGTH_OCTETS or start + octets > len(data):
            raise DerError("indefinite or oversized length")
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
        if length < 0x80 or length.bit_length() <= 8 * (octets - 1):
            raise DerError("length is not minimal")
    end = start + length
    if end > len(data):
        raise DerError("truncated element")
    return Element(tag=tag, body=data[start:end], raw=data[at:end])
