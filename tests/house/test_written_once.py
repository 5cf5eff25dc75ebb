"""A mechanism of the laboratory has one home; here is what may not be written a second time elsewhere.

Each is told by the names that it cannot do without, so that a copy under any name of its own is found.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.house.source import modules, named, parsed


def calls(node: ast.AST, *names: str) -> bool:
    """A call of something whose last name is one of these."""
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", "")) in names


def renames(node: ast.AST) -> bool:
    """``os.replace(a, b)``, ``path.replace(to)``, ``path.rename(to)``; a text is replaced with two
    arguments, and a dataclass with one and names."""
    if calls(node, "rename", "renames", "link", "hardlink_to", "move"):
        return True
    if not (calls(node, "replace") and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
    return of_os or (len(node.args) == 1 and not node.keywords)


MECHANISMS: dict[str, tuple[str, Callable[[ast.AST], bool]]] = {
    "a file or folder that gets its name when it is whole": ("detector/files.py", renames),
    "an archive of arrays": ("detector/files.py", lambda n: calls(n, "savez", "savez_compressed")),
}


def written_in(found: Callable[[ast.AST], bool], package: str = "detector") -> set[str]:
    return {
        named(path)
        for path in modules()
        if path.is_relative_to(ROOT / package) and any(found(node) for node in ast.walk(parsed(path)))
    }


@pytest.mark.parametrize("what", MECHANISMS)
def test_the_laboratory_writes_it_once(what: str) -> None:
    home, found = MECHANISMS[what]
    assert written_in(found) == {home}


@pytest.mark.parametrize(
    ("what", "copy"),
    [
        ("a file or folder that gets its name when it is whole", "os.replace(a, b)"),
        ("a file or folder that gets its name when it is whole", "mine.replace(path)"),
        ("a file or folder that gets its name when it is whole", "path.with_suffix('.x').rename(path)"),
        ("a file or folder that gets its name when it is whole", "shutil.move(a, b)"),
        ("an archive of arrays", "numpy.savez_compressed(path, a=a)"),
    ],
)
def test_a_copy_is_found(what: str, copy: str) -> None:
    assert any(MECHANISMS[what][1](node) for node in ast.walk(ast.parse(copy)))


@pytest.mark.parametrize("innocent", ["text.replace('a', 'b')", "replace(card, digest=x)", "link"])
def test_what_only_looks_like_a_rename_is_not_one(innocent: str) -> None:
    assert not any(renames(node) for node in ast.walk(ast.parse(innocent)))


def test_every_package_says_that_it_is_typed() -> None:
    marked = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert marked == {Path(named(path)).parts[0] for path in modules()}
