"""Expressions of json-formula 2.0 (Adobe), as far as C2PA's Asset Rubrics need it: read and evaluated.

What is left out takes expressions as arguments, dates, or statistics; whoever writes it is told so. An
expression has no side effect and cannot run on: steps are counted, and it sees nothing but what it is given.
The semantics are those of the reference (adobe/json-formula-py), with whose fixtures tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from authn.core.plain import Json
from authn.policies.formula.functions import (
    FUNCTIONS,
    ORDER,
    each,
    equal,
    number,
    ordered,
    summed,
    text,
    truth,
)
from authn.policies.formula.tokens import FormulaError, Token, tokens

MAX_STEPS = 200_000
MAX_DEPTH = 60
_POWER = {
    "|": 1, "||": 2, "&&": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "&": 5, "+": 6, "-": 6,
    "~": 6, "*": 7, "/": 7, "!": 8, "[]": 10, "[?": 21, ".": 40, "[": 55, "(": 60,
}  # fmt: skip
_STAR, _FLATTEN, _FILTER = 20, 10, 21
_WALKING = frozenset({"contains", "endsWith", "split", "startsWith"})  # functions that go through all of it


@dataclass(slots=True)
class Scope:
    """What one evaluation sees: globals by ``$name``, expressions by ``_name``, and the steps it may take."""

    variables: dict[str, Json] = field(default_factory=dict)
    expressions: Mapping[str, Expression] = field(default_factory=dict)
    steps: int = MAX_STEPS

    def step(self, by: int = 1) -> None:
        self.steps -= by
        if self.steps < 0:
            raise FormulaError("it takes too many steps")

    def made(self, value: Json) -> Json:
        """The value; steps are what it holds, since what is put together can double with every operator."""
        self.walked([value])
        return value

    def walked(self, values: list[Json]) -> list[Json]:
        """The values; steps are what they hold, for what goes through all of it."""
        waiting = [*values]
        while waiting:
            one = waiting.pop()
            self.step(1 + len(one) // 64 if isinstance(one, str) else 1)
            if isinstance(one, list | dict):
                waiting.extend(one.values() if isinstance(one, dict) else one)
        return values


Run = Callable[[Json, Scope], Json]


@dataclass(frozen=True, slots=True)
class Expression:
    """``run`` raises ``FormulaError`` where it cannot be evaluated. ``name``: it is a bare name."""

    run: Run
    name: str = ""

    def of(self, value: Json, scope: Scope) -> Json:
        try:
            return self.run(value, scope)
        except RecursionError as e:
            raise FormulaError("it calls itself") from e


def parse(source: str) -> Expression:
    """Raises ``FormulaError``."""
    parser = _Parser(tokens(source))
    found = parser.expression(0)
    parser.take("end")
    return found


def _itself(value: Json, _scope: Scope) -> Json:
    return value


class _Parser:
    """A Pratt parser: what begins an expression (``_begin``), and what goes on from one (``_go_on``)."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = self._depth = 0

    def peek(self, further: int = 0) -> str:
        return self._tokens[min(self._at + further, len(self._tokens) - 1)].kind

    def next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def take(self, kind: str) -> Token:
        token = self.next()
        if token.kind != kind:
            raise FormulaError(f"{kind!r} is expected, and {token.value or token.kind!r} stands there")
        return token

    def expression(self, power: int) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormulaError("it is nested too deeply")
        left = self._begin(self.next())
        while power < _POWER.get(self.peek(), 0):
            left = self._go_on(self.next().kind, left)
        self._depth -= 1
        return left

    def _begin(self, token: Token) -> Expression:
        kind = token.kind
        if kind == "literal":
            return Expression(lambda _v, _s, literal=token.value: literal)  # type: ignore[misc]
        if kind in ("name", "quoted"):
            return _key(str(token.value), bare=kind == "name")
        if kind == "global":
            return Expression(lambda _v, s, name=str(token.value): _variable(s, name))  # type: ignore[misc]
        if kind == "@":
            return Expression(_itself)
        if kind == "!":
            inner = self.expression(_POWER["!"]).run
            return Expression(lambda v, s: not truth(inner(v, s)))
        if kind == "-":
            inner = self.expression(_POWER["!"]).run
            return Expression(lambda v, s: -number(inner(v, s)))
        if kind == "(":
            inside = self.expression(0)
            self.take(")")
            return Expression(inside.run)
        if kind == "{":
            return self._object()
        return self._begin_bracket(kind)

    def _begin_bracket(self, kind: str) -> Expression:
        here = Expression(_itself)
        if kind == "*":
            return self._values(here, _STAR)
        if kind in ("[?", "[]"):
            return self._go_on(kind, here)
        if kind == "[":
            if self._is_index():
                return self._index(here)
            if self.peek() == "*" and self.peek(1) == "]":
                return self._go_on("[", here)
            return self._array()
        raise FormulaError(f"{kind!r} begins no expression")

    def _is_index(self) -> bool:
        """Or an array of one."""
        at = 1 if self.peek() == "-" else 0
        token = self._tokens[min(self._at + at, len(self._tokens) - 1)]
        return token.kind == "literal" and type(token.value) is int and self.peek(at + 1) == "]"

    def _go_on(self, kind: str, left: Expression) -> Expression:
        if kind == ".":
            return self._dot(left)
        if kind == "[":
            if self.peek() != "*":
                return self._index(left)
            self.next()
            self.take("]")
            return _projected(left.run, self._projection(_STAR))
        if kind == "[]":
            return _projected(_flattened(left.run), self._projection(_FLATTEN))
        if kind == "[?":
            condition = self.expression(0).run
            self.take("]")
            return _projected(_filtered(left.run, condition), self._projection(_FILTER))
        if kind == "(":
            return self._call(left)
        return _binary(kind, left.run, self.expression(_POWER[kind]).run)

    def _dot(self, left: Expression) -> Expression:
        if self.peek() == "*":
            self.next()
            return self._values(left, _POWER["."])
        first, then = left.run, self._after_dot(_POWER["."]).run

        return Expression(lambda value, scope: then(first(value, scope), scope))

    def _after_dot(self, power: int) -> Expression:
        kind = self.peek()
        if kind in ("name", "quoted", "*"):
            return self.expression(power)
        if kind == "[":
            self.next()
            return self._array()
        self.take("{")
        return self._object()

    def _projection(self, power: int) -> Run:
        """What is done with each item."""
        kind = self.peek()
        if _POWER.get(kind, 0) <= _FLATTEN or kind == "(":
            return _itself
        if kind == ".":
            self.next()
            return self._after_dot(power).run
        return self.expression(power).run

    def _values(self, left: Expression, power: int) -> Expression:
        def values(value: Json, scope: Scope) -> Json:
            found = left.run(value, scope)
            return [*found.values()] if isinstance(found, dict) else None

        return _projected(values, _itself if self.peek() == "]" else self._projection(power))

    def _index(self, left: Expression) -> Expression:
        sign = -1 if self.peek() == "-" else 1
        if sign < 0:
            self.next()
        token = self.take("literal")
        if not isinstance(token.value, int) or isinstance(token.value, bool):
            raise FormulaError("an index is a whole number")
        self.take("]")
        at = sign * token.value

        def indexed(value: Json, scope: Scope) -> Json:
            found = left.run(value, scope)
            inside = isinstance(found, list) and -len(found) <= at < len(found)
            return found[at] if isinstance(found, list) and inside else None

        return Expression(indexed)

    def _array(self) -> Expression:
        items = self._listed("]")
        return Expression(lambda v, s: s.made([item(v, s) for item in items]))

    def _object(self) -> Expression:
        fields: dict[str, Run] = {}
        while True:
            key = self.next()
            if key.kind not in ("name", "quoted"):
                raise FormulaError("a key is expected in an object")
            self.take(":")
            fields[str(key.value)] = self.expression(0).run
            if self.peek() != ",":
                break
            self.next()
        self.take("}")
        return Expression(lambda v, s: s.made({key: run(v, s) for key, run in fields.items()}))

    def _listed(self, end: str) -> list[Run]:
        found: list[Run] = []
        while self.peek() != end:
            if found:
                self.take(",")
            found.append(self.expression(0).run)
        self.take(end)
        return found

    def _call(self, left: Expression) -> Expression:
        name, arguments = left.name, self._listed(")")
        if not name:
            raise FormulaError("only a name can be called")
        if name == "if":
            return _choice(arguments)
        if name.startswith("_"):
            return _named(name, arguments)
        if name not in FUNCTIONS:
            raise FormulaError(f"there is no function {name} here")
        wanted, function = FUNCTIONS[name]
        if len(arguments) != wanted if wanted is not None else not arguments:
            raise FormulaError(f"{name} takes {wanted or 'one argument or more'}")

        def call(value: Json, scope: Scope) -> Json:
            scope.step()
            given = [argument(value, scope) for argument in arguments]
            return function(scope.walked(given) if name in _WALKING else given)

        return Expression(call)


