"""Where an audit's files come from: a folder, a zip or a tar; listed once, read one at a time into memory.

Decides what is an input and what is only listed, with the reason: links and special files are never followed.
Archives in a folder are opened too, one level deep. Leaves to others whether the bytes are media.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from authn.audit.archives import ARCHIVE_FAULTS, TarInputs, ZipInputs, open_archive
from authn.audit.entry import PIECE_BYTES, Entry, Inputs, Skipped, bounded, left_out, shown, too_large
from authn.core.errors import AuditError, UnreadableMedia
from authn.core.media import MediaLimits

__all__ = ["Entry", "Inputs", "Skipped", "TarInputs", "ZipInputs", "open_inputs", "shown"]

# By name and by content: many kinds of documents are zip archives too, and nobody means their parts.
ARCHIVE_NAMES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
BUNDLE_NAME = ".assay.zip"
WITHIN = "\0"  # between an archive's path and its member's place; no file name holds it


def open_inputs(source: Path, limits: MediaLimits, *, leave_out: Path | None = None) -> Inputs:
    """``leave_out`` is the run folder, when it lies inside the source. Raises ``AuditError``."""
    if source.is_dir():
        return FolderInputs(source, limits, leave_out=leave_out)
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
    return archive


class FolderInputs:
    """Every file below a folder, in the order of its path."""

    def __init__(self, root: Path, limits: MediaLimits, *, leave_out: Path | None = None) -> None:
        self._root = root
        self._limits = limits
        self._leave_out = leave_out.resolve() if leave_out else None
        self._archive: tuple[str, Inputs] | None = None

    def entries(self) -> Iterator[Entry]:
        problems: list[OSError] = []
        for folder, subfolders, files in os.walk(self._root, onerror=problems.append, followlinks=False):
            here = Path(folder)
            subfolders[:] = sorted(d for d in subfolders if not self._is_left_out(here / d))
            linked = [d for d in subfolders if (here / d).is_symlink()]
            for name in sorted((*files, *linked)):
                yield from self._within(here / name)
        for e in problems:
            ref = os.path.relpath(os.fsdecode(e.filename), self._root)
            yield left_out(f"{ref}/", ref, UnreadableMedia(f"the folder cannot be listed: {e.strerror}"))

    def sizes(self) -> dict[str, int]:
        """An archive counts as one file, of which only the path is compared."""
        found = {}
        for folder, subfolders, files in os.walk(self._root, followlinks=False):
            here = Path(folder)
            subfolders[:] = [d for d in subfolders if not self._is_left_out(here / d)]
            linked = [d for d in subfolders if (here / d).is_symlink()]
            for path in (here / name for name in (*files, *linked)):
                with contextlib.suppress(OSError):  # gone meanwhile
                    found[str(path.relative_to(self._root))] = path.lstat().st_size
        return found

    def _is_left_out(self, folder: Path) -> bool:
        return self._leave_out is not None and folder.resolve() == self._leave_out

    def _within(self, path: Path) -> Iterator[Entry]:
        """The file, or the members of an archive."""
        name = path.name.lower()
        if not name.endswith(ARCHIVE_NAMES) or name.endswith(BUNDLE_NAME):
            yield self._entry(path)
            return
        ref = str(path.relative_to(self._root))
        try:
            self._open(ref).close()  # a link is not followed
            archive = self._open_archive(ref)
            if archive is None:
                yield self._entry(path)
                return
            members = 0
            for member in archive.entries():
                members += 1
                yield replace(member, name=shown(f"{ref}/{member.name}"), ref=f"{ref}{WITHIN}{member.ref}")
            if not members:
                yield left_out(ref, ref, UnreadableMedia("it is an archive without files"))
        except UnreadableMedia as e:
            yield left_out(ref, ref, e)
        except ARCHIVE_FAULTS as e:
            yield left_out(ref, ref, UnreadableMedia(f"it cannot be opened as an archive: {e}"))

    def _open_archive(self, ref: str) -> Inputs | None:
        """Kept open until another one is asked for: entries are read in the order of the plan."""
        if self._archive is None or self._archive[0] != ref:
            self.close()
            archive = open_archive(self._root / ref, self._limits)
            self._archive = None if archive is None else (ref, archive)
        return None if self._archive is None else self._archive[1]

    def _entry(self, path: Path) -> Entry:
        ref = str(path.relative_to(self._root))
        try:
            with self._open(ref) as f:
                size = os.fstat(f.fileno()).st_size
                if size > self._limits.max_bytes:
                    return left_out(ref, ref, too_large(size, self._limits), size=size)
                return Entry(name=shown(ref), ref=ref, size=size, sha256=_sha256_of(f))
        except OSError as e:
            return left_out(ref, ref, UnreadableMedia(f"it cannot be read: {e.strerror or e}"))
        except UnreadableMedia as e:
            return left_out(ref, ref, e)

    def _open(self, ref: str) -> IO[bytes]:
        path = self._root / ref
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise UnreadableMedia("it is a symbolic link; links are not followed")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableMedia("it is not a regular file")
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        return os.fdopen(fd, "rb")

    def read(self, entry: Entry) -> bytes:
        path, within, member = entry.ref.partition(WITHIN)
        try:
            if within:
                self._open(path).close()
                if (archive := self._open_archive(path)) is None:
                    raise UnreadableMedia("it changed after the audit was planned")
                return archive.read(replace(entry, ref=member))
            with self._open(entry.ref) as f:
                return bounded(f, entry.size, self._limits)
        except OSError as e:
            raise UnreadableMedia(f"it cannot be read: {e.strerror or e}") from e
        except ARCHIVE_FAULTS as e:
            raise UnreadableMedia(f"it cannot be unpacked: {e}") from e

    def close(self) -> None:
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None


def _sha256_of(f: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := f.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()
