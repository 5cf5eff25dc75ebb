"""Files that are whole or not there."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from zipfile import BadZipFile

from detector.errors import CorpusError

# What numpy raises for an archive of arrays that was cut short or is none, besides OSError.
TORN_ARCHIVE = (ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error)


def write_whole(path: Path, data: bytes) -> None:
    """Durable and whole, or not at all; the folder is made. Raises ``CorpusError`` and then leaves what was
    there before."""
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as e:
        raise CorpusError(f"{path} cannot be written: {e.strerror}") from e
