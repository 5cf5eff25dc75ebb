"""Small pictures of a run, one after the other in one file: a million files would be too many for a folder.

They are for people to recognise a file by, and no part of the record: what is lost is not shown.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from authn.audit.index import Index
from authn.core.errors import AuditError

THUMBNAILS_FILE = "thumbnails.bin"
KEEP_EVERY = 256


class Thumbnails:
    """One writer. Raises ``AuditError`` where the disk is full."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._path = folder / THUMBNAILS_FILE
        self._index = index
        self._written: list[tuple[str, int, int]] = []

    def add(self, sha256: str, jpeg: bytes) -> None:
        try:
            with self._path.open("ab") as f:
                self._written.append((sha256, f.tell(), len(jpeg)))
                f.write(jpeg)
        except OSError as e:
            raise AuditError(f"{self._path} cannot be written: {e.strerror or e}") from e
        if len(self._written) >= KEEP_EVERY:
            self.settle()

    def settle(self) -> None:
        """Known to the index from here on."""
        if self._written:
            self._index.keep_thumbnails(self._written)
            self._written.clear()

    def of(self, sha256: str) -> bytes | None:
        """None where there is none."""
        place = self._index.thumbnail(sha256)
        if place is None:
            return None
        with contextlib.suppress(OSError), self._path.open("rb") as f:
            f.seek(place[0])
            found = f.read(place[1])
            return found if len(found) == place[1] and found.startswith(b"\xff\xd8") else None
        return None
