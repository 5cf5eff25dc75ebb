"""The file of a backup: a tar archive that begins with a list of its parts, their lengths and their digests.

It is read as a stranger's: names come from the list and from nowhere else, every byte is counted and hashed,
and nothing is unpacked by the archive's own wish.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from authn.core.errors import BackupRefused, FileUnusable
from signer.core.durable import rewritten_durably

FORMAT = 1
LIST = "backup.json"
HOME = "home/"
SEALED_KEYS = "keys.sealed"
CLOSED = "closed-logs"  # in the home: trees of logs that were closed
MAX_LIST_BYTES = 4 << 20
MAX_SMALL_BYTES = 64 << 20  # of a part that is read as a whole: certificates
MAX_SEALED_BYTES = 1 << 30  # of all keys, and fingerprints of sensors, 2.6 MB each, together
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``mode`` is that of the file in the home."""

    name: str
    bytes: int
    sha256: str
    mode: int = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup says of itself. ``database``: sqlite or postgresql; ``schema``: of its database;
    ``log_size``: entries of the log in it at least; ``left_out``: files of keys that are not in it;
    ``seal``: how the keys are encrypted, None where they were left out."""

    made_at: str
    version: str
    database: str
    schema: str
    log_origin: str
    log_size: int
    left_out: tuple[str, ...]
    settings: Mapping[str, str]
    seal: Mapping[str, Any] | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a part's bytes are: in memory, or in a file."""

    name: str
    content: bytes | Path
    mode: int = 0o600

    def part(self) -> Part:
        """Lets ``OSError`` through."""
        if isinstance(self.content, bytes):
            digest, size = sha256(self.content).hexdigest(), len(self.content)
        else:
            with self.content.open("rb") as f:
                digest, size = file_digest(f, "sha256").hexdigest(), f.tell()
        return Part(name=self.name, bytes=size, sha256=digest, mode=self.mode)

    def opened(self) -> BinaryIO:
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")


def write(target: Path, contents: Contents, sources: Sequence[Source]) -> None:
    """All of it or nothing, under the name ``target``. Raises ``Unavailable``: no space, no permission,
    more beside the database than ``Backup`` would read again."""
    text = json.dumps({"format": FORMAT, **asdict(contents)}, indent=1).encode()
    small = (p for p in contents.parts if p.name == SEALED_KEYS or p.name.startswith(HOME))
    if len(text) > MAX_LIST_BYTES or any(p.bytes > _most(p.name) for p in small):
        raise FileUnusable("the home holds more beside its database than a backup can give back")
    try:
        with (
            rewritten_durably(target) as f,
            tarfile.open(fileobj=f, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            _add(tar, LIST, text)
            for source, part in zip(sources, contents.parts, strict=True):
                info = tarfile.TarInfo(part.name)
                info.size, info.mode = part.bytes, 0o600
                with source.opened() as content:
                    tar.addfile(info, content)
    except OSError as e:
        raise FileUnusable(f"the backup {target} cannot be written: {e.strerror or e}") from e


def _most(name: str) -> int:
    return MAX_SEALED_BYTES if name == SEALED_KEYS else MAX_SMALL_BYTES


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))


class Backup:
    """A backup that is open to be read. Made by ``opened``."""

    def __init__(self, tar: tarfile.TarFile, contents: Contents) -> None:
        self._tar = tar
        self.contents = contents
        self._parts = {part.name: part for part in contents.parts}

    def read(self, name: str) -> bytes:
        """A small part. Raises ``BackupRefused``."""
        if self._part(name).bytes > _most(name):
            raise BackupRefused(f"{name} in the backup is larger than such a file can be")
        out = io.BytesIO()
        self._copy(name, out)
        return out.getvalue()

    def extract(self, name: str, target: Path) -> None:
        """Into a new file. Raises ``BackupRefused``, and ``Unavailable`` where it cannot be written."""
        try:
            with target.open("xb") as f:
                target.chmod(0o600)
                self._copy(name, f)
        except OSError as e:
            raise FileUnusable(f"{target} cannot be written: {e.strerror or e}") from e

    def verify(self) -> None:
        """Read every byte. Raises ``BackupRefused`` for the first part that is not what the list says."""
        for name in self._parts:
            self._copy(name, None)

    def _part(self, name: str) -> Part:
        part = self._parts.get(name)
        if part is None:
            raise BackupRefused(f"the backup has no {name}")
        return part

    def _copy(self, name: str, out: IO[bytes] | None) -> None:
        part, digest, left = self._part(name), sha256(), self._part(name).bytes
        with self._stream(part) as stream:
            while left and (chunk := _read(stream, min(left, CHUNK_BYTES), name)):
                digest.update(chunk)
                left -= len(chunk)
                if out is not None:
                    out.write(chunk)
        if left or digest.hexdigest() != part.sha256:
            raise BackupRefused(f"{name} in the backup is damaged")

    def _stream(self, part: Part) -> IO[bytes]:
        try:
            member = self._tar.getmember(part.name)
            stream = self._tar.extractfile(member) if member.isreg() else None
        except (KeyError, tarfile.TarError, OSError) as e:
            raise BackupRefused(f"the backup breaks off before {part.name}") from e
        if stream is None or member.size != part.bytes:
            raise BackupRefused(f"{part.name} in the backup is damaged")
        return stream


def _read(stream: IO[bytes], size: int, name: str) -> bytes:
    try:
        return stream.read(size)
    except (OSError, tarfile.TarError) as e:
        raise BackupRefused(f"{name} in the backup cannot be read to its end") from e


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Raises ``BackupRefused`` for what is no backup or was made by a newer version."""
    with ExitStack() as undo:
        try:
            tar = undo.enter_context(tarfile.open(path, "r:"))
            first = tar.next()
            listed = tar.extractfile(first) if first is not None and first.name == LIST else None
            text = listed.read(MAX_LIST_BYTES) if listed is not None else b""
        except OSError as e:
            raise BackupRefused(f"{path} cannot be read: {e.strerror or e}") from e
        except (tarfile.TarError, EOFError) as e:
            raise BackupRefused(f"{path} is no backup of Assay") from e
        yield Backup(tar, parsed(text, path))


def parsed(text: bytes, path: Path) -> Contents:
    """The list. Raises ``BackupRefused``."""
    try:
        members: dict[str, Any] = json.loads(text)
        if (version := members.pop("format")) != FORMAT:
            raise BackupRefused(f"{path} has the format {version}; this version of Assay reads {FORMAT}")
        parts = tuple(Part(**part) for part in members.pop("parts"))
        contents = Contents(parts=parts, left_out=tuple(members.pop("left_out")), **members)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise BackupRefused(f"{path} is no backup of Assay") from e
    if not all(is_plain(part.name) for part in parts) or len({p.name for p in parts}) != len(parts):
        raise BackupRefused(f"{path} names parts that no home has")
    return contents


def is_plain(name: str) -> bool:
    """A relative name that stays below the folder it is put in."""
    path = PurePosixPath(name)
    return not path.is_absolute() and path.as_posix() == name and not {"..", "."} & set(path.parts)
