"""A strict reader of DER (X.690): definite minimal lengths, low tag numbers, nothing left over.

It only splits; what the parts mean is decided by who asks (``signer.timestamp``).
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LENGTH_OCTETS = 4


class DerError(ValueError):
    """The bytes are not strict DER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
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


def single(data: bytes, tag: int) -> Element:
    """Exactly one element with this tag and nothing behind it. Raises ``DerError``."""
    element = _element(data, 0)
    if len(element.raw) != len(data):
        raise DerError("trailing bytes")
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag:#04x} belongs")
    return element


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
