"""Lists as sources: a name a line, or a NUL after each: paths of this machine, objects in buckets, addresses.

Paths are relative to where the command was called. A list is read once, as it comes, and may be endless.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from authn.audit.buckets import is_bucket, open_store, read_object
from authn.audit.entry import Entry, left_out
from authn.audit.inputs import Files
from authn.audit.names import shown
from authn.audit.select import EVERYTHING, Selection
from authn.audit.web import is_web, opened, read_address
from authn.core.errors import AuditError, UnreadableMedia
from authn.core.media import MediaLimits

if TYPE_CHECKING:
    from obstore.store import ObjectStore

STDIN = "-"
MAX_NAME_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024


class ListInputs(Files):
    """What a list names. ``source`` is a file, an address or ``-``."""

    def __init__(
        self, source: str, limits: MediaLimits, *, nul: bool, root: Path, select: Selection = EVERYTHING
    ) -> None:
        super().__init__(root, limits)
        self._source = source
        self._end = b"\0" if nul else b"\n"
        self._select = select
        self._stores: dict[str, ObjectStore] = {}

    def entries(self) -> Iterator[Entry]:
        for name in self._names():
            yield from (e for e in self._listed(name) if self._select.takes(e.name))

    def _listed(self, name: str) -> Iterator[Entry]:
        if is_bucket(name) or is_web(name):
            yield Entry(name=shown(name), ref=name, size=0)
        elif "\0" in name or not name:
            yield left_out(name, "", UnreadableMedia("it is no name of a file"))
        else:
            yield from self.within(name)

    def places(self) -> Iterator[tuple[str, int]]:
        for name in self._names():
            if is_bucket(name) or is_web(name):
                yield name, 0
            elif (size := self.size(name)) is not None:
                yield name, size

    def _names(self) -> Iterator[str]:
        """Names of any bytes, as the operating system's functions take them. Raises ``AuditError``."""
        try:
            with self._stream() as stream:
                yield from map(os.fsdecode, _split(stream, self._end))
        except OSError as e:
            raise AuditError(f"the list {self._source} cannot be read: {e.strerror or e}") from e

    def _stream(self) -> contextlib.AbstractContextManager[IO[bytes]]:
        if self._source == STDIN:
            return contextlib.nullcontext(sys.stdin.buffer)
        if is_web(self._source):
            return opened(self._source)
        return Path(self._source).open("rb")

    def read(self, entry: Entry) -> bytes:
        if is_bucket(entry.ref):
            return self._read_object(entry)
        return read_address(entry, self._limits) if is_web(entry.ref) else super().read(entry)

    def _read_object(self, entry: Entry) -> bytes:
        """Size and mark of what a list names are known when it is read: nobody has listed the bucket."""
        scheme, _, rest = entry.ref.partition("://")
        bucket, _, path = rest.partition("/")
        url = f"{scheme}://{bucket}"
        store = self._stores.get(url)
        if store is None:
            store = self._stores[url] = open_store(url)
        return read_object(store, url, replace(entry, ref=path), self._limits)


def _split(stream: IO[bytes], end: bytes) -> Iterator[bytes]:
    """Names between the ends; empty lines are none. Raises ``AuditError`` for a name without an end to it."""
    left = b""
    while piece := stream.read(PIECE_BYTES):
        *names, left = (left + piece).split(end)
        if len(left) > MAX_NAME_BYTES:
            raise AuditError(f"a name of the list has more than {MAX_NAME_BYTES} bytes; -0 or not?")
        yield from filter(None, names)
    if left:
        yield left
