"""Locks between processes, on a file. The kernel drops one when its process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from io import FileIO
from pathlib import Path


def lock_file(path: Path, *, make: bool = True, wait: bool = True) -> FileIO:
    """The file, opened to read and write, alone among all who lock it, until it is closed.

    ``make`` it where it is missing, for its owner only. Raises ``BlockingIOError`` where another holds it and
    ``wait`` is false, and any other ``OSError`` where it cannot be opened; a symbolic link is not followed.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if make else 0)
    with ExitStack() as undo:
        file = undo.enter_context(FileIO(os.open(path, flags, 0o600), "r+"))
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        undo.pop_all()
    return file
