"""The functions that an expression may call; each is pure, and none of them takes an expression."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from itertools import zip_longest

from authn.core.plain import Json
from authn.policies.formula.tokens import FormulaError

Function = Callable[[Sequence[Json]], Json]

MAX_WHOLE = 2**53
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_SUMS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def truth(value: Json) -> bool:
    """Empty and null are false, as 0 is."""
    return bool(value)


def number(value: Json) -> float:
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        try:
            return float(value) if value.strip() else 0
        except ValueError as e:
            raise FormulaError("a text is no number") from e
    raise FormulaError("an array or object is no number")


def text(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        raise FormulaError("an array or object is no text")
    return str(value)


def equal(one: Json, other: Json) -> bool:
    """Deep, and of one type: true is not 1."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(v, other[k]) for k, v in one.items())
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def each(of: Callable[[Json, Json], Json], one: Json, other: Json) -> Json:
    """An array is answered item by item; of two, the items in pairs."""
    if isinstance(one, list) and isinstance(other, list):
        return [each(of, *pair) for pair in zip_longest(one, other)]
    if isinstance(one, list):
        return [each(of, item, other) for item in one]
    if isinstance(other, list):
        return [each(of, one, item) for item in other]
    return of(one, other)


def ordered(kind: str, one: Json, other: Json) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return bool(ORDER[kind](one, other))
    try:
        return bool(ORDER[kind](number(one), number(other)))
    except FormulaError:
        return False


def summed(kind: str, one: Json, other: Json) -> float:
    """What is whole and larger than JSON's readers agree on becomes a fraction, so that no number doubles its
    digits at every step."""
    try:
        result: float = _SUMS[kind](_bounded(number(one)), _bounded(number(other)))
        return _bounded(result)
    except (ZeroDivisionError, OverflowError) as e:
        raise FormulaError("this has no result") from e


def _bounded(value: float) -> float:
    return float(value) if abs(value) > MAX_WHOLE else value


def _texts(of: Callable[[str, str], Json]) -> Function:
    def function(arguments: Sequence[Json]) -> Json:
        return each(lambda one, other: of(text(one), text(other)), *arguments)

    return function


def _held(value: Json, name: str) -> str:
    """A text, or nothing."""
    if value is None or isinstance(value, str):
        return value or ""
    raise FormulaError(f"{name} asks a text, an array or an object")


def _contains(arguments: Sequence[Json]) -> Json:
    subject, wanted = arguments
    if isinstance(subject, list):
        return any(equal(item, wanted) for item in subject)
    if not isinstance(wanted, str):
        raise FormulaError("contains: a text holds texts only")
    return wanted in _held(subject, "contains")


def _length(arguments: Sequence[Json]) -> Json:
    (value,) = arguments
    return len(value) if isinstance(value, (list, dict)) else len(_held(value, "length"))


def _object(arguments: Sequence[Json]) -> dict[str, Json]:
    (value,) = arguments
    if not isinstance(value, dict):
        raise FormulaError("keys and values are those of an object")
    return value


def _split(value: str, separator: str) -> Json:
    return [*value.split(separator)] if separator else [*value]


def _type(arguments: Sequence[Json]) -> Json:
    (value,) = arguments
    if isinstance(value, bool):
        return "boolean"
    kinds = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


# name -> how many arguments, and what it does; None: one or more
FUNCTIONS: dict[str, tuple[int | None, Function]] = {
    "contains": (2, _contains),
    "endsWith": (2, _texts(lambda subject, end: bool(end) and subject.endswith(end))),
    "keys": (1, lambda arguments: [*_object(arguments)]),
    "length": (1, _length),
    "not": (1, lambda arguments: not truth(arguments[0])),
    "notNull": (None, lambda arguments: next((a for a in arguments if a is not None), None)),
    "split": (2, _texts(_split)),
    "startsWith": (2, _texts(str.startswith)),
    "type": (1, _type),
    "values": (1, lambda arguments: [*_object(arguments).values()]),
}
