"""The largest tree that a log's key is known to have signed, kept beside the key and outside the database.

A database that is lost, or restored from an older copy, must not make the key sign a second history. What is
published of the log is marked here first: the writer marks after its commit and before it answers, a reader
before it shows a head. A tree that was signed but never committed, as at a crash, is not held against it. The
file is the text of a checkpoint (C2SP tlog-checkpoint); what it says only ever grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from authn.core.errors import FileUnusable, LogInconsistent, NoteError
from authn.tlog.format.checkpoint import Checkpoint, parse
from signer.core.durable import write_durably
from signer.core.locks import lock_file

MARK_FILE = "log.signed"  # beside the key
WAY_OUT = "docs/operating.md, 'A log that was lost', says what to do"

# size to the root that the log's tiles have at that size
RootAt = Callable[[int], bytes]


class Watermark:
    """Safe to be shared by threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = -1  # a size that is known to be in the file
        self._agreed: Checkpoint | None = None

    @property
    def path(self) -> Path:
        return self._path

    def read(self) -> Checkpoint | None:
        """None where there is none yet. Raises ``LogInconsistent`` for what is no mark, ``Unavailable``."""
        try:
            return parse(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as e:
            raise FileUnusable(f"{self._path} cannot be read: {e.strerror}") from e
        except (UnicodeDecodeError, NoteError) as e:
            raise LogInconsistent(f"{self._path} is no mark of a log; {WAY_OUT}") from e

    def keep(self, reached: Checkpoint) -> None:
        """On the disk when it returns. Raises ``Unavailable``: then the tree must not be shown to anybody."""
        if reached.size <= self._kept:
            return
        with self._locked():
            known = self.read()
            if known is None or known.size < reached.size:
                try:
                    write_durably(self._path, reached.text().encode())
                except OSError as e:
                    raise FileUnusable(f"{self._path} cannot be written: {e.strerror}") from e
            self._kept = max(reached.size, -1 if known is None else known.size)

    def check(self, origin: str, size: int | None, root_at: RootAt) -> None:
        """Whether the log that the database holds continues what was marked; ``size`` None: it holds none.

        Raises ``LogInconsistent``, and what ``root_at`` raises.
        """
        mark = self.read()
        if mark is None or (size is None and not mark.size):
            return
        if size is None:
            raise LogInconsistent(
                f"the key of {mark.origin} has signed {mark.size} entries, and the database holds no log: "
                f"was it lost? {WAY_OUT}"
            )
        if mark.origin != origin:
            raise LogInconsistent(f"this key has signed the log {mark.origin}, not {origin}; {WAY_OUT}")
        if size < mark.size:
            raise LogInconsistent(
                f"the key has signed {mark.size} entries, and the database holds {size}: the log is smaller "
                f"than it was; was an older copy put in its place? {WAY_OUT}"
            )
        if mark != self._agreed:
            if root_at(mark.size) != mark.root:
                raise LogInconsistent(
                    f"the database holds another history than the key has signed up to {mark.size}; {WAY_OUT}"
                )
            self._agreed = mark

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among all processes of this home."""
        lock = self._path.with_name(f"{self._path.name}.lock")
        try:
            held = lock_file(lock)
        except OSError as e:
            raise FileUnusable(f"{lock} cannot be opened: {e.strerror}") from e
        with held:
            yield
