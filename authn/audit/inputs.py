"""Where an audit's files come from: a folder, a zip or a tar; listed once, read one at a time into memory.

Decides what is an input and what is only listed, with the reason: links and special files are never followed,
and nothing of an archive is ever written to disk, so a hostile member name is a name and no path. Sizes are
enforced on what is declared and on what is really unpacked. Leaves to others whether the bytes are media.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from authn.errors import AuditError, MediaTooLarge, UnreadableMedia
from authn.media import MediaLimits

PIECE_BYTES = 1024 * 1024
# Photos hardly compress: an archive that unpacks to far more than its own size is no archive of photos.
MAX_EXPANSION = 20
MIN_UNPACKED_BYTES = 1024**3
MAX_MEMBERS = 2_000_000
ENCRYPTED_FLAG = 0x1

ARCHIVE_FAULTS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error,
    EOFError, OSError, NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Why an input will not be examined, in the words that its row gets."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One input. ``ref`` finds it again in its source; ``name`` is for people and unique within the plan."""

    name: str
    ref: str
    size: int
    sha256: str | None
    skipped: Skipped | None = None


class Inputs(Protocol):
    """A source. ``entries`` reads everything once, to know the digests; ``read`` gets one input again."""

    def entries(self) -> Iterator[Entry]: ...

    def read(self, entry: Entry) -> bytes:
        """Raises ``UnreadableMedia`` or ``MediaTooLarge``."""
        ...

    def close(self) -> None: ...


def open_inputs(source: Path, limits: MediaLimits, *, leave_out: Path | None = None) -> Inputs:
    """``leave_out`` is the run folder, when it lies inside the source. Raises ``AuditError``."""
    if source.is_dir():
        return FolderInputs(source, limits, leave_out=leave_out)
    try:
        with source.open("rb") as f:
            head = f.read(512)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return ZipInputs(source, limits)
        if _is_tar(source):
            return TarInputs(source, limits)
    except OSError as e:
        raise AuditError(f"{source} cannot be read: {e.strerror or e}") from e
    except ARCHIVE_FAULTS as e:
        raise AuditError(f"{source} cannot be opened as an archive: {e}") from e
    raise AuditError(f"{source} is neither a folder nor a zip or tar archive; for one file use assay verify")


class FolderInputs:
    """Every file below a folder, in the order of its path."""

    def __init__(self, root: Path, limits: MediaLimits, *, leave_out: Path | None = None) -> None:
        self._root = root
        self._limits = limits
        self._leave_out = leave_out.resolve() if leave_out else None

    def entries(self) -> Iterator[Entry]:
        problems: list[OSError] = []
        for folder, subfolders, files in os.walk(self._root, onerror=problems.append, followlinks=False):
            here = Path(folder)
            subfolders[:] = sorted(d for d in subfolders if not self._is_left_out(here / d))
            linked = [d for d in subfolders if (here / d).is_symlink()]
            for name in sorted((*files, *linked)):
                yield self._entry(here / name)
        for e in problems:
            ref = os.path.relpath(os.fsdecode(e.filename), self._root)
            yield _left_out(f"{ref}/", ref, UnreadableMedia(f"the folder cannot be listed: {e.strerror}"))

    def _is_left_out(self, folder: Path) -> bool:
        return self._leave_out is not None and folder.resolve() == self._leave_out

    def _entry(self, path: Path) -> Entry:
        ref = str(path.relative_to(self._root))
        try:
            with self._open(ref) as f:
                size = os.fstat(f.fileno()).st_size
                if size > self._limits.max_bytes:
                    return _left_out(ref, ref, _too_large(size, self._limits), size=size)
                return Entry(name=shown(ref), ref=ref, size=size, sha256=_sha256_of(f))
        except OSError as e:
            return _left_out(ref, ref, UnreadableMedia(f"it cannot be read: {e.strerror or e}"))
        except UnreadableMedia as e:
            return _left_out(ref, ref, e)

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
        try:
            with self._open(entry.ref) as f:
                return _bounded(f, entry.size, self._limits)
        except OSError as e:
            raise UnreadableMedia(f"it cannot be read: {e.strerror or e}") from e

    def close(self) -> None:
        """Nothing is held open."""


class ZipInputs:
    """Members by their position, because two may bear one name."""

    def __init__(
        self, path: Path, limits: MediaLimits, *, min_unpacked_bytes: int = MIN_UNPACKED_BYTES
    ) -> None:
        self._limits = limits
        self._zip = zipfile.ZipFile(path)
        self._members = self._zip.infolist()
        self._allowance = max(min_unpacked_bytes, MAX_EXPANSION * path.stat().st_size)

    def entries(self) -> Iterator[Entry]:
        left = self._allowance
        for i, member in enumerate(self._members):
            if member.is_dir():
                continue
            refusal = self._refusal(member, i, left)
            if refusal is not None:
                yield _left_out(member.filename, str(i), refusal, size=member.file_size)
                continue
            left -= member.file_size
            yield self._entry(member, i)

    def _refusal(self, member: zipfile.ZipInfo, i: int, left: int) -> UnreadableMedia | MediaTooLarge | None:
        if i >= MAX_MEMBERS:
            return UnreadableMedia(f"only the first {MAX_MEMBERS} members of an archive are examined")
        if stat.S_ISLNK(member.external_attr >> 16):
            return UnreadableMedia("it is a symbolic link; links are not followed")
        if member.flag_bits & ENCRYPTED_FLAG:
            return UnreadableMedia("it is encrypted")
        if member.file_size > self._limits.max_bytes:
            return _too_large(member.file_size, self._limits)
        if member.file_size > left:
            return MediaTooLarge(
                f"the archive unpacks to more than {self._allowance} bytes; this is the rest"
            )
        return None

    def _entry(self, member: zipfile.ZipInfo, i: int) -> Entry:
        size = member.file_size
        try:
            digest = hashlib.sha256(self._unpack(member)).hexdigest()
        except (UnreadableMedia, MediaTooLarge) as e:
            return _left_out(member.filename, str(i), e, size=size)
        return Entry(name=shown(member.filename), ref=str(i), size=size, sha256=digest)

    def _unpack(self, member: zipfile.ZipInfo) -> bytes:
        try:
            with self._zip.open(member) as f:
                return _bounded(f, member.file_size, self._limits)
        except ARCHIVE_FAULTS as e:
            raise UnreadableMedia(f"it cannot be unpacked: {e}") from e

    def read(self, entry: Entry) -> bytes:
        return self._unpack(self._members[int(entry.ref)])

    def close(self) -> None:
        self._zip.close()


