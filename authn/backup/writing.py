"""Writing a backup: the database at one moment, the keys sealed or left out, everything listed.

The service may run meanwhile. What the log's mark says is read before the database is copied, so that the
copy is never behind the mark that lies beside it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from authn.backup import archive
from authn.backup.archive import CLOSED, Contents, Source
from authn.backup.databases import PARTS, copy_out, kind_of
from authn.backup.sealing import KeyFile, seal
from authn.core.config import Settings
from authn.core.errors import FileUnusable, HomeUnfit
from authn.core.homes import require_authorities, require_registry
from authn.core.instants import instant
from authn.core.setting_rows import SETTINGS
from authn.service.later import JOBS_FOLDER
from authn.store.engine import connect_as_it_is, schema_of
from authn.tlog.log.reader import LogReader
from authn.tlog.log.watermark import MARK_FILE

# Of a home, what everybody may read; all else is sealed.
PUBLIC_SUFFIXES = (".pem", ".vkey", MARK_FILE, "log.halted")
KEY_SUFFIX = ".key.pem"
PRIVATE = b"PRIVATE KEY"  # in the first line of every PEM key, encrypted or not
# Left out: a device that is restored would give its numbers a second time; uploads go when their job ends;
# the index of looks is made again from the database.
LEFT_OUT = frozenset({"devices", JOBS_FOLDER, "recovery"})
NAME_FORMAT = "assay-%Y%m%dT%H%M%SZ.tar"


def target_of(path: Path, now: datetime) -> Path:
    """A free name: ``path``, or one by the time in the folder ``path``. Raises ``Unavailable``."""
    target = path / now.strftime(NAME_FORMAT) if path.is_dir() else path
    if target.exists() or target.is_symlink():
        raise FileUnusable(f"{target} is there already; a backup replaces nothing")
    if not target.parent.is_dir():
        raise FileUnusable(f"{target.parent} is no folder")
    return target


def write_backup(settings: Settings, target: Path, passphrase: bytes | None, now: datetime) -> Contents:
    """``passphrase`` None leaves the keys out. The file is there when it is whole, and else not.

    Raises ``Unavailable``: no service's home, no space, a file that cannot be read, no ``pg_dump``.
    """
    require_registry(settings)
    require_authorities(settings)
    public, private = _home_files(settings.home)
    sealed = seal(private, passphrase) if passphrase is not None else None
    kind = kind_of(settings.database)
    try:
        with tempfile.TemporaryDirectory(prefix=".assay-backup-", dir=target.parent) as folder:
            copy = Path(folder) / PARTS[kind]
            origin, size, schema = _state(settings)
            copy_out(settings.database, copy)
            sources = (
                Source(name=PARTS[kind], content=copy),
                *public,
                *([Source(name=archive.SEALED_KEYS, content=sealed[1])] if sealed else []),
            )
            contents = Contents(
                made_at=instant(now),
                version=version("assay"),
                database=kind,
                schema=schema,
                log_origin=origin,
                log_size=size,
                left_out=() if sealed else tuple(file.name for file in private),
                settings=_shown(settings),
                seal=sealed[0] if sealed else None,
                parts=tuple(source.part() for source in sources),
            )
            archive.write(target, contents, sources)
    except OSError as e:
        raise FileUnusable(f"the backup {target} cannot be written: {e.strerror or e}") from e
    return contents


def _state(settings: Settings) -> tuple[str, int, str]:
    """Origin and size of the log, and the schema, before the copy: it holds as much or more."""
    engine = connect_as_it_is(settings.database)
    try:
        schema = schema_of(engine)
        if schema is None:
            raise HomeUnfit("the database holds nothing of Assay")
        head = LogReader(engine).head()
    finally:
        engine.dispose()
    return head.origin, head.size, schema


def _shown(settings: Settings) -> dict[str, str]:
    """What differs from the defaults, secrets masked."""
    return {row.name: settings.shown(row.name) for row in SETTINGS if settings.origin(row.name) != "default"}


def _home_files(home: Path) -> tuple[tuple[Source, ...], tuple[KeyFile, ...]]:
    """Public files and private ones. Raises ``Unavailable`` for one that cannot be read: a backup without it
    would look like one with it."""
    public, private = [], []
    for path in sorted(_lasting(home)):
        name = path.relative_to(home).as_posix()
        try:
            content, mode = path.read_bytes(), path.stat().st_mode & 0o777
        except OSError as e:
            raise FileUnusable(f"{path} cannot be read, so there is no backup: {e.strerror}") from e
        if _is_public(name) and PRIVATE not in content:
            public.append(Source(name=f"{archive.HOME}{name}", content=content, mode=mode))
        else:
            private.append(KeyFile(name=name, content=content, mode=mode))
    return tuple(public), tuple(private)


def _is_public(name: str) -> bool:
    served = name.startswith(f"{CLOSED}/") and "/tile/" in name  # there for everybody
    return served or (name.endswith(PUBLIC_SUFFIXES) and not name.endswith(KEY_SUFFIX))


def _lasting(home: Path) -> Iterator[Path]:
    """Every file but databases, locks, and what was being written."""
    for path in home.rglob("*"):
        parts = path.relative_to(home).parts
        passing = any(part.startswith(".") for part in parts) or path.suffix == ".lock"
        there = path.is_file() or path.is_symlink()  # a link that leads nowhere is a file that is missing
        if there and not (passing or parts[0] in LEFT_OUT or parts[0].startswith("assay.db")):
            yield path
