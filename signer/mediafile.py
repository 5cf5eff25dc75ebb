"""Media files on the disk: read whole, replaced whole, never half.

Links are not followed: the file that is signed is the file that was named.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from signer.core.durable import name_if_free, rename_durably, sync_folder, write_new
from signer.core.errors import InputRefused, SigningFailed, UnreadableMedia

# The verifier's default limit: a file that nobody would verify is not worth a signature, and the signing
# engine holds a file about three times in memory.
MAX_MEDIA_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    path: Path
    data: bytes
    status: os.stat_result


def read_media_file(path: Path, max_bytes: int = MAX_MEDIA_BYTES) -> MediaFile:
    """Raises ``UnreadableMedia``: missing, a link, no regular file, empty, no permission, over the limit, or
    written to while it was read."""
    with held_media_file(path, max_bytes, lock=False) as file:
        return file


@contextmanager
def held_media_file(
    path: Path, max_bytes: int = MAX_MEDIA_BYTES, *, lock: bool = True
) -> Iterator[MediaFile]:
    """As ``read_media_file``; of all processes that hold a photo like this, one at a time gets it.

    Raises ``UnreadableMedia`` also where another one holds it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        why = "is a symbolic link; name the file it points to" if e.errno == errno.ELOOP else None
        raise UnreadableMedia(f"{path.name} {why or f'cannot be opened: {e.strerror}'}") from e
    with ExitStack() as stack:
        stack.callback(os.close, fd)
        status = os.fstat(fd)
        _refuse_status(path, status, max_bytes)
        try:
            if lock:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise UnreadableMedia(f"{path.name} is being worked on by another process") from e
        except OSError:  # a file system without locks; ``same_file`` still looks before replacing
            pass
        try:
            data = _read_all(fd, status.st_size)
        except OSError as e:
            raise UnreadableMedia(f"{path.name} cannot be read: {e.strerror}") from e
        if len(data) != status.st_size or not same_file(status, path):
            raise UnreadableMedia(f"{path.name} changed while it was read")
        yield MediaFile(path=path, data=data, status=status)


def _refuse_status(path: Path, status: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        folder = "a folder; name its photos, or let assay watch sign what arrives there"
        kind = folder if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise UnreadableMedia(f"{path.name or path} is {kind}")
    if status.st_size == 0:
        raise UnreadableMedia(f"{path.name} is empty")
    if status.st_size > max_bytes:
        raise UnreadableMedia(f"{path.name} has {status.st_size} bytes; the limit is {max_bytes}")


def _read_all(fd: int, size: int) -> bytes:
    """To the end of the file, or one byte beyond ``size`` where it grows meanwhile."""
    with os.fdopen(fd, "rb", buffering=0, closefd=False) as f:
        data = f.read(size + 1) or b""
        while len(data) < size and (more := f.read(size - len(data))):
            data += more
    return data


def replace_media_file(file: MediaFile, content: bytes, temporary: Path) -> None:
    """Put ``content`` in the place of ``file``, with its mode, owner, times and attributes, durably.

    ``temporary`` is the name to write under first, in the same folder. Raises ``UnreadableMedia`` where the
    file changed since it was read, ``SigningFailed`` where it cannot be written; either way the old file is
    whole and the temporary one is gone.
    """
    with ExitStack() as undo:
        undo.callback(_remove, temporary)
        try:
            write_new(temporary, content)
            _copy_attributes(file, temporary)
            if not same_file(file.status, file.path):
                raise UnreadableMedia(
                    f"{file.path.name} changed while it was worked on; nothing was replaced"
                )
            rename_durably(temporary, file.path)
        except OSError as e:
            raise SigningFailed(f"{file.path.name} cannot be replaced: {e.strerror}") from e


def create_media_file(
    path: Path, content: bytes, temporary: Path, *, like: os.stat_result | None = None
) -> None:
    """Put ``content`` under a name that must be free, durably, with the times of ``like``.

    Raises ``InputRefused`` where it is taken, ``SigningFailed`` where it cannot be written.
    """
    with ExitStack() as undo:
        undo.callback(_remove, temporary)
        try:
            write_new(temporary, content, mode=0o644)
            if like is not None:
                os.utime(temporary, ns=(like.st_atime_ns, like.st_mtime_ns))
            name_if_free(temporary, path)
            sync_folder(path.parent)
        except FileExistsError as e:
            raise InputRefused(f"{path} exists; nothing is overwritten") from e
        except OSError as e:
            raise SigningFailed(f"{path} cannot be written: {e.strerror}") from e


def same_file(status: os.stat_result, path: Path) -> bool:
    """Whether the path still names the file of that status, unchanged as far as its times tell."""
    try:
        now = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns,
    )  # fmt: skip


def _copy_attributes(file: MediaFile, temporary: Path) -> None:
    shutil.copystat(file.path, temporary, follow_symlinks=False)
    if (file.status.st_uid, file.status.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(temporary, file.status.st_uid, file.status.st_gid)


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()
