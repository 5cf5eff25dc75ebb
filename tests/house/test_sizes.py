"""Small enough to read: a module in one sitting, a function on one screen, a view at a glance."""

from __future__ import annotations

import ast
from statistics import median

from tests.house.source import Function, functions, lines, modules, named

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_VIEW_LINES = 25
MAX_MEDIAN_LINES = 14
# "module: function" -> reason. Empty is the goal; an entry without a reason is no entry.
LONGER: dict[str, str] = {}
ROUTE_DECORATORS = {"route", "get", "post", "put", "delete", "patch"}


def test_no_module_is_longer_than_one_sitting() -> None:
    long = {named(p): n for p in modules() if (n := len(p.read_text().splitlines())) > MAX_MODULE_LINES}
    assert long == {}


def test_no_function_is_longer_than_one_screen() -> None:
    long = {
        f"{named(p)}: {f.name}": lines(f)
        for p in modules()
        for f in functions(p)
        if lines(f) > MAX_FUNCTION_LINES
    }
    assert {k: v for k, v in long.items() if k not in LONGER} == {}
    assert set(LONGER) <= set(long), "an exception that is no longer needed"


def test_a_view_parses_calls_and_renders_at_a_glance() -> None:
    views = {
        f"{named(p)}: {f.name}": lines(f)
        for p in modules()
        for f in functions(p)
        if named(p).startswith("authn/web/") and _is_view(f)
    }
    assert views, "no view was found; has the way routes are declared changed?"
    assert {k: v for k, v in views.items() if v > MAX_VIEW_LINES} == {}


def test_most_functions_are_short() -> None:
    assert median(lines(f) for p in modules() for f in functions(p)) <= MAX_MEDIAN_LINES


def _is_view(function: Function) -> bool:
    return any(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) and d.func.attr in ROUTE_DECORATORS
        for d in function.decorator_list
    )
