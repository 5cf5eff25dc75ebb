"""Where an audit's files come from: a folder, a zip or a tar; listed once, read one at a time into memory.

Decides what is an input and what is only listed, with the reason: links and special files are never followed.
Archives in a folder are opened too, one level deep. Leaves to others whether the bytes are media.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from authn.audit.archives import ARCHIVE_FAULTS, TarInputs, ZipInputs, open_archive
from authn.audit.entry import CHANGED, WITHIN, Entry, Inputs, Skipped, bounded, left_out, too_large
from authn.audit.names import shown
from authn.audit.select import EVERYTHING, Selection
from authn.audit.walk import walk
from authn.core.errors import AuditError, UnreadableMedia
from authn.core.media import MediaLimits

__all__ = ["Entry", "Inputs", "Skipped", "TarInputs", "ZipInputs", "open_inputs", "shown"]

# By name and by content: many kinds of documents are zip archives too, and nobody means their parts.
ARCHIVE_NAMES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
BUNDLE_NAME = ".assay.zip"


def open_inputs(
    source: Path, limits: MediaLimits, *, leave_out: Path | None = None, select: Selection = EVERYTHING
) -> Inputs:
    """``leave_out`` is the run folder, when it lies inside the source. Raises ``AuditError``."""
    if source.is_dir():
        return FolderInputs(source, limits, leave_out=leave_out, select=select)
    try:
        archive = open_archive(source, limits)
    except OSError as e:
        raise AuditError(f"{source} cannot be read: {e.strerror or e}") from e
    except ARCHIVE_FAULTS as e:
        raise AuditError(f"{source} cannot be opened as an archive: {e}") from e
    if archive is None:
        raise AuditError(
            f"{source} is neither a folder nor a zip or tar archive; for one file use assay verify"
        )
    return Selected(archive, select) if select != EVERYTHING else archive


class Selected:
    """A source, less what somebody chose to leave out."""

    def __init__(self, inputs: Inputs, select: Selection) -> None:
        self._inputs, self._select = inputs, select
        self.read, self.close = inputs.read, inputs.close

    def entries(self) -> Iterator[Entry]:
        return (e for e in self._inputs.entries() if self._select.takes(e.name))

    def places(self) -> Iterator[tuple[str, int]]:
        return ((e.ref, e.size) for e in self.entries())


class Files:
    """Files by their paths, below a folder or anywhere; archives among them are opened."""

    def __init__(self, root: Path, limits: MediaLimits) -> None:
        self._root = root
        self._limits = limits
        self._archive: tuple[str, Inputs] | None = None

    def within(self, ref: str) -> Iterator[Entry]:
        """The file, or the members of an archive."""
        name = ref.rpartition("/")[2].lower()
        if not name.endswith(ARCHIVE_NAMES) or name.endswith(BUNDLE_NAME):
            yield self._entry(ref)
            return
        try:
            self._open(ref).close()  # a link is not followed
            archive = self._open_archive(ref)
            if archive is None:
                yield self._entry(ref)
                return
            members = 0
            for member in archive.entries():
                members += 1
                yield replace(member, name=f"{shown(ref)}/{member.name}", ref=f"{ref}{WITHIN}{member.ref}")
            if not members:
                yield left_out(ref, ref, UnreadableMedia("it is an archive without files"))
        except UnreadableMedia as e:
            yield left_out(ref, ref, e)
        except ARCHIVE_FAULTS as e:
            yield left_out(ref, ref, UnreadableMedia(f"it cannot be opened as an archive: {e}"))

    def size(self, ref: str) -> int | None:
        """None where there is nothing any more."""
        with contextlib.suppress(OSError):
            return (self._root / ref).lstat().st_size
        return None

    def _open_archive(self, ref: str) -> Inputs | None:
        """Kept open until another one is asked for: entries are read in the order of the plan."""
        if self._archive is None or self._archive[0] != ref:
            self.close()
            archive = open_archive(self._root / ref, self._limits)
            self._archive = None if archive is None else (ref, archive)
        return None if self._archive is None else self._archive[1]

    def _entry(self, ref: str) -> Entry:
        """Without opening it: what cannot be read is told when it is read."""
        try:
            status = (self._root / ref).lstat()
            if why := _no_file(status):
                return left_out(ref, ref, UnreadableMedia(why))
            if status.st_size > self._limits.max_bytes:
                too_much = too_large(status.st_size, self._limits)
                return left_out(ref, ref, too_much, size=status.st_size)
            return Entry(name=shown(ref), ref=ref, size=status.st_size, mark=_mark(status))
        except OSError as e:
            return left_out(ref, ref, UnreadableMedia(f"it cannot be read: {e.strerror or e}"))

    def _open(self, ref: str) -> IO[bytes]:
        path = self._root / ref
        if why := _no_file(path.lstat()):
            raise UnreadableMedia(why)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        return os.fdopen(fd, "rb", buffering=0)

    def read(self, entry: Entry) -> bytes:
        path, within, member = entry.ref.partition(WITHIN)
        try:
            if within:
                self._open(path).close()
                if (archive := self._open_archive(path)) is None:
                    raise UnreadableMedia(CHANGED)
                return archive.read(replace(entry, ref=member))
            with self._open(entry.ref) as f:
                data = bounded(f, entry.size, self._limits)
                if _mark(after := os.fstat(f.fileno())) != entry.mark or after.st_size != entry.size:
                    raise UnreadableMedia(CHANGED)
                return data
        except OSError as e:
            raise UnreadableMedia(f"it cannot be read: {e.strerror or e}") from e
        except ARCHIVE_FAULTS as e:
            raise UnreadableMedia(f"it cannot be unpacked: {e}") from e

    def close(self) -> None:
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None


class FolderInputs(Files):
    """Every file below a folder, in the order of its path."""

    def __init__(
        self,
        root: Path,
        limits: MediaLimits,
        *,
        leave_out: Path | None = None,
        select: Selection = EVERYTHING,
    ) -> None:
        super().__init__(root, limits)
        self._leave_out = leave_out.resolve() if leave_out else None
        self._select = select

    def entries(self) -> Iterator[Entry]:
        problems: list[tuple[str, OSError]] = []
        for ref in self._walk(problems):
            yield from (e for e in self.within(ref) if self._select.takes(e.name))
        for folder, e in problems:
            why = UnreadableMedia(f"the folder cannot be listed: {e.strerror}")
            yield left_out(f"{folder}/", folder, why)

    def places(self) -> Iterator[tuple[str, int]]:
        """An archive counts as one file, of which only the path is compared."""
        for ref in self._walk([]):
            if self._select == EVERYTHING or any(self._select.takes(e.name) for e in self.within(ref)):
                size = self.size(ref)
                if size is not None:
                    yield ref, size

    def _walk(self, problems: list[tuple[str, OSError]]) -> Iterator[str]:
        return walk(
            str(self._root),
            enters=self._enters,
            problem=lambda folder, error: problems.append((folder, error)),
        )

    def _enters(self, folder: str) -> bool:
        if not self._select.enters(shown(folder)):
            return False
        return self._leave_out is None or (self._root / folder).resolve() != self._leave_out


def _no_file(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link; links are not followed"
    return "" if stat.S_ISREG(status.st_mode) else "it is not a regular file"


def _mark(status: os.stat_result) -> str:
    return str(status.st_mtime_ns)
