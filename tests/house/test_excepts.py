"""A failure is caught where somebody knows what it means; catching everything has four named places."""

from __future__ import annotations

import ast

from tests.house.source import modules, named, parsed

PLACES = {
    "authn/examine/examiner.py": 1,  # around one evidence source
    "authn/audit/looking.py": 1,  # around one audited item
    "authn/web/problems.py": 1,  # between a view and a client
    # Between a command and its caller: Python itself ends an unexpected error with 1, which here says that
    # something was found. It is the one exit code that a crash may never have, so somebody has to choose.
    "authn/cli/__init__.py": 1,
}
BROAD = {"Exception", "BaseException"}


def test_broad_excepts_stand_in_four_named_places_only() -> None:
    found = {named(p): n for p in modules() if (n := sum(map(_is_broad, ast.walk(parsed(p)))))}
    # Flask's errorhandler(Exception) is the same thing in another dress.
    assert found.keys() <= PLACES.keys(), found
    assert all(n <= PLACES[name] for name, n in found.items())


def test_nothing_is_suppressed_wholesale() -> None:
    wholesale = [
        f"{named(p)}:{node.lineno}"
        for p in modules()
        for node in ast.walk(parsed(p))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "suppress"
        and any(_names(a) & BROAD for a in node.args)
    ]
    assert wholesale == []


def _is_broad(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or bool(_names(node.type) & BROAD)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"errorhandler", "register_error_handler"}
        and any(_names(a) & BROAD for a in node.args)
    )


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
