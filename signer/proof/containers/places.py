"""What a finder yields, and the budget that keeps a file of a million tiny boxes from costing minutes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from signer.core.errors import ContainerUnreadable
from signer.proof.jumbf import Span

# Of boxes, chunks, segments, tags, sub-blocks together. The largest honest file that was met needs 70,000.
MAX_PARTS = 500_000
_HEAD_BYTES = 256


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


def from_base64(text: bytes) -> bytes:
    """White space is allowed; what is no base64 at all is no store, hence empty."""
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def place(start: int, end: int) -> Place:
    return Place(spans=(Span(start=start, end=end),))
