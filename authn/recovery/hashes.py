"""All hashes of a service at hand: most in one file that its processes share, the newest in memory.

The table is the truth. Before every look-up the newest rows are read; when there are many of them, one
process writes a new file, in the background. The file can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authn.core.errors import Busy, FileUnusable, Unavailable
from authn.recovery.segment import PIECES, RADIUS, Ids, Segment, Words, distances, words_of, write_segment
from authn.store.pictures import SignedPictures
from signer.core.locks import lock_file

FILE = "hashes"
MOST_IN_MEMORY = 65_536

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Which hashes: where they come from (all that came after a number), their file, how near is near, and
    how many pieces of the file are asked."""

    read: Callable[[SignedPictures, int], Iterator[tuple[int, bytes]]]
    file: str
    radius: int
    pieces: int


WHOLE = Kind(read=SignedPictures.hashes, file=FILE, radius=RADIUS, pieces=PIECES)
# Of the inside: near is only where a closer look is worth it, and the lowest frequencies are asked alone.
INNER = Kind(read=SignedPictures.inner_hashes, file="inner", radius=56, pieces=4)


class Hashes:
    """Safe to be shared by threads, not to be carried across a fork."""

    def __init__(
        self,
        store: SignedPictures,
        folder: Path,
        *,
        most_in_memory: int = MOST_IN_MEMORY,
        kind: Kind = WHOLE,
    ) -> None:
        self._store = store
        self._folder = folder
        self._kind = kind
        self._most = most_in_memory
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._stat: tuple[int, int] | None = None
        self._ids: Ids = np.empty(0, np.int64)
        self._words: Words = words_of(())
        self._gone = 0
        self._writing: threading.Thread | None = None

    def near(self, query: Words) -> tuple[tuple[int, int, int], ...]:
        """Row of ``query``, number and distance of every hash that lies near one of its rows, the nearest
        first. Raises ``Unavailable``, among them ``Busy`` while a file is still to be written."""
        with self._lock:
            self._refresh()
            segment, ids, words = self._segment, self._ids, self._words
        pieces, radius = self._kind.pieces, self._kind.radius
        parts = segment.near(query, pieces=pieces, radius=radius) if segment else ()
        found = list(zip(*(part.tolist() for part in parts), strict=True))
        for row in range(len(query)):
            apart = distances(words, query[row])
            found += [(row, int(ids[i]), int(apart[i])) for i in np.flatnonzero(apart <= radius)]
        return tuple(sorted(found, key=lambda f: (f[2], f[1], f[0])))

    def write(self) -> None:
        """Put every hash of the table into the file. Raises ``Unavailable``, ``Busy`` while another process
        does."""
        with self._alone():
            rows = list(self._kind.read(self._store, 0))
            ids = np.array([r[0] for r in rows], np.int64)
            try:
                write_segment(self._folder / self._kind.file, ids, words_of(r[1] for r in rows))
            except OSError as e:
                raise FileUnusable(f"{self._folder / self._kind.file} cannot be written: {e.strerror}") from e

    def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            self._writing.join()

    def _refresh(self) -> None:
        self._open()
        highest = self._segment.highest if self._segment else 0
        known = max(highest, int(self._ids[-1]) if len(self._ids) else 0)
        newest, gone = self._store.newest()
        if newest - known > self._most:
            self._write_soon()
            raise Busy("the index of signed photos is being written; try again")
        if newest > known:
            rows = list(self._kind.read(self._store, known))
            self._ids = np.concatenate((self._ids, np.array([r[0] for r in rows], np.int64)))
            self._words = np.concatenate((self._words, words_of(r[1] for r in rows)))
        if gone != self._gone:
            self._drop(np.array(self._store.gone(), np.int64))
            self._gone = gone
        if len(self._ids) > self._most:
            self._write_soon()

    def _open(self) -> None:
        """The file that is there now, if it is another than before."""
        path = self._folder / self._kind.file
        try:
            found = path.stat()
        except OSError:
            return
        if self._stat == (found.st_ino, found.st_mtime_ns):
            return
        try:
            self._segment = Segment(path)
        except FileUnusable as e:
            _log.warning("%s; it is written anew", e.detail)
            path.unlink(missing_ok=True)
            return
        self._stat, self._gone = (found.st_ino, found.st_mtime_ns), -1
        later = self._ids > self._segment.highest
        self._ids, self._words = self._ids[later], self._words[later]

    def _drop(self, gone: Ids) -> None:
        kept = ~np.isin(self._ids, gone)
        self._ids, self._words = self._ids[kept], self._words[kept]
        if self._segment is not None and len(gone):
            self._segment.blank(gone)

    def _write_soon(self) -> None:
        if self._writing is None or not self._writing.is_alive():
            self._writing = threading.Thread(target=self._write_quietly, name="assay-hashes", daemon=True)
            self._writing.start()

    def _write_quietly(self) -> None:
        try:
            self.write()
        except Busy:
            return
        except Unavailable as e:
            _log.warning("%s", e.detail)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Of all processes of this home."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = lock_file(self._folder / f"{self._kind.file}.lock", wait=False)
        except BlockingIOError as e:
            raise Busy("another process writes the index of signed photos") from e
        except OSError as e:
            raise FileUnusable(f"{self._folder} cannot be written to: {e.strerror}") from e
        with lock:
            yield
