"""Expressions answer as the published cases of json-formula say (Adobe, Apache-2.0), and cannot run on."""

from __future__ import annotations

import pytest

from authn.core.plain import Json
from authn.policies.formula.expression import MAX_DEPTH, Scope, parse
from authn.policies.formula.tokens import MAX_CHARS, FormulaError

DATA: Json = {
    "a": [{"k": "x", "n": 1}, {"k": "y", "n": 2, "b": None}, {"n": True}],
    "o": {"c2pa.actions.v2": {"actions": [{"action": "c2pa.created"}]}, "s": "a,b", "e": [], "z": 0},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a[0].k", "x"),
        ("a[-1].n", True),
        ("a[?n == 1].k", ["x"]),
        ("a[?n == `true`].n", [True]),
        ("a[].k", ["x", "y", None]),
        ("a[*].n | [1]", 2),
        ("o.'c2pa.actions.v2'.actions[?startsWith(action, \"c2pa.\")].action", ["c2pa.created"]),
        ("length(o.missing)", 0),
        ("o.missing || `{}`", {}),
        ("o.e && 1", []),
        ("!o.z", True),
        ("split(o.s, \",\")[1] & \"!\"", "b!"),
        ("if(o.z, \"yes\", \"no\")", "no"),
        ("keys(o)[3]", "z"),
        ("values(o) | length(@)", 4),
        ("contains(o.s, \",\")", True),
        ("contains(a[*].k, \"y\")", True),
        ("notNull(o.missing, a[1].b, \"last\")", "last"),
        ("type(o.e)", "array"),
        ("\"3\" * 2 > 5.5", True),
        ("{x: o.z, 'y y': a[0].n}", {"x": 0, "y y": 1}),
        ("[o.z, a[0].n] ~ 7", [0, 1, 7]),
        ("o.s == \"a,b\" && not(o.e)", True),
        ("endsWith(o.s, \"b\")", True),
        ("o.*.actions | []", [{"action": "c2pa.created"}, None, None, None]),
        ("a[1].b < 1", True),
        ("o.e == `[]` || o.z == `\"0\"`", True),
    ],
)  # fmt: skip
def test_an_expression_answers_as_the_specification_says(text: str, found: Json) -> None:
    assert parse(text).of(DATA, Scope()) == found


def test_named_expressions_and_variables_are_those_of_the_rubrics() -> None:
    scope = Scope(
        variables={"$list": ["x"]},
        expressions={
            "_known": parse("contains($list, $args[0])"),
            "_first": parse("_known(a[0].k) && !_known(a[1].k)"),
        },
    )
    assert parse("_first()").of(DATA, scope) is True
    assert parse("a[?_known(k)].n").of(DATA, scope) == [1]


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a[", "a..b", "foo(a)", "length()", "length(a, a)", "if(a)", "'x'(a)", "`{`", "\"x", "a ^ b",
     "(" * (MAX_DEPTH + 1), "x" * (MAX_CHARS + 1), "{}", "a[`\"x\"`]", "sort(a)", "a[?]"],
)  # fmt: skip
def test_what_is_no_expression_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


@pytest.mark.parametrize("text", ["1 / 0", "keys(a)", 'contains(5, "x")', '"x" * 2', "$nobody", "_nobody()"])
def test_what_cannot_be_evaluated_is_one_error(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text).of(DATA, Scope())


def test_an_expression_cannot_run_on() -> None:
    many: Json = [list(range(100))] * 100
    nested = "[].{x: @} | [*].[@, @] | [] | [*].[@, @] | [] | [*].[@]"
    with pytest.raises(FormulaError, match="too many steps"):
        parse(nested).of(many, Scope(steps=20_000))
    with pytest.raises(FormulaError):
        parse("_again()").of(DATA, Scope(expressions={"_again": parse("_again()")}))


@pytest.mark.parametrize("step", ["@ & @", "@ ~ @", "[@, @]", "{a: @, b: @}"])
def test_what_doubles_with_every_step_is_stopped_before_it_fills_the_memory(step: str) -> None:
    grown = '"0123456789" | ' + " | ".join([f"({step})"] * 60)
    with pytest.raises(FormulaError, match="too many steps"):
        parse(f"{grown} | @ == 1").of(DATA, Scope())
