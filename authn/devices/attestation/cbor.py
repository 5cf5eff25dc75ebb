"""A strict reader of CBOR (RFC 8949) for attestation objects: what CTAP2 allows, each value in one spelling.

Definite lengths in their shortest form, no tags, no fractions, no name twice in a map, nothing left over. The
order of names is not judged: authenticators differ there.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_DEPTH = 4  # CTAP2 section 8
MAX_ITEMS = 64

Value = int | bytes | str | bool | None | list["Value"] | Mapping[int | str, "Value"]
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
SIMPLES: dict[int, bool | None] = {20: False, 21: True, 22: None}


class CborError(ValueError):
    """The bytes are not strict CBOR."""


def single(data: bytes) -> Value:
    """Exactly one item and nothing behind it. Raises ``CborError``."""
    value, end = item(data, 0)
    if end != len(data):
        raise CborError("trailing bytes")
    return value


def item(data: bytes, at: int, depth: int = 0) -> tuple[Value, int]:
    """The item at ``at``, and where it ends. Raises ``CborError``."""
    major, argument, at = _head(data, at)
    if major in (UNSIGNED, NEGATIVE):
        return (argument if major == UNSIGNED else -1 - argument), at
    if major in (BYTES, TEXT):
        return _string(data, at, argument, text=major == TEXT)
    if major in (ARRAY, MAP):
        if depth >= MAX_DEPTH or argument > MAX_ITEMS:
            raise CborError("nested too deeply, or too many items")
        return (_array if major == ARRAY else _map)(data, at, argument, depth + 1)
    if major == SIMPLE and argument in SIMPLES:
        return SIMPLES[argument], at
    raise CborError("a tag, a fraction or an unknown simple value")


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    if at >= len(data):
        raise CborError("truncated item")
    major, low = data[at] >> 5, data[at] & 0x1F
    at += 1
    if low < 24:
        return major, low, at
    if low > 27 or major == SIMPLE:
        raise CborError("an indefinite length, a fraction or a reserved value")
    octets = 1 << (low - 24)
    if at + octets > len(data):
        raise CborError("truncated item")
    argument = int.from_bytes(data[at : at + octets], "big")
    if argument < 24 or (octets > 1 and argument < 1 << (4 * octets)):
        raise CborError("a number is not in its shortest form")
    return major, argument, at + octets


def _string(data: bytes, at: int, length: int, *, text: bool) -> tuple[bytes | str, int]:
    end = at + length
    if end > len(data):
        raise CborError("truncated string")
    raw = data[at:end]
    try:
        return (raw.decode("utf-8") if text else raw), end
    except UnicodeDecodeError as e:
        raise CborError("a text is not UTF-8") from e


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[list[Value], int]:
    found = []
    for _ in range(count):
        value, at = item(data, at, depth)
        found.append(value)
    return found, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[int | str, Value], int]:
    found: dict[int | str, Value] = {}
    for _ in range(count):
        key, at = item(data, at, depth)
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise CborError("a name in a map is a number or a text")
        if key in found:
            raise CborError("a map names something twice")
        found[key], at = item(data, at, depth)
    return found, at
