"""Captures that wait for their time-stamp. The spool survives SIGKILL and may be used by many processes.

An entry is a small file. It is written before the photo is replaced and dropped after the stamp is in it:

    intent/ID.json    a signing has begun; the photo may or may not be the signed one
    pending/ID.json   the photo at ``path`` is signed and has no time-stamp
    aside/ID.json     it cannot be stamped (gone, modified); kept with the reason until a person looks

Whoever works on an entry holds a lock on its file; the kernel drops the lock when the process dies, so an
unlocked intent means a dead signer. What happens when the machine dies on each line of a signing:

 1. counter advanced       a number is skipped; the photo is as it was
 2. intent written         recovery finds the photo without this signature and drops the intent
 3. temporary file begun   the same, and removes the temporary file, whose name follows from the id
 4. photo replaced         recovery finds this signature in the photo and makes the intent pending
 5. intent made pending    done; the stamp is fetched by whoever comes next

and of a stamping: the entry is pending throughout; before the photo is replaced nothing has happened but a
temporary file, which recovery removes; after it, the next run finds the token inside and drops the entry. The
photo itself is the one record of its state: an entry holds what identifies the signature (``imprint``, the
SHA-256 of the bytes that are stamped), so no step has to be undone. Recovery is what every run does first.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from signer.core.durable import rename_durably, sync_folder, write_new
from signer.core.errors import (
    ContainerUnreadable,
    InputRefused,
    ManifestMalformed,
    ServiceError,
    ServiceUnavailable,
    SigningFailed,
    SpoolError,
    TimestampError,
    TimestampUnavailable,
    UnreadableMedia,
)
from signer.core.locks import lock_file
from signer.credential import verify_binding
from signer.mediafile import MediaFile, read_media_file, replace_media_file
from signer.proof.certificates import Certificate
from signer.proof.timestamp import build_request, parse_response, verify_token
from signer.staple import bytes_to_stamp, has_token, staple
from signer.unharmed import refuse_harm

Fetch = Callable[[bytes], bytes]

_VERSION = 1
_INTENT, _PENDING, _ASIDE = "intent", "pending", "aside"
_NONCE_BITS = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``path`` is absolute; ``imprint`` is hex; ``reason`` is empty unless the entry is kept aside."""

    id: str
    path: str
    media_type: str
    imprint: str
    device_id: str
    reason: str = ""

    @property
    def temporary(self) -> Path:
        """The one name under which new contents of the photo are ever written."""
        return Path(self.path).with_name(f".assay-{self.id}.tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class StampRun:
    """What one run did. ``reason`` says in ``waiting`` why not yet, in ``aside`` why not at all."""

    stamped: tuple[Entry, ...] = ()
    waiting: tuple[Entry, ...] = ()
    aside: tuple[Entry, ...] = ()


def new_entry(*, path: Path, media_type: str, signed: bytes, device_id: str, now: datetime) -> Entry:
    """An entry for signed bytes that are to stand at ``path``. Raises ``ManifestMalformed``."""
    return Entry(
        id=f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(8)}",
        path=str(path.absolute()),
        media_type=media_type,
        imprint=_imprint(signed, media_type),
        device_id=device_id,
    )


