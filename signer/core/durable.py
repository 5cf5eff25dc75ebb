"""Files that are whole or not there, and on the disk when the call returns.

Everything here lets ``OSError`` through; the caller knows what the file meant. After an exception, an
interrupt from the keyboard included, nothing half-written is left behind. After SIGKILL a temporary file
may be, under a name that begins with a dot.
"""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """A reader sees the old file or the new one, nothing between."""
    temporary = _beside(path)
    with ExitStack() as undo:
        undo.callback(temporary.unlink, missing_ok=True)
        write_new(temporary, content, mode=mode)
        temporary.replace(path)
    sync_folder(path.parent)


def create_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """As ``write_durably``, but raises ``FileExistsError`` instead of overwriting."""
    temporary = _beside(path)
    with ExitStack() as undo:
        undo.callback(temporary.unlink, missing_ok=True)
        write_new(temporary, content, mode=mode)
        path.hardlink_to(temporary)  # the one operation that gives a finished file a name only if it is free
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Create, write, flush to the disk. Raises ``FileExistsError``."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with ExitStack() as undo, os.fdopen(fd, "wb", buffering=0) as f:
        undo.callback(path.unlink, missing_ok=True)
        rest = memoryview(content)
        while rest:
            rest = rest[f.write(rest) :]
        os.fsync(fd)
        undo.pop_all()


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in this folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:64]}.{secrets.token_hex(6)}.tmp")
