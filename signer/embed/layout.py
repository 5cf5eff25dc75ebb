"""A signed file as pieces around its store, for the engine to bind by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass


def _as_it_is(store: bytes) -> bytes:
    return store


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """``head``, the store in the form ``wrap`` gives it, ``tail``. The wrapped store is left out of the
    binding."""

    head: tuple[bytes | memoryview, ...]
    tail: tuple[bytes | memoryview, ...] = ()
    wrap: Callable[[bytes], bytes] = _as_it_is

    @property
    def start(self) -> int:
        return sum(map(len, self.head))

    def wrapped_size(self, store_size: int) -> int:
        return len(self.wrap(bytes(store_size)))

    def digest(self) -> bytes:
        """SHA-256 of everything but the wrapped store."""
        digest = hashlib.sha256()
        for piece in (*self.head, *self.tail):
            digest.update(piece)
        return digest.digest()

    def filled(self, store: bytes) -> bytes:
        return b"".join((*self.head, self.wrap(store), *self.tail))
