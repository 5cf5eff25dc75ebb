"""Every file below a folder in a fixed order, without holding more than one folder's names in memory.

A folder of millions of names is sorted on disk. Links to folders are files here: they are never entered.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator

MAX_NAMES_IN_MEMORY = 200_000

Problem = Callable[[str, OSError], None]


def walk(root: str, *, enters: Callable[[str], bool], problem: Problem) -> Iterator[str]:
    """Paths below ``root``, relative to it: the files of a folder by name, then its folders by name.

    ``enters`` is asked about each folder; ``problem`` hears of one that cannot be listed.
    """
    waiting = [""]
    while waiting:
        here = waiting.pop()
        folders: list[str] = []
        try:
            yield from _files(root, here, folders)
        except OSError as e:
            problem(here, e)
        waiting.extend(f for f in sorted(folders, reverse=True) if enters(f))


def _files(root: str, here: str, folders: list[str]) -> Iterator[str]:
    names: list[str] = []
    spilled: _Spilled | None = None
    with os.scandir(os.path.join(root, here)) as found:  # noqa: PTH118 bytes of any name, and a hot loop
        for one in found:
            path = f"{here}/{one.name}" if here else one.name
            if one.is_dir(follow_symlinks=False):
                folders.append(path)
                continue
            names.append(path)
            if len(names) >= MAX_NAMES_IN_MEMORY:
                spilled = spilled or _Spilled()
                spilled.take(names)
                names.clear()
    if spilled is None:
        yield from sorted(names)
        return
    spilled.take(names)
    yield from spilled.sorted()


class _Spilled:
    """Names on disk, in a file that goes with its last handle. ``""`` is SQLite's name for one."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.execute("CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID")

    def take(self, names: list[str]) -> None:
        rows = ((n.encode("utf-8", "surrogatepass"),) for n in names)
        self._db.executemany("INSERT OR IGNORE INTO names VALUES (?)", rows)

    def sorted(self) -> Iterator[str]:
        for (name,) in self._db.execute("SELECT name FROM names ORDER BY name"):
            yield name.decode("utf-8", "surrogatepass")
        self._db.close()