class Spool:
    """All methods raise ``SpoolError`` where the folder cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def announced(self, entry: Entry) -> Iterator[None]:
        """Around the writing of ``entry.path`` through ``entry.temporary``; afterwards the entry is pending.

        After an exception the photo itself says whether it had been replaced already.
        """
        with self._created(entry, _INTENT):
            yield
            self._move(entry, _INTENT, _PENDING)

    def add(self, entry: Entry) -> None:
        """Make a photo wait that is signed and lies at ``entry.path`` already; once is enough."""
        if any(e.imprint == entry.imprint and e.path == entry.path for e in self.pending()):
            return
        with self._created(entry, _PENDING):
            pass

    def pending(self, device_id: str | None = None) -> tuple[Entry, ...]:
        """What waits, oldest first; of one device or of all."""
        return tuple(e for e in self._entries(_PENDING) if device_id in (None, e.device_id))

    def aside(self) -> tuple[Entry, ...]:
        """What was kept aside, each with its reason."""
        return self._entries(_ASIDE)

    def damaged(self) -> tuple[Path, ...]:
        """Entry files that cannot be read, kept as they are."""
        return tuple(sorted((self.folder / _ASIDE).glob("*.damaged")))

    def recover(self) -> None:
        """Finish or take back what dead processes began. Cheap where there is nothing to do."""
        with self._exclusive():
            for left in self.folder.glob(".*.tmp"):  # entries are created under this same lock
                left.unlink(missing_ok=True)
        for entry in self._entries(_INTENT):
            with self._claimed(entry, _INTENT) as claimed:
                if claimed:
                    self._settle(entry)
        for entry in self._entries(_PENDING):
            if os.path.lexists(entry.temporary):
                with self._claimed(entry, _PENDING) as claimed, suppress(OSError):
                    if claimed:
                        entry.temporary.unlink(missing_ok=True)

    def stamp_all(
        self, fetch: Fetch, roots: Sequence[Certificate], *, device_id: str | None = None
    ) -> StampRun:
        """Fetch and staple a time-stamp for everything that waits. Idempotent; any number may run at once.

        ``fetch`` takes a TimeStampReq and returns a TimeStampResp, or raises a ``TimestampError`` or
        ``ServiceError``. A token is verified against ``roots``, which are to be those of whoever verifies the
        photo, before it is stapled: there is room for one, and an unknown authority's would say nothing for
        good. The first unreachable authority ends the run.
        """
        self.recover()
        stamped, waiting, aside = [], [], []
        unreachable = ""
        for entry in self.pending(device_id):
            if unreachable:
                waiting.append(replace(entry, reason=unreachable))
                continue
            with self._claimed(entry, _PENDING) as claimed:
                if not claimed:  # somebody else is stamping it, or has just done so
                    continue
                try:
                    _stamp_photo(entry, fetch, roots)
                    self._drop(entry, _PENDING)
                    stamped.append(entry)
                except _CannotStamp as e:
                    aside.append(self._set_aside(entry, e.reason))
                except (TimestampError, ServiceError, InputRefused, SigningFailed) as e:
                    waiting.append(replace(entry, reason=e.detail))
                    if isinstance(e, TimestampUnavailable | ServiceUnavailable):
                        unreachable = e.detail
        return StampRun(stamped=tuple(stamped), waiting=tuple(waiting), aside=tuple(aside))

    def _settle(self, entry: Entry) -> None:
        """The photo decides: it carries this signature and waits, or it does not and nothing happened."""
        if not self._file(entry, _INTENT).exists():  # made pending already
            return
        with suppress(OSError):
            entry.temporary.unlink(missing_ok=True)
        if _carries(entry):
            self._move(entry, _INTENT, _PENDING)
        else:
            self._drop(entry, _INTENT)

    def _set_aside(self, entry: Entry, reason: str) -> Entry:
        kept = replace(entry, reason=reason)
        with self._created(kept, _ASIDE):
            self._drop(entry, _PENDING)
        return kept

    @contextmanager
    def _created(self, entry: Entry, state: str) -> Iterator[None]:
        """A durable entry file whose lock is held. It gets its name only when it is complete. An intent that
        is still one at the end is settled, whatever ended it."""
        beginning = self.folder / f".{entry.id}.tmp"
        final = self._file(entry, state)
        content = json.dumps({"version": _VERSION, **asdict(entry)}).encode() + b"\n"
        with ExitStack() as stack:
            with self._exclusive(), ExitStack() as undo:
                _make_folder(final.parent)
                undo.callback(beginning.unlink, missing_ok=True)  # Ctrl-C can come between any two of these
                write_new(beginning, content)
                stack.enter_context(lock_file(beginning, make=False, wait=False))
                if state == _INTENT:
                    stack.callback(self._settle, entry)  # before it has its name, and under its lock
                rename_durably(beginning, final)
            yield

    @contextmanager
    def _claimed(self, entry: Entry, state: str) -> Iterator[bool]:
        """Whether this process now has the entry to itself. False: busy, or settled in the meantime."""
        path = self._file(entry, state)
        with ExitStack() as stack:
            try:
                file = stack.enter_context(lock_file(path, make=False, wait=False))
                claimed = os.fstat(file.fileno()).st_ino == path.stat().st_ino
            except (FileNotFoundError, BlockingIOError):
                claimed = False
            except OSError as e:
                raise SpoolError(f"the spool entry {path} cannot be opened: {e.strerror}") from e
            yield claimed

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with _as_spool_error(self.folder):
            _make_folder(self.folder)
            with lock_file(self.folder / "lock"):
                yield

    def _entries(self, state: str) -> tuple[Entry, ...]:
        with _as_spool_error(self.folder):
            if not (self.folder / state).is_dir():
                return ()
            found = (self._entry(path) for path in sorted((self.folder / state).glob("*.json")))
            return tuple(entry for entry in found if entry is not None)

    def _entry(self, path: Path) -> Entry | None:
        """Entries are written whole, so a damaged one is a fault of the disk; it must not stop the others."""
        try:
            return _read_entry(path)
        except ValueError:
            _make_folder(self.folder / _ASIDE)
            path.replace(self.folder / _ASIDE / f"{path.name}.damaged")
            return None

    def _file(self, entry: Entry, state: str) -> Path:
        return self.folder / state / f"{entry.id}.json"

    def _move(self, entry: Entry, old: str, new: str) -> None:
        with _as_spool_error(self.folder):
            _make_folder(self.folder / new)
            self._file(entry, old).replace(self._file(entry, new))

    def _drop(self, entry: Entry, state: str) -> None:
        with _as_spool_error(self.folder):
            self._file(entry, state).unlink(missing_ok=True)


class _CannotStamp(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _stamp_photo(entry: Entry, fetch: Fetch, roots: Sequence[Certificate]) -> None:
    """Raises ``_CannotStamp`` for good, or a ``SignerError`` where it is worth another try."""
    file = _open_photo(entry)
    try:
        message = bytes_to_stamp(file.data, entry.media_type)
        if hashlib.sha256(message).hexdigest() != entry.imprint:
            raise _CannotStamp("another signature stands in the file now")
        if has_token(file.data, entry.media_type):
            return
        verify_binding(file.data, entry.media_type)
        token = _fetched_token(message, fetch, roots)
        stapled = staple(file.data, entry.media_type, token)
    except (ManifestMalformed, ContainerUnreadable) as e:
        raise _CannotStamp(f"the file was modified after signing: {e.detail}") from e
    refuse_harm(file.data, stapled, entry.media_type, file.path.name)
    replace_media_file(file, stapled, entry.temporary)


def _open_photo(entry: Entry) -> MediaFile:
    path = Path(entry.path)
    if not path.parent.is_dir():  # an unplugged card or an unmounted share comes back
        raise UnreadableMedia(f"the folder {path.parent} is not there")
    if not os.path.lexists(path):
        raise _CannotStamp("the file is gone; stamp it by name where it lies now")
    if path.is_symlink() or not path.is_file() or path.stat().st_size == 0:
        raise _CannotStamp("the file was replaced by something that is no photo")
    return read_media_file(path)


def _fetched_token(message: bytes, fetch: Fetch, roots: Sequence[Certificate]) -> bytes:
    nonce = secrets.randbits(_NONCE_BITS) | 1
    token = parse_response(fetch(build_request(message, nonce)))
    verify_token(token, message, roots, nonce=nonce)
    return token


def _carries(entry: Entry) -> bool:
    try:
        data = read_media_file(Path(entry.path)).data
        return _imprint(data, entry.media_type) == entry.imprint
    except (InputRefused, ManifestMalformed):
        return False


def _imprint(data: bytes, media_type: str) -> str:
    return hashlib.sha256(bytes_to_stamp(data, media_type)).hexdigest()


def _read_entry(path: Path) -> Entry | None:
    """None where it has just been settled by another process. Raises ``ValueError`` where it is damaged."""
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(fields, dict) or not all(
        isinstance(v, str) for k, v in fields.items() if k != "version"
    ):
        raise ValueError("no entry")
    if (version := fields.pop("version", None)) != _VERSION:
        raise SpoolError(f"the spool entry {path} is of version {version}, which this version does not know")
    try:
        entry = Entry(**fields)
    except TypeError as e:
        raise ValueError("fields are missing") from e
    if entry.id != path.stem or not entry.path.startswith("/"):
        raise ValueError("it names another entry")
    return entry


def _make_folder(folder: Path) -> None:
    """A folder that a power cut takes back would take the entries in it along."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(folder.parent)


@contextmanager
def _as_spool_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise SpoolError(f"the spool {folder} cannot be used: {e.strerror}") from e
