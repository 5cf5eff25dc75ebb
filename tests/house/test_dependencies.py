"""What is declared is imported, and what is imported is declared: nothing is there for nothing or by luck."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from authn.core.extras import EXTRAS, Extra
from tests.conftest import ROOT
from tests.house.source import PACKAGES, modules, parsed

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Called by the Makefile, by pytest or by pip; no import names them.
TOOLS = {"build", "hatchling", "import-linter", "mypy", "pytest-xdist", "ruff"}
# Loaded by name by another library, so that no import of ours names it.
LOADED_BY_OTHERS = {"psycopg": "SQLAlchemy loads the driver that a database's address names"}


def named_in(requirements: list[str]) -> set[str]:
    names = (re.match(r"[A-Za-z0-9._-]+", r) for r in requirements)
    return {normal(n.group()) for n in names if n}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def extras() -> dict[str, set[str]]:
    return {k: named_in(v) for k, v in PROJECT["optional-dependencies"].items() if k != "dev"}


@cache
def imported() -> dict[str, set[str]]:
    """Top-level modules from elsewhere, with the files that import them."""
    found: dict[str, set[str]] = {}
    for path in modules():
        for node in ast.walk(parsed(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in (n.partition(".")[0] for n in names):
                if name not in sys.stdlib_module_names and name not in PACKAGES:
                    found.setdefault(name, set()).add(path.name)
    return found


where = cache(packages_distributions)


@cache
def distributions_of(module: str) -> set[str]:
    return {normal(d) for d in where().get(module, [module])}


def test_every_import_is_declared() -> None:
    declared = named_in(PROJECT["dependencies"]).union(*extras().values())
    strays = {
        m: files for m, files in imported().items() if not distributions_of(m) & declared | same(m, declared)
    }
    assert strays == {}


def same(module: str, declared: set[str]) -> set[str]:
    """OpenCV's wheel may be replaced by the one without windows, which has the same module."""
    return {"opencv-python"} & declared if module == "cv2" else set()


def test_every_dependency_is_imported() -> None:
    used = set().union(*(distributions_of(m) | same(m, {"opencv-python"}) for m in imported()))
    assert sorted(named_in(PROJECT["dependencies"]) - used) == []


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra.name)
def test_what_lacks_is_told_by_the_extra_that_brings_it(extra: Extra) -> None:
    told = set().union(*(distributions_of(m) | same(m, {"opencv-python"}) for m in extra.modules))
    assert extras()[extra.name] - {"assay"} <= told


@pytest.mark.parametrize("extra", sorted(extras()))
def test_every_extra_is_imported(extra: str) -> None:
    named = {normal(m) for m in imported()}
    used = named.union(*(distributions_of(m) | same(m, {"opencv-python"}) for m in imported()))
    unused = extras()[extra] - used - {"assay"} - LOADED_BY_OTHERS.keys()
    # An extra that is not installed here cannot be looked up: its module is named like it.
    assert {n for n in unused if normal(n.removeprefix("python-")) not in used} == set()


def test_every_package_of_the_tests_is_imported_there_or_is_a_tool() -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("*.py"))
    modules = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))
    used = {d for m in modules for d in distributions_of(m)}
    dev = named_in(PROJECT["optional-dependencies"]["dev"]) - {"assay"}
    assert sorted(dev - used - TOOLS) == []
    assert dev >= TOOLS


def test_everything_declared_is_pinned() -> None:
    pins = named_in((ROOT / "constraints.txt").read_text().splitlines())
    declared = named_in(PROJECT["dependencies"]).union(
        *extras().values(), named_in(PROJECT["optional-dependencies"]["dev"])
    )
    assert sorted(declared - pins - {"assay"}) == []
