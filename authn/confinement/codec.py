"""Values as plain data and back, by the type hints of frozen dataclasses: what crosses to a confined process.

A process that was taken over by a file must not do more by its answer than say something wrong. So nothing
here names a class, calls what it is told, or builds anything but the one type that the reader expects: types,
members of enumerations, names of fields and bounds are checked for each value. Bytes travel beside the data,
as frames of their own.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

MAX_TEXT_CHARS = 1_000_000
MAX_ITEMS = 100_000
MAX_NODES = 1_000_000  # an empty list costs three characters in a message and twenty times as much in memory
MAX_BLOB_BYTES = 2**32
_MAX_INT = 2**63

Plain = dict[str, Any] | list[Any] | str | int | float | bool | None


class NotOfSchema(ValueError):
    """What came is not a value of the type that was expected."""


@dataclass(frozen=True, slots=True)
class _Codec:
    """``owns``: whether a value is of this type, for telling the parts of a union apart; ``tag`` names it."""

    encode: Callable[[Any, list[bytes]], Plain]
    decode: Callable[[Plain, list[bytes]], Any]
    owns: Callable[[Any], bool]
    tag: str


def encode(hint: Any, value: object, blobs: list[bytes]) -> Plain:
    """``value``, of type ``hint``, as plain data, its bytes added to ``blobs``. Raises ``NotOfSchema``."""
    return _codec(hint).encode(value, blobs)


def decode(hint: type[T], plain: Plain, blobs: list[bytes]) -> T:
    """The value of type ``hint`` that ``encode`` has written. Raises ``NotOfSchema`` for anything else."""
    try:
        found: T = _codec(cast("Any", hint)).decode(plain, blobs)
    except NotOfSchema:
        raise
    except (ValueError, TypeError, OverflowError) as e:  # what a dataclass says of its own values
        raise NotOfSchema(f"not a {_name(hint)}") from e
    return found


def dump(plain: Plain) -> bytes:
    """As text. ASCII: strings from files hold what UTF-8 cannot carry. Raises ``NotOfSchema``."""
    try:
        return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode("ascii")
    except ValueError as e:
        raise NotOfSchema("not a finite number") from e


def load(text: bytes) -> Plain:
    """Plain data out of text. Raises ``NotOfSchema``; its memory is bounded before it is parsed."""
    if sum(text.count(c) for c in (b",", b"[", b"{")) > MAX_NODES:
        raise NotOfSchema("too many values")
    try:
        found: Plain = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except NotOfSchema:
        raise
    except (ValueError, RecursionError) as e:
        raise NotOfSchema("not JSON") from e
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotOfSchema("a name stands twice")
    return found


def _no_constant(name: str) -> None:
    raise NotOfSchema(f"{name} is no number")


@cache
def _codec(hint: Any) -> _Codec:
    """Raises ``TypeError`` for a type that has no plain form: that is a defect of ours."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _many(arguments[0]) if arguments[1:] == (Ellipsis,) else _row(arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enumeration(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"{hint} has no plain form")


def _scalar(kind: type, check: Callable[[Any], Any]) -> _Codec:
    def encode(value: Any, _blobs: list[bytes]) -> Plain:
        found: Plain = check(value)
        return found

    def decode(plain: Plain, _blobs: list[bytes]) -> Any:
        if type(plain) is not kind:
            raise NotOfSchema(f"not a {kind.__name__}")
        return check(plain)

    return _Codec(encode, decode, lambda value: type(value) is kind, kind.__name__)