class TarInputs:
    """Members by their offset in the unpacked stream; reading in the order of the plan only moves forward."""

    def __init__(
        self, path: Path, limits: MediaLimits, *, min_unpacked_bytes: int = MIN_UNPACKED_BYTES
    ) -> None:
        self._limits = limits
        self._allowance = max(min_unpacked_bytes, MAX_EXPANSION * path.stat().st_size)
        self._stream = _BoundedStream(_unpacked(path), self._allowance)

    def entries(self) -> Iterator[Entry]:
        self._stream.seek(0)
        try:
            archive = tarfile.TarFile(fileobj=self._stream, mode="r", encoding="utf-8")  # type: ignore[arg-type]
            for _ in range(MAX_MEMBERS):
                member = archive.next()
                if member is None:
                    return
                archive.members = []  # type: ignore[attr-defined]  # else every header stays in memory
                if not member.isdir():
                    yield self._entry(member)
            too_many = UnreadableMedia(f"only the first {MAX_MEMBERS} members are examined")
            yield _left_out("(the rest of the archive)", "", too_many)
        except UnreadableMedia as e:
            yield _left_out("(the rest of the archive)", "", e)
        except ARCHIVE_FAULTS as e:
            yield _left_out("(the rest of the archive)", "", UnreadableMedia(f"it cannot be unpacked: {e}"))

    def _entry(self, member: tarfile.TarInfo) -> Entry:
        name, ref = member.name, str(member.offset_data)
        if member.issym() or member.islnk():
            return _left_out(name, ref, UnreadableMedia("it is a link; links are not followed"))
        if not member.isfile() or member.issparse():
            return _left_out(name, ref, UnreadableMedia("it is not a regular file"))
        if member.size > self._limits.max_bytes:
            return _left_out(name, ref, _too_large(member.size, self._limits), size=member.size)
        digest = hashlib.sha256(self._at(member.offset_data, member.size)).hexdigest()
        return Entry(name=shown(name), ref=ref, size=member.size, sha256=digest)

    def _at(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        return _bounded(self._stream, size, self._limits)

    def read(self, entry: Entry) -> bytes:
        try:
            return self._at(int(entry.ref), entry.size)
        except ARCHIVE_FAULTS as e:
            raise UnreadableMedia(f"it cannot be unpacked: {e}") from e

    def close(self) -> None:
        self._stream.close()


class _BoundedStream:
    """What unpacking gives, refusing to go beyond an allowance or to take a huge header in one piece."""

    def __init__(self, stream: IO[bytes], allowance: int) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > 64 * PIECE_BYTES:
            raise UnreadableMedia("a header of the archive claims an absurd length")
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        self._check(offset)
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()

    def _check(self, end: int) -> None:
        if end > self._allowance + tarfile.RECORDSIZE:
            raise UnreadableMedia(f"the archive unpacks to more than {self._allowance} bytes")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _is_tar(path: Path) -> bool:
    """By the checksum of the first header. ``tarfile.is_tarfile`` would read as much as a header claims."""
    with contextlib.closing(_unpacked(path)) as stream:
        try:
            tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        except ARCHIVE_FAULTS:
            return False
    return True


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as f:
        head = f.read(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.open(path)
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.open(path)
    return path.open("rb")


def _bounded(f: _Readable, size: int, limits: MediaLimits) -> bytes:
    """Exactly ``size`` bytes; what is declared must be what is there."""
    pieces = []
    left = size
    while left > 0 and (piece := f.read(min(left, PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    if left:
        raise UnreadableMedia(f"it ends after {size - left} of {size} bytes")
    if size > limits.max_bytes:
        raise _too_large(size, limits)
    return b"".join(pieces)


def _sha256_of(f: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := f.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _too_large(size: int, limits: MediaLimits) -> MediaTooLarge:
    return MediaTooLarge(f"it has {size} bytes; the limit is {limits.max_bytes}")


def _left_out(name: str, ref: str, error: UnreadableMedia | MediaTooLarge, *, size: int = 0) -> Entry:
    skipped = Skipped(code=error.code, detail=error.detail)
    return Entry(name=shown(name), ref=ref, size=size, sha256=None, skipped=skipped)


def shown(name: str) -> str:
    """A name that can be written as UTF-8: bytes of another encoding appear as ``\\xNN``."""
    with contextlib.suppress(UnicodeEncodeError):
        name.encode()
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")
