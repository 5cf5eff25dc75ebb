"""How the house stands, in figures: ``python -m tests.house.figures``.

A room is a folder of modules; what lies in a package's root is a room, too. An arrow is one room that imports
from another, at the top of a module, in a function or for the types alone. The arrows that run back are the
fewest (by the heuristic of Eades, Lin and Smyth, 1993) that would have to go so that no cycle is left.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import grimp

from tests.conftest import ROOT
from tests.house.source import PACKAGES

SAME_LINES = 6
TOO_COMMON = 8  # places; an idiom of the whole house is no repetition
_THIN = re.compile(r"[\W_]*|(from|import) .*|#.*|@.*|(el)?else:|try:|return( None)?|pass")

Arrows = dict[str, set[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """``arrows``: room to the rooms that it imports from; ``modules`` and ``imports`` are counts."""

    modules: int
    imports: int
    arrows: Arrows


def room_of(module: str, folders: frozenset[str]) -> str:
    """The folder that a module lies in; a package stands for what its ``__init__`` holds."""
    return module if module in folders else module.rpartition(".")[0]


@cache
def graph_of_house() -> Graph:
    """Migrations are steps of a database and ``__main__`` is a door: nobody imports either."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    modules = sorted(m for m in graph.modules if ".migrations" not in m and not m.endswith(".__main__"))
    folders = frozenset(m for m in modules if (ROOT / Path(*m.split("."))).is_dir())
    arrows: Arrows = {room_of(m, folders): set() for m in modules}
    imports = 0
    for module in modules:
        for other in graph.find_modules_directly_imported_by(module):
            imports += 1
            arrows[room_of(module, folders)].add(room_of(other, folders))
    for room, others in arrows.items():
        others.discard(room)
    return Graph(modules=len(modules), imports=imports, arrows=arrows)


def cycles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Rooms that reach each other: the strongly connected components of more than one room."""
    reached = {room: _reached(room, arrows) for room in arrows}
    together = {frozenset(b for b in reached[a] if a in reached[b]) for a in arrows}
    return sorted(sorted(c) for c in together if len(c) > 1)


def _reached(room: str, arrows: Mapping[str, set[str]]) -> set[str]:
    found, pending = set(), [room]
    while pending:
        for other in arrows[pending.pop()] - found:
            found.add(other)
            pending.append(other)
    return found


def back_arrows(arrows: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Eades, Lin, Smyth: sinks last, sources first, else the room with the most arrows out over in."""
    left = {room: set(others) for room, others in arrows.items()}
    first: list[str] = []
    last: list[str] = []
    while left:
        into = defaultdict(int)
        for others in left.values():
            for other in others:
                into[other] += 1
        sink = next((r for r in sorted(left) if not left[r]), None)
        room = sink or max(sorted(left), key=lambda r: (not into[r], len(left[r]) - into[r]))
        (last if sink else first).append(room)
        del left[room]
        for others in left.values():
            others.discard(room)
    place = {room: i for i, room in enumerate([*first, *reversed(last)])}
    return sorted((a, b) for a, others in arrows.items() for b in others if place[b] < place[a])


def repeated(*, tests: bool = False) -> list[tuple[str, str]]:
    """Pairs of places that share six or more equal lines in a row: ``file:line`` of both, each run once.

    Blank lines, comments, imports, decorators and lone punctuation are passed over.
    """
    folders = (*PACKAGES, "tests") if tests else PACKAGES
    texts = {p: list(_telling(p)) for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))}
    windows: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, lines in texts.items():
        for i in range(len(lines) - SAME_LINES + 1):
            windows[tuple(text for _, text in lines[i : i + SAME_LINES])].append((path, i))
    shared = {
        (a, b)
        for places in windows.values()
        if 1 < len(places) <= TOO_COMMON
        for a, b in combinations(sorted(places), 2)
        if a[0] != b[0] or b[1] - a[1] >= SAME_LINES
    }
    begins = [(a, b) for a, b in sorted(shared) if ((a[0], a[1] - 1), (b[0], b[1] - 1)) not in shared]
    return [tuple(f"{p.relative_to(ROOT)}:{texts[p][i][0]}" for p, i in pair) for pair in begins]


def _telling(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = " ".join(line.split())
        if not _THIN.fullmatch(text):
            yield number, text


def lines_of(folder: Path) -> int:
    """As ``wc -l`` counts them."""
    return sum(len(p.read_text(encoding="utf-8").splitlines()) for p in folder.rglob("*.py"))


def code_of(folder: Path) -> int:
    """Lines that hold code: neither blank, comment, docstring nor import."""
    return sum(map(_code_lines, folder.rglob("*.py")))


def _code_lines(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    silent = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    silent += [
        n.body[0]
        for n in ast.walk(tree)
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(n, clean=False)
    ]
    passed = {line for n in silent for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)}
    return sum(
        number not in passed and not re.fullmatch(r"\s*(#.*)?", line)
        for number, line in enumerate(text.splitlines(), 1)
    )


def late_imports() -> dict[str, int]:
    """Imports inside of functions, by file."""
    found: dict[str, int] = {}
    for path in sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        late = {
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        if late:
            found[str(path.relative_to(ROOT))] = len(late)
    return found


def report() -> str:
    graph = graph_of_house()
    arrows = sum(len(others) for others in graph.arrows.values())
    found, back, late = cycles(graph.arrows), back_arrows(graph.arrows), late_imports()
    lines = {package: lines_of(ROOT / package) for package in PACKAGES}
    code = {package: code_of(ROOT / package) for package in PACKAGES}
    tests = {package: lines_of(ROOT / "tests" / package) for package in PACKAGES}
    rows = [
        f"modules            {graph.modules}, with {graph.imports} imports of each other",
        f"rooms              {len(graph.arrows)}, with {arrows} arrows",
        f"arrows back        {len(back)}" + "".join(f"\n                   {a} -> {b}" for a, b in back),
        f"cycles of rooms    {len(found)}" + "".join(f"\n                   {' '.join(c)}" for c in found),
        f"late imports       {sum(late.values())} in {len(late)} modules",
        f"pairs of repeats   {len(repeated())} in the packages, {len(repeated(tests=True))} with the tests",
        f"lines              {sum(lines.values())}: " + ", ".join(f"{p} {n}" for p, n in lines.items()),
        f"lines of code      {sum(code.values())}: " + ", ".join(f"{p} {n}" for p, n in code.items()),
        "test : code        " + ", ".join(f"{p} {tests[p] / lines[p]:.2f}" for p in PACKAGES),
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    print(report())
