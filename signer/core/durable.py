"""Files that are whole or not there, and on the disk when the call returns.

Everything here lets ``OSError`` through; the caller knows what the file meant. After an exception, an
interrupt from the keyboard included, nothing half-written is left behind. After SIGKILL a temporary file
may be, under a name that begins with a dot.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import escape
from pathlib import Path
from typing import BinaryIO

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """A reader sees the old file or the new one, nothing between."""
    with rewritten_durably(path, mode=mode) as f:
        f.write(content)


@contextmanager
def rewritten_durably(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """As ``write_durably``, for what is written piece by piece: a file to fill, which takes the place of
    ``path`` when all went well."""
    temporary = _beside(path)
    with ExitStack() as undo:
        undo.callback(temporary.unlink, missing_ok=True)
        with _new_file(temporary, mode) as f:
            yield f
        rename_durably(temporary, path)


def create_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """As ``write_durably``, but raises ``FileExistsError`` instead of overwriting."""
    temporary = _beside(path)
    with ExitStack() as undo:
        undo.callback(temporary.unlink, missing_ok=True)
        write_new(temporary, content, mode=mode)
        name_if_free(temporary, path)
    sync_folder(path.parent)


def name_if_free(temporary: Path, path: Path) -> None:
    """Give a finished file its name. Raises ``FileExistsError`` where something bears it already; the other
    name may be left."""
    try:
        path.hardlink_to(temporary)  # the one operation that takes a name only if it is free
    except OSError as e:
        if e.errno not in _NO_HARD_LINKS:
            raise
        # No hard links here (FAT on a memory card): take the name with an empty file, then rename over it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        temporary.replace(path)


def write_new(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Create, write, flush to the disk. Raises ``FileExistsError``."""
    with _new_file(path, mode) as f:
        f.write(content)


def rename_durably(old: Path, new: Path) -> None:
    """Of a file or folder, within one file system; a file that bears the new name is replaced."""
    old.replace(new)
    sync_folder(new.parent)


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in this folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _new_file(path: Path, mode: int) -> Iterator[BinaryIO]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with ExitStack() as undo, os.fdopen(fd, "wb") as f:
        undo.callback(path.unlink, missing_ok=True)
        yield f
        f.flush()
        os.fsync(fd)
        undo.pop_all()


def left_behind(path: Path) -> set[Path]:
    """What killed writers of this file have left beside it, or living ones are writing."""
    return set(path.parent.glob(f".{escape(path.name[:64])}.*.tmp"))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:64]}.{secrets.token_hex(6)}.tmp")
