"""Words that promise more than evidence can, and paths that exist on one machine only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.house.source import PACKAGES, modules, named, parsed

BANNED_IN_CODE = re.compile(
    r"verdict|(?<!un)authentic\b|trust[ _-]?score|confidence(?![ _-]interval)|check_ok", re.IGNORECASE
)
BANNED_MODULES = {"common", "utils", "util", "helpers", "helper", "manager", "handler", "handlers", "misc"}
MACHINE_PATHS = re.compile(r"/(root|home/\w+|Users/\w+)/|[A-Z]:\\\\Users", re.IGNORECASE)
TEXT_SUFFIXES = {".py", ".j2", ".html", ".css", ".js", ".json", ".toml", ".txt", ".md", ".yml", ""}


def shipped() -> list[Path]:
    return [
        p
        for package in PACKAGES
        for p in sorted((ROOT / package).rglob("*"))
        if p.is_file() and p.suffix in TEXT_SUFFIXES and "__pycache__" not in p.parts
    ]


@pytest.mark.parametrize("path", shipped(), ids=named)
def test_no_file_promises_more_than_evidence(path: Path) -> None:
    found = [m.group() for m in BANNED_IN_CODE.finditer(path.read_text(encoding="utf-8"))]
    assert found == []


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [named(p) for p in modules() if BANNED_MODULES & {*p.parts, p.stem}] == []


def test_no_machine_is_named() -> None:
    ours = [*shipped(), *(p for p in (ROOT / "tests").rglob("*.py")), ROOT / "Makefile", ROOT / ".ci" / "run"]
    ours += [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    found = {
        named(p): m.group()
        for p in ours
        if p.is_file() and p != Path(__file__) and (m := MACHINE_PATHS.search(p.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_numbers_in_names_carry_their_unit() -> None:
    """A timeout or a size without a unit is a bug that waits for a caller who thinks in another one."""
    bare = re.compile(r"^_?(timeout|duration|delay|max_size|file_size|memory_limit)$")
    found = [
        f"{named(p)}: {a.arg}"
        for p in modules()
        for f in ast.walk(parsed(p))
        if isinstance(f, ast.arguments)
        for a in (*f.args, *f.kwonlyargs)
        if bare.match(a.arg)
    ]
    assert found == []
