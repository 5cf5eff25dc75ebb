"""``assay`` with workers that are held while they start.

Usage: python -m tests.doubles.held_boot FOLDER (fork | open) COUNT ARGUMENT ...

The first COUNT workers start as ever. Each other one is held right after the fork, or where it opens its
services, writes that into FOLDER, and goes on when there is a file ``go``. An exception out of a signal
handler becomes another one there, as in the middle of a lock, or of an enumeration being made (Python 3.11).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from gunicorn import util

from authn.cli import main
from authn.web import server


def held(folder: Path) -> list[Path]:
    """A file for each worker that was held."""
    return sorted(folder.glob("held-*"))


def _holding(function: Callable[..., Any], folder: Path, passing: int) -> Callable[..., Any]:
    @wraps(function)
    def holding(*arguments: Any) -> Any:
        if arguments and str(arguments[0]).startswith("master"):
            return function(*arguments)
        number = _number(folder)
        if number >= passing:
            _hold(folder, number)
        return function(*arguments)

    return holding


def _number(folder: Path) -> int:
    """Of this worker, in the order of their coming here."""
    for number in count():
        try:
            (folder / f"came-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return number
    raise AssertionError


def _hold(folder: Path, number: int) -> None:
    (folder / f"held-{number}").touch()
    try:
        while not (folder / "go").exists():
            time.sleep(0.01)
    except BaseException as e:
        raise RuntimeError("release unlocked lock") from e


if __name__ == "__main__":
    place, where, passing = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    owner: Any = {"fork": util, "open": server}[where]
    name = {"fork": "_setproctitle", "open": "open_services"}[where]
    setattr(owner, name, _holding(getattr(owner, name), place, passing))
    sys.argv[1:] = sys.argv[4:]
    main()