def _key(name: str, *, bare: bool) -> Expression:
    def key(value: Json, _scope: Scope) -> Json:
        return value.get(name) if isinstance(value, dict) else None

    return Expression(key, name if bare else "")


def _variable(scope: Scope, name: str) -> Json:
    if name not in scope.variables:
        raise FormulaError(f"{name} is not given")
    return scope.variables[name]


def _projected(items: Run, each: Run) -> Expression:
    def project(value: Json, scope: Scope) -> Json:
        found = items(value, scope)
        if not isinstance(found, list):
            return None
        projected = []
        for item in found:
            scope.step()
            projected.append(each(item, scope))
        return projected

    return Expression(project)


def _filtered(items: Run, condition: Run) -> Run:
    def filtered(value: Json, scope: Scope) -> Json:
        found = items(value, scope)
        if not isinstance(found, list):
            return None
        kept: list[Json] = []
        for item in found:
            scope.step()
            if truth(condition(item, scope)):
                kept.append(item)
        return kept

    return filtered


def _flattened(items: Run) -> Run:
    def flattened(value: Json, scope: Scope) -> Json:
        found = items(value, scope)
        if not isinstance(found, list):
            return None
        scope.step(len(found))
        flat = [inner for item in found for inner in (item if isinstance(item, list) else [item])]
        scope.step(len(flat))
        return flat

    return flattened