def _text(value: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise NotOfSchema("not a text of bounded length")
    return str(value)


def _to_text(plain: Plain, _blobs: list[bytes]) -> str:
    """Most values of a report are texts, and every answer is read: one look at each."""
    if type(plain) is not str or len(plain) > MAX_TEXT_CHARS:
        raise NotOfSchema("not a text of bounded length")
    return plain


def _whole(value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_MAX_INT <= value < _MAX_INT:
        raise NotOfSchema("not a whole number of 64 bits")
    return value


def _finite(value: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise NotOfSchema("not a finite number")
    return float(value)


def _truth(value: bool) -> bool:
    if value is not True and value is not False:
        raise NotOfSchema("neither true nor false")
    return value


def _nothing(value: None) -> None:
    if value is not None:
        raise NotOfSchema("not nothing")


def _from_instant(value: datetime, _blobs: list[bytes]) -> Plain:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise NotOfSchema("not a time with a zone")
    return value.isoformat()


def _to_instant(plain: Plain, _blobs: list[bytes]) -> datetime:
    if not isinstance(plain, str) or len(plain) > 64:
        raise NotOfSchema("not a time")
    found = datetime.fromisoformat(plain)
    if found.tzinfo is None:
        raise NotOfSchema("not a time with a zone")
    return found


def _from_bytes(value: bytes, blobs: list[bytes]) -> Plain:
    if not isinstance(value, bytes) or len(value) > MAX_BLOB_BYTES:
        raise NotOfSchema("not bytes")
    blobs.append(value)
    return {"blob": len(blobs) - 1}


def _to_bytes(plain: Plain, blobs: list[bytes]) -> bytes:
    index = plain.get("blob") if isinstance(plain, dict) and len(plain) == 1 else None
    if type(index) is not int or not 0 <= index < len(blobs):
        raise NotOfSchema("not one of the frames of bytes")
    return blobs[index]


_SCALARS: dict[Any, _Codec] = {
    str: _Codec(_scalar(str, _text).encode, _to_text, lambda value: type(value) is str, "str"),
    int: _scalar(int, _whole),
    float: _scalar(float, _finite),
    bool: _scalar(bool, _truth),
    type(None): _scalar(type(None), _nothing),
    datetime: _Codec(_from_instant, _to_instant, lambda value: isinstance(value, datetime), "datetime"),
    bytes: _Codec(_from_bytes, _to_bytes, lambda value: isinstance(value, bytes), "bytes"),
}


def _enumeration(kind: type[StrEnum]) -> _Codec:
    def encode(value: Any, _blobs: list[bytes]) -> Plain:
        return str(kind(value).value)

    def decode(plain: Plain, _blobs: list[bytes]) -> StrEnum:
        if type(plain) is not str:
            raise NotOfSchema(f"not a {kind.__name__}")
        return kind(plain)

    return _Codec(encode, decode, lambda value: isinstance(value, kind), kind.__name__)


def _many(item: Any) -> _Codec:
    inner = cache(lambda: _codec(item))  # when it is needed: a type may hold itself

    def encode(value: Any, blobs: list[bytes]) -> Plain:
        one = inner().encode
        return [one(v, blobs) for v in value]

    def decode(plain: Plain, blobs: list[bytes]) -> tuple[Any, ...]:
        if type(plain) is not list or len(plain) > MAX_ITEMS:
            raise NotOfSchema("not a list of bounded length")
        one = inner().decode
        return tuple([one(p, blobs) for p in plain])

    return _Codec(encode, decode, lambda value: isinstance(value, tuple), "tuple")


def _row(items: tuple[Any, ...]) -> _Codec:
    inner = cache(lambda: tuple(map(_codec, items)))

    def encode(value: Any, blobs: list[bytes]) -> Plain:
        return [one.encode(v, blobs) for one, v in zip(inner(), value, strict=True)]

    def decode(plain: Plain, blobs: list[bytes]) -> tuple[Any, ...]:
        if type(plain) is not list or len(plain) != len(items):
            raise NotOfSchema(f"not a list of {len(items)}")
        return tuple([one.decode(p, blobs) for one, p in zip(inner(), plain, strict=True)])

    return _Codec(encode, decode, lambda value: isinstance(value, tuple), "tuple")


def _record(kind: type) -> _Codec:
    hints = get_type_hints(kind)
    names = frozenset(f.name for f in fields(kind))
    parts = cache(lambda: tuple((f.name, _codec(hints[f.name])) for f in fields(kind)))

    def encode(value: Any, blobs: list[bytes]) -> Plain:
        if type(value) is not kind:
            raise NotOfSchema(f"not a {kind.__name__}")
        return {name: codec.encode(getattr(value, name), blobs) for name, codec in parts()}

    def decode(plain: Plain, blobs: list[bytes]) -> Any:
        if type(plain) is not dict or plain.keys() != names:
            raise NotOfSchema(f"not the fields of a {kind.__name__}")
        return kind(**{name: codec.decode(plain[name], blobs) for name, codec in parts()})

    return _Codec(encode, decode, lambda value: type(value) is kind, kind.__name__)


def _union(parts: tuple[Any, ...]) -> _Codec:
    """Scalars of JSON stand for themselves; of anything else the name of its type is written along."""
    plain_ones = {p: _codec(p) for p in parts if p in _SCALARS and p not in (datetime, bytes)}
    tagged = {c.tag: c for c in (_codec(p) for p in parts if p not in plain_ones)}
    if len(plain_ones) + len(tagged) != len(parts):
        raise TypeError(f"{parts} cannot be told apart")

    def encode(value: Any, blobs: list[bytes]) -> Plain:
        for codec in plain_ones.values():
            if codec.owns(value):
                return codec.encode(value, blobs)
        for tag, codec in tagged.items():
            if codec.owns(value):
                return [tag, codec.encode(value, blobs)]
        for kind in (bool, int, float, str):  # numpy's numbers and members of enumerations
            if kind in plain_ones and isinstance(value, kind):
                return plain_ones[kind].encode(value, blobs)
        raise NotOfSchema(f"a {type(value).__name__} is none of what it may be")

    def decode(plain: Plain, blobs: list[bytes]) -> Any:
        codec = plain_ones.get(type(plain))
        if codec is not None:
            return codec.decode(plain, blobs)
        if type(plain) is list and len(plain) == 2 and type(plain[0]) is str and plain[0] in tagged:
            return tagged[plain[0]].decode(plain[1], blobs)
        raise NotOfSchema("none of what it may be")

    return _Codec(encode, decode, lambda _value: False, "union")


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", "value")
