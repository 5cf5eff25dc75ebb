"""What commands print goes through one module, which shows a stranger's characters, never sends them."""

from __future__ import annotations

import ast

from tests.house.source import modules, named, parsed

THE_WAY_OUT = "authn/cli/out.py"


def test_commands_print_through_one_module_only() -> None:
    others = [
        f"{named(p)}:{node.lineno}"
        for p in modules()
        if named(p).startswith(("authn/cli/", "authn/demo/")) and named(p) != THE_WAY_OUT
        for node in ast.walk(parsed(p))
        if isinstance(node, ast.Call) and _writes(node.func)
    ]
    assert others == []


def test_what_servers_print_at_their_start_is_made_visible() -> None:
    raw = [
        f"{named(p)}:{node.lineno}"
        for p in modules()
        if not named(p).startswith("authn/cli/")
        for node in ast.walk(parsed(p))
        if isinstance(node, ast.Call) and _writes(node.func) and not _is_visible(node.args[0])
    ]
    assert raw == []


def _is_visible(printed: ast.expr) -> bool:
    if isinstance(printed, ast.Call):
        return ast.unparse(printed.func) == "visible"
    return isinstance(printed, ast.Constant)


def test_the_rule_would_see_each_way_to_print() -> None:
    ways = "click.echo(x)", "click.secho(x)", "print(x)", "sys.stdout.write(x)", "sys.stderr.buffer.write(x)"
    calls = [n for way in ways for n in ast.walk(ast.parse(way)) if isinstance(n, ast.Call)]
    assert len(calls) == len(ways)
    assert all(_writes(call.func) for call in calls)


def _writes(function: ast.expr) -> bool:
    text = ast.unparse(function)
    return (
        text == "print"
        or text.startswith(("click.echo", "click.secho"))
        or (text.endswith((".write", ".writelines")) and text.startswith(("sys.stdout", "sys.stderr")))
    )
