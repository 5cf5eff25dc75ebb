"""What a finder yields, and the budget that keeps a file of a million tiny boxes from costing minutes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from signer.core.errors import ContainerUnreadable

# Of boxes, chunks, segments, tags, sub-blocks together. The largest honest file that was met needs 70,000.
MAX_PARTS = 500_000
_HEAD_BYTES = 256
STORE_TYPE = bytes.fromhex("6332706100110010800000aa00389b71")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    start: int
    end: int

    def of(self, data: bytes) -> bytes:
        return data[self.start : self.end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The store's bytes are the concatenation of ``spans`` of the file, or ``content`` where the container
    writes them in another coding.

    ``torn``: pieces of it are missing or stand there twice, so that no reader can know its bytes.
    """

    spans: tuple[Span, ...] = ()
    content: bytes | None = None
    torn: bool = False

    def of(self, data: bytes) -> bytes:
        return b"".join(s.of(data) for s in self.spans) if self.content is None else self.content

    def head(self, data: bytes) -> bytes:
        """Enough of it to see what it is. Many entries may name the same large part of a file, so none is
        copied whole for that."""
        if self.content is not None:
            return self.content[:_HEAD_BYTES]
        return b"".join(data[s.start : min(s.end, s.start + _HEAD_BYTES)] for s in self.spans[:_HEAD_BYTES])[
            :_HEAD_BYTES
        ]


class Budget:
    """How many more parts of a container are looked at. Raises ``ContainerUnreadable`` when it is spent."""

    def __init__(self, parts: int = MAX_PARTS) -> None:
        self._parts = parts
        self._left = parts

    @property
    def spent(self) -> bool:
        return self._left < 0

    def spend(self, parts: int = 1) -> None:
        self._left -= parts
        if self.spent:
            raise ContainerUnreadable(
                f"the container has more than {self._parts} parts; it was not looked through"
            )


Finder = Callable[[bytes, Budget], Iterator[Place]]


def names_store(head: bytes) -> bool:
    """Whether these bytes begin as a C2PA store does: a ``jumb`` box whose description (``jumd``) has C2PA's
    type and label. One of the two names and one of the two marks are enough, so that a store with a changed
    byte is still known as one; a file that was never signed has neither name here.
    """
    at = 8 if head[:4] == b"\0\0\0\1" else 0  # a box with a long length
    description = at + 16
    marked = head[4:8] == b"jumb" or head[at + 12 : description] == b"jumd"
    named = head[description : description + 16] == STORE_TYPE
    return marked and (named or head[description + 17 : description + 22] == b"c2pa\0")


def from_base64(text: bytes) -> bytes:
    """White space is allowed; what is no base64 at all is no store, hence empty."""
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def place(start: int, end: int) -> Place:
    return Place(spans=(Span(start=start, end=end),))
