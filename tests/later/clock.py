"""A plugin for `make test-later`: of the tests named there, those run whose code can come to know the date.

A test module is left out only if nothing that it imports, however far away, asks what time it is: neither a
module of ours nor a library that may ask by itself, and no other program is started. What a module does with
the answer is not looked at, so most that stay could be left out too; none that is left out could differ.
Among those that stay, what takes long and asserts nothing that a date could change says so: ``timeless``.
"""

from __future__ import annotations

import ast
import re
from functools import cache

import grimp
import pytest

from tests.conftest import ROOT

OURS = ("authn", "detector", "signer", "tests")
# They read a clock or start programs that may.
LIBRARIES = frozenset(
    ("c2pa", "click", "encypher_c2pa", "flask", "gunicorn", "http_message_signatures", "joserfc",
     "multiprocessing", "playwright", "rfc3161_client", "scitt_cose", "sqlalchemy", "ssl", "subprocess",
     "waitress", "werkzeug")
)  # fmt: skip
# What asks for the time of the day, judges at it unless told another, or loads a module that no graph shows.
_ASKING = frozenset(
    ("utc_now", "time_ns", "localtime", "gmtime", "strftime", "ctime", "PolicyBuilder", "import_module",
     "urlopen", "HTTPServer", "HTTPConnection", "HTTPSConnection")
)  # fmt: skip
_METHODS = frozenset(("now", "today", "utcnow"))  # elsewhere a name for a time that was given
# What all of that looks like in a text: where it is nowhere, nobody needs to read the code.
_TRACES = re.compile(
    rf"\b(?:{'|'.join(sorted(_ASKING))})\b|\.\s*(?:{'|'.join(sorted(_METHODS))})\b"
    r"|\bfrom\s+time\b|\btime\s*\.\s*time\b"
)
_DEFINES = "authn.core.instants"  # the one place that asks for everybody; who calls it asks


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if runs_once(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def runs_once(item: pytest.Item) -> bool:
    """On one day: no date can change what comes of it."""
    return item.get_closest_marker("timeless") is not None or not may_depend_on_the_date(module_of(item))


def module_of(item: pytest.Item) -> str:
    return ".".join(item.path.relative_to(ROOT).with_suffix("").parts)


def may_depend_on_the_date(module: str) -> bool:
    """A module that the graph does not hold may."""
    return module not in graph().modules or module in dependent()


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)


@cache
def dependent() -> frozenset[str]:
    """Those that ask, and all that import one of them, directly or not."""
    known = graph()
    asking = {m for m in known.modules if m in LIBRARIES or (m.partition(".")[0] in OURS and asks(m))}
    return frozenset(asking).union(*(known.find_downstream_modules(m) for m in asking))


def asks(module: str) -> bool:
    """Whether its own code asks what time it is."""
    path = ROOT / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = source.read_text(encoding="utf-8")
    if module == _DEFINES or not _TRACES.search(text):
        return False
    return any(map(_asks, ast.walk(ast.parse(text))))


def _asks(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _ASKING
    if isinstance(node, ast.ImportFrom):
        return any(a.name in _ASKING or (node.module, a.name) == ("time", "time") for a in node.names)
    if isinstance(node, ast.Attribute):
        of_time = isinstance(node.value, ast.Name) and node.value.id == "time" and node.attr == "time"
        return of_time or node.attr in _ASKING | _METHODS
    return False
