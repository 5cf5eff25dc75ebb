"""Files that are whole or not there, and on the disk when the call returns.

Everything that the laboratory keeps is written here: beside its place under a name that begins with a dot,
flushed, renamed, and the folder after it. After SIGKILL that other name may be left behind.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile

from detector.core.errors import FileFailed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# What numpy raises for an archive of arrays that was cut short or is none, besides OSError.
TORN_ARCHIVE = (ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error)


def read_file(path: Path, name: str) -> bytes:
    """All of a file that errors call ``name``. Raises ``FileFailed``."""
    try:
        return path.read_bytes()
    except OSError as e:
        raise FileFailed(f"{name} cannot be read: {e.strerror}") from e


def write_whole(path: Path, data: bytes) -> None:
    """Durable and whole, or not at all; the folder is made. Raises ``FileFailed`` and then leaves what was
    there before."""
    with _written(path) as f:
        f.write(data)


def write_json(path: Path, value: Any) -> None:
    """As ``write_whole``."""
    write_whole(path, (json.dumps(value, indent=1) + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """As ``write_whole``: one ``.npz`` without compression, never as a whole in memory."""
    import numpy as np

    with _written(path) as f:
        np.savez(f, **arrays)  # type: ignore[arg-type]  # the names are none of its own


def arrays_bytes(arrays: Mapping[str, ArrayLike]) -> bytes:
    """An ``.npz``, compressed, for whoever keeps it with rights of its own."""
    import numpy as np

    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]  # the names are none of its own
    return out.getvalue()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name when all went well; the files in it reach the disk when the
    system likes. Raises ``FileFailed``."""
    temporary = _beside(folder)
    try:
        temporary.mkdir(parents=True)
        try:
            yield temporary
            temporary.replace(folder)
            _sync(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as e:
        raise FileFailed(f"{folder} cannot be written: {e.strerror}") from e


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as f:
                yield f
                f.flush()
                os.fsync(f.fileno())
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise FileFailed(f"{path} cannot be written: {e.strerror}") from e


def _beside(path: Path) -> Path:
    """Of this process alone: two runs in one folder do not write into each other's file."""
    return path.with_name(f".{path.name[:64]}.{os.getpid()}.part")


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
