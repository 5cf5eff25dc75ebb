"""CBOR that strangers wrote (RFC 8949), with one error for all that the library raises."""

from __future__ import annotations

import cbor2


class NotCbor(ValueError):
    """The bytes are no CBOR, or such as nobody can hold: nested without end, longer than memory."""


def read_cbor(data: bytes) -> object:
    """Raises ``NotCbor``."""
    try:
        return cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError, MemoryError) as e:
        raise NotCbor(str(e)) from e
