"""How long work tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int], None]  # what, done, of how many


def silent(_what: str, _done: int, _total: int) -> None:
    pass
