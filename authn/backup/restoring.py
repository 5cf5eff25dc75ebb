"""A home out of a backup: all of it or none, into a place where nothing is, its log halted.

Nobody can tell from a backup what was signed after it. So the restored log is halted, by the same file that
stops one whose witnesses disagree, until ``authn.backup.resuming`` was told how to go on.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from authn.backup import archive
from authn.backup.archive import Backup, Contents
from authn.backup.databases import PARTS, copy_in, kind_of, require_empty
from authn.backup.sealing import KeyFile, unseal
from authn.core.config import Settings
from authn.core.errors import BackupRefused, BadRequest, DatabaseUnusable, FileUnusable, HomeUnfit, NoteError
from authn.core.homes import LOG_VKEY
from authn.core.instants import instant
from authn.store.engine import is_known, open_engine
from authn.tlog.format.note import VerifyingKey, parse_vkey
from authn.tlog.log.check import CheckedLog, check_log
from authn.tlog.log.log import HALT_FILE
from signer.core.durable import rename_durably, sync_folder, write_durably, write_new

RESTORED = "this home was restored from a backup"
SETTINGS_FILE = "settings-of-backup.toml"
VKEY = f"{archive.HOME}pki/{LOG_VKEY}"
DATABASE = "assay.db"
FIRST = "pki"  # moved first: a folder of keys without a database is refused, the other way round is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """``log`` None: the log could not be derived again without the database it is to live in."""

    contents: Contents
    log: CheckedLog | None


def check_backup(path: Path, passphrase: bytes | None) -> Restored:
    """Read all of it, open its keys where the passphrase is given, derive its log again; nothing is kept.

    Raises ``BackupRefused``, ``LogInconsistent``, ``Unavailable``.
    """
    with archive.opened(path) as backup:
        backup.verify()
        _require_known(backup.contents)
        if passphrase is not None:
            _keys(backup, passphrase)
        if backup.contents.database != "sqlite":
            return Restored(contents=backup.contents, log=None)
        with tempfile.TemporaryDirectory(prefix="assay-check-") as folder:
            copy = Path(folder) / DATABASE
            backup.extract(PARTS["sqlite"], copy)
            return Restored(contents=backup.contents, log=_checked_log(backup, f"sqlite:///{copy}"))


def restore(path: Path, settings: Settings, passphrase: bytes | None, now: datetime) -> Restored:
    """Into ``settings.home`` and its database, both of which must be empty.

    Raises ``HomeUnfit`` where they are not, and as ``check_backup``. After an error or Ctrl-C nothing is
    there that was not there before, but for one case: a PostgreSQL database that was filled, and then found
    to hold another log or interrupted.
    """
    home = settings.home
    with archive.opened(path) as backup, ExitStack() as undo:
        _require_fit(backup.contents, settings, passphrase)
        _require_nothing(home)
        _made(home, undo)
        staged = home / f".restoring-{secrets.token_hex(6)}"
        undo.callback(shutil.rmtree, staged, ignore_errors=True)
        try:
            staged.mkdir(mode=0o700)
            _fill(backup, staged, passphrase, now)
            log, place = _database(backup, settings, staged)
            undo.callback(_take_back, home)
            _move(staged, home)
            place(undo)
        except OSError as e:
            raise FileUnusable(f"{home} cannot be written: {e.strerror or e}") from e
        undo.pop_all()
        return Restored(contents=backup.contents, log=log)


def halting_reason(contents: Contents, now: datetime) -> str:
    """The first line of the file that halts a restored log."""
    return (
        f"{RESTORED} of {contents.made_at}, at {instant(now)}: nobody knows yet what its key signed since; "
        "`assay log resume` goes on when it is told"
    )


def _require_known(contents: Contents) -> None:
    if not is_known(contents.schema):
        raise DatabaseUnusable(
            f"the backup has schema {contents.schema}, made by a newer version ({contents.version}) than this"
        )
    if contents.database not in PARTS:
        raise BackupRefused("the backup is of a kind of database that is not known here")


def _require_fit(contents: Contents, settings: Settings, passphrase: bytes | None) -> None:
    _require_known(contents)
    if contents.database != kind_of(settings.database):
        raise HomeUnfit(
            f"the backup is of {contents.database}, and database_url names {kind_of(settings.database)}"
        )
    if (contents.seal is None) != (passphrase is None):
        if contents.seal is None:
            raise BadRequest("this backup holds no keys, so there is nothing for a passphrase to open")
        raise BadRequest("this backup holds keys: name their passphrase (--passphrase-file)")
    if settings.database_url:
        require_empty(settings.database)


def _require_nothing(home: Path) -> None:
    try:
        if home.exists() and (found := next(iter(home.iterdir()), None)) is not None:
            raise HomeUnfit(f"{home} is not empty ({found.name}); nothing is restored over a home")
    except OSError as e:
        raise HomeUnfit(f"{home} cannot be looked into: {e.strerror}") from e


def _made(home: Path, undo: ExitStack) -> None:
    if home.exists():
        return
    undo.callback(_unmade, home)  # first: Ctrl-C can come between the two
    try:
        home.mkdir(mode=0o700, parents=True)
    except OSError as e:
        raise FileUnusable(f"{home} cannot be made: {e.strerror}") from e


def _fill(backup: Backup, staged: Path, passphrase: bytes | None, now: datetime) -> None:
    """Everything of the home but its database. Lets ``OSError`` through."""
    files = [
        (part.name.removeprefix(archive.HOME), backup.read(part.name), part.mode)
        for part in backup.contents.parts
        if part.name.startswith(archive.HOME)
    ]
    if passphrase is not None:
        files += [(file.name, file.content, file.mode) for file in _keys(backup, passphrase)]
    for name, content, mode in files:
        path = staged / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_new(path, content, mode=mode & 0o700 | (0o044 if mode & 0o004 else 0))
    halt = staged / "pki" / HALT_FILE
    before = halt.read_bytes() if halt.exists() else b""  # a log that was halted stays halted for that too
    write_durably(halt, f"{halting_reason(backup.contents, now)}\n\n".encode() + before)
    write_durably(staged / SETTINGS_FILE, _settings_text(backup.contents).encode())


def _keys(backup: Backup, passphrase: bytes) -> tuple[KeyFile, ...]:
    if backup.contents.seal is None:
        raise BadRequest("this backup holds no keys, so there is nothing for a passphrase to open")
    files = unseal(backup.contents.seal, backup.read(archive.SEALED_KEYS), passphrase)
    if not all(archive.is_plain(file.name) for file in files):
        raise BackupRefused("the backup's keys name files that no home has")
    return files


def _settings_text(contents: Contents) -> str:
    lines = [f"# Settings of the backup of {contents.made_at}; nothing reads this file. Secrets are masked."]
    lines += [f"# {name} = {json.dumps(value)}" for name, value in contents.settings.items()]
    return "\n".join(lines) + "\n"


def _database(
    backup: Backup, settings: Settings, staged: Path
) -> tuple[CheckedLog, Callable[[ExitStack], None]]:
    """Derive the log from the database at its place, or beside it; what is left to do to put it there, which
    notes how it is undone."""
    kind = backup.contents.database
    if kind == "postgresql":
        dump = staged / PARTS[kind]
        backup.extract(PARTS[kind], dump)
        copy_in(dump, settings.database)
        dump.unlink()
        return _checked_log(backup, settings.database), lambda _: None
    copy = staged / DATABASE
    backup.extract(PARTS[kind], copy)
    log = _checked_log(backup, f"sqlite:///{copy}")
    if not settings.database_url:
        return log, lambda _: None
    target = Path(settings.database.removeprefix("sqlite:///"))
    return log, partial(_moved_elsewhere, settings.home / DATABASE, target)


def _checked_log(backup: Backup, url: str) -> CheckedLog:
    """Raises ``LogInconsistent`` where the database is not what the backup says."""
    key = _log_key(backup)
    engine = open_engine(url)
    try:
        checked = check_log(engine, key)
    finally:
        engine.dispose()
    said = backup.contents
    if checked.origin != said.log_origin or checked.size < said.log_size:
        raise BackupRefused("the backup's database holds another log than its list says")
    return checked


def _log_key(backup: Backup) -> VerifyingKey:
    try:
        return parse_vkey(backup.read(VKEY).decode("ascii", "replace").strip())
    except NoteError as e:
        raise BackupRefused("the backup's log key is none") from e


def _move(staged: Path, home: Path) -> None:
    """Lets ``OSError`` through."""
    names = sorted(path.name for path in staged.iterdir())
    for name in sorted(names, key=lambda name: name != FIRST):
        rename_durably(staged / name, home / name)
    staged.rmdir()
    sync_folder(home)


def _unmade(home: Path) -> None:
    with suppress(OSError):  # somebody else's, then
        home.rmdir()


def _take_back(home: Path) -> None:
    """Everything in it: it was empty before."""
    for path in home.iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _moved_elsewhere(source: Path, target: Path, undo: ExitStack) -> None:
    """Also to another file system: the copy gets its name when it is whole."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.restoring")
    for path in (temporary, target):  # nothing was there
        undo.callback(path.unlink, missing_ok=True)
    shutil.copyfile(source, temporary)
    temporary.chmod(0o600)
    rename_durably(temporary, target)
    source.unlink()
