"""Archives as sources: a zip or a tar, listed once, read one member at a time into memory.

Nothing of an archive is ever written to disk, so a hostile member name is a name and no path. Sizes are
enforced on what is declared and on what is really unpacked.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from authn.audit.entry import CHANGED, PIECE_BYTES, Entry, Inputs, bounded, left_out, too_large
from authn.audit.names import shown
from authn.core.errors import MediaTooLarge, UnreadableMedia
from authn.core.media import MediaLimits

# Photos hardly compress: an archive that unpacks to far more than its own size is no archive of photos.
MAX_EXPANSION = 20
MIN_UNPACKED_BYTES = 1024**3
MAX_MEMBERS = 2_000_000
ENCRYPTED_FLAG = 0x1

ARCHIVE_FAULTS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error,
    EOFError, OSError, NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


def open_archive(path: Path, limits: MediaLimits) -> Inputs | None:
    """None for a file that is neither zip nor tar. Raises ``OSError`` and other ``ARCHIVE_FAULTS``."""
    with path.open("rb") as f:
        head = f.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZipInputs(path, limits)
    return TarInputs(path, limits) if _is_tar(path) else None


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
                yield left_out(member.filename, str(i), refusal, size=member.file_size)
                continue
            left -= member.file_size
            yield Entry(
                name=shown(member.filename), ref=str(i), size=member.file_size, mark=f"{member.CRC:08x}"
            )

    def _refusal(self, member: zipfile.ZipInfo, i: int, left: int) -> UnreadableMedia | MediaTooLarge | None:
        if i >= MAX_MEMBERS:
            return UnreadableMedia(f"only the first {MAX_MEMBERS} members of an archive are examined")
        if stat.S_ISLNK(member.external_attr >> 16):
            return UnreadableMedia("it is a symbolic link; links are not followed")
        if member.flag_bits & ENCRYPTED_FLAG:
            return UnreadableMedia("it is encrypted")
        if member.file_size > self._limits.max_bytes:
            return too_large(member.file_size, self._limits)
        if member.file_size > left:
            return MediaTooLarge(
                f"the archive unpacks to more than {self._allowance} bytes; this is the rest"
            )
        return None

    def _unpack(self, member: zipfile.ZipInfo) -> bytes:
        try:
            with self._zip.open(member) as f:
                return bounded(f, member.file_size, self._limits)
        except ARCHIVE_FAULTS as e:
            raise UnreadableMedia(f"it cannot be unpacked: {e}") from e

    def read(self, entry: Entry) -> bytes:
        at = int(entry.ref)
        member = self._members[at] if at < len(self._members) else None
        if member is None or (member.file_size, f"{member.CRC:08x}") != (entry.size, entry.mark):
            raise UnreadableMedia(CHANGED)
        return self._unpack(member)

    def places(self) -> Iterator[tuple[str, int]]:
        return ((str(i), m.file_size) for i, m in enumerate(self._members) if not m.is_dir())

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
        try:
            for n, member in enumerate(self._members()):
                if n >= MAX_MEMBERS:
                    too_many = UnreadableMedia(f"only the first {MAX_MEMBERS} members are examined")
                    yield left_out("(the rest of the archive)", "", too_many)
                    return
                yield self._entry(member)
        except UnreadableMedia as e:
            yield left_out("(the rest of the archive)", "", e)
        except ARCHIVE_FAULTS as e:
            yield left_out("(the rest of the archive)", "", UnreadableMedia(f"it cannot be unpacked: {e}"))

    def _entry(self, member: tarfile.TarInfo) -> Entry:
        name, ref = member.name, str(member.offset_data)
        if member.issym() or member.islnk():
            return left_out(name, ref, UnreadableMedia("it is a link; links are not followed"))
        if not member.isfile() or member.issparse():
            return left_out(name, ref, UnreadableMedia("it is not a regular file"))
        if member.size > self._limits.max_bytes:
            return left_out(name, ref, too_large(member.size, self._limits), size=member.size)
        self._stream.check(member.offset_data + member.size)
        return Entry(name=shown(name), ref=ref, size=member.size, mark=_mark(member))

    def read(self, entry: Entry) -> bytes:
        """The block before the data is the member's header."""
        at = int(entry.ref)
        try:
            self._stream.seek(at - tarfile.BLOCKSIZE)
            header = tarfile.TarInfo.frombuf(self._stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
            if _mark(header) != entry.mark:
                raise UnreadableMedia(CHANGED)
            return bounded(self._stream, entry.size, self._limits)
        except tarfile.HeaderError as e:
            raise UnreadableMedia(CHANGED) from e
        except ARCHIVE_FAULTS as e:
            raise UnreadableMedia(f"it cannot be unpacked: {e}") from e

    def places(self) -> Iterator[tuple[str, int]]:
        """Of the members that can be reached; a compressed archive is unpacked for it."""
        with contextlib.suppress(UnreadableMedia, *ARCHIVE_FAULTS):
            for member in itertools.islice(self._members(), MAX_MEMBERS):
                yield str(member.offset_data), member.size

    def _members(self) -> Iterator[tarfile.TarInfo]:
        """All but folders. Raises ``UnreadableMedia`` and ``ARCHIVE_FAULTS`` where it ends too soon."""
        self._stream.seek(0)
        archive = tarfile.TarFile(fileobj=self._stream, mode="r", encoding="utf-8")  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else every header stays in memory
            if not member.isdir():
                yield member

    def close(self) -> None:
        self._stream.close()


def _mark(member: tarfile.TarInfo) -> str:
    """By its header, in which name, size and time of change stand."""
    return f"{member.chksum:o}"


class _BoundedStream:
    """What unpacking gives, refusing to go beyond an allowance or to take a huge header in one piece."""

    def __init__(self, stream: IO[bytes], allowance: int) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > 64 * PIECE_BYTES:
            raise UnreadableMedia("a header of the archive claims an absurd length")
        self.check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        self.check(offset)
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()

    def check(self, end: int) -> None:
        """Raises ``UnreadableMedia`` where so much may not be unpacked."""
        if end > self._allowance + tarfile.RECORDSIZE:
            raise UnreadableMedia(f"the archive unpacks to more than {self._allowance} bytes")


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
