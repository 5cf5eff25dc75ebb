"""The rooms are as the pages draw them, and no two of them import each other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.house import figures
from tests.house.source import PACKAGES, modules, named


def test_no_rooms_import_each_other_not_even_late_or_for_types() -> None:
    graph = figures.graph_of_house()
    assert figures.cycles(graph.arrows) == []
    assert figures.back_arrows(graph.arrows) == []
    assert len(graph.arrows) > 30


@pytest.mark.parametrize(
    ("arrows", "found", "back"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, [], 0),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]], 1),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]], 1),
        ({"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}}, [["a", "b"], ["c", "d"]], 2),
    ],
)
def test_a_cycle_is_found(arrows: dict[str, set[str]], found: list[list[str]], back: int) -> None:
    assert figures.cycles(arrows) == found
    assert len(figures.back_arrows(arrows)) == back


def test_the_pages_draw_the_rooms_as_they_are() -> None:
    check = [sys.executable, "-m", "tests.house.map", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), "run: python -m tests.house.map"


def test_a_package_s_root_holds_no_module_but_the_camera_s() -> None:
    """``signer`` is small enough to be read from its root; the others are found by their rooms."""
    loose = {named(p) for p in modules() for package in PACKAGES if p.parent == ROOT / package}
    assert {n for n in loose if not n.startswith("signer/")} == {
        "authn/__init__.py",
        "authn/__main__.py",
        "detector/__init__.py",
    }


def test_what_stands_twice_is_less_than_it_was() -> None:
    """Places that share six equal lines: 32 when this was first counted, 3 when it was last mended."""
    assert len(figures.repeated(tests=True)) <= 3


def test_the_figures_can_be_printed() -> None:
    printed = figures.report()
    assert "cycles of rooms    0" in printed
    assert "test : code" in printed