def _choice(arguments: list[Run]) -> Expression:
    if len(arguments) != 3:
        raise FormulaError("if takes a condition and two values")
    condition, yes, no = arguments
    return Expression(lambda v, s: yes(v, s) if truth(condition(v, s)) else no(v, s))


def _named(name: str, arguments: list[Run]) -> Expression:
    """An expression that has a name; what it is called with is ``$args`` while it runs."""

    def call(value: Json, scope: Scope) -> Json:
        scope.step()
        if name not in scope.expressions:
            raise FormulaError(f"there is no expression {name}")
        given = [argument(value, scope) for argument in arguments]
        kept = scope.variables.get("$args")
        if given:
            scope.variables["$args"] = given
        try:
            return scope.expressions[name].run(value, scope)
        finally:
            scope.variables["$args"] = kept

    return Expression(call)


def _binary(kind: str, one: Run, other: Run) -> Expression:
    if kind == "|":
        return Expression(lambda v, s: other(one(v, s), s))
    if kind == "||":
        return Expression(lambda v, s: found if truth(found := one(v, s)) else other(v, s))
    if kind == "&&":
        return Expression(lambda v, s: other(v, s) if truth(found := one(v, s)) else found)
    if kind == "==":
        return Expression(lambda v, s: equal(*s.walked([one(v, s), other(v, s)])))
    if kind == "!=":
        return Expression(lambda v, s: not equal(*s.walked([one(v, s), other(v, s)])))
    if kind in ORDER:
        return Expression(lambda v, s: ordered(kind, one(v, s), other(v, s)))
    if kind == "&":
        return Expression(lambda v, s: s.made(each(lambda a, b: text(a) + text(b), one(v, s), other(v, s))))
    if kind == "~":
        return Expression(lambda v, s: s.made([*_list(one(v, s)), *_list(other(v, s))]))
    return Expression(lambda v, s: s.made(each(lambda a, b: summed(kind, a, b), one(v, s), other(v, s))))


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]
