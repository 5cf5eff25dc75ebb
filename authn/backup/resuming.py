"""How a restored log goes on: as the largest that was ever shown, or not at all and another in its place.

A key that signs a smaller or another tree than it has signed before makes two histories, and every receipt of
the one contradicts the other. So a restored log signs only after somebody who knows has said which tree was
the last one: a checkpoint that others hold, a copy of the log's tiles, or the witnesses of its policy.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from authn.backup.archive import CLOSED
from authn.backup.restoring import RESTORED
from authn.core.config import Settings
from authn.core.errors import (
    BadRequest,
    FileUnusable,
    LogHalted,
    LogInconsistent,
    NoteError,
    NotFound,
    Unreachable,
)
from authn.core.homes import LOG_VKEY
from authn.service.wiring import LOG_KEY, log_origin, open_transparency_log
from authn.store.engine import open_engine
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.note import Verifier, VerifyingKey, check_name, parse_vkey, verify
from authn.tlog.format.policy import read_policy
from authn.tlog.log.check import check_log
from authn.tlog.log.closing import empty_tables, write_tree
from authn.tlog.log.feeder import feed
from authn.tlog.log.log import HALT_FILE, Log, open_log
from authn.tlog.log.mirror import Mirror, take_from
from authn.tlog.log.reader import LogReader
from authn.tlog.log.watermark import MARK_FILE, Watermark
from authn.tlog.monitor.remote import WronglyServed
from signer.core.durable import rename_durably, sync_folder, write_durably

MAX_NOTE_BYTES = 1 << 20
NOT_TOLD = (
    "nobody has said what this log's key signed last: name the newest checkpoint that anybody holds "
    "(--newest), a copy of the log (--from), or set witness_policy; where none is to be had, begin another "
    "(--new-log)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """``told_by``: what vouched for the size; ``taken``: entries that came from a copy; ``still``: why the
    log is halted all the same, for what stood in its file before."""

    origin: str
    size: int
    told_by: tuple[str, ...]
    taken: int = 0
    still: str = ""


def resume(settings: Settings, *, newest: Path | None = None, mirror: Mirror | None = None) -> Resumed:
    """Let the restored log of this home sign again.

    ``newest`` is a checkpoint, or the mark of the old home (``log.signed``). Raises ``LogInconsistent`` where
    this log is behind it or another, ``SplitView`` where a witness says so, ``LogHalted`` where nobody was
    asked or the log is not halted for this, ``Unavailable``.
    """
    halt = settings.home / "pki" / HALT_FILE
    before = _restored_halt(halt)
    engine, key = open_engine(settings.database), _log_key(settings)
    check_log(engine, key)
    taken, told_by = 0, []
    if mirror is not None:  # before the log is opened, which its mark may forbid until then
        taken, told_by = _taken(mirror, engine, key), ["a copy of the log"]
    with closing(open_transparency_log(settings, engine)) as log:
        if newest is not None:
            _continues(log, settings, newest)
            told_by.append(str(newest))
        told_by += _witnesses(settings, log)
        if not told_by:
            raise LogHalted(NOT_TOLD)
        head = log.reader.head()
    _lift(halt, before)
    still = before.partition("\n")[0]
    return Resumed(origin=head.origin, size=head.size, told_by=tuple(told_by), taken=taken, still=still)


def begin_another(settings: Settings, name: str) -> Path:
    """Close the log of this home for ever and start one under ``name``; returns the folder of the closed one.

    For a log that is halted, or whose database is lost. Its tree, its keys and its mark lie in that folder,
    to be served and kept. Run again after an interruption, it goes on. Raises ``BadRequest`` for a name that
    is no log's or is the old one's, ``LogHalted`` for a log that signs, ``Unavailable``.
    """
    check = _origin_checked(name)
    pki, engine = settings.home / "pki", open_engine(settings.database)
    known = Watermark(pki / MARK_FILE).read()
    old = known.origin if known is not None else log_origin(settings)
    if old == check:
        raise BadRequest(f"{name} is the name of the log that ends; the next one needs another")
    folder = settings.home / CLOSED / re.sub(r"[^A-Za-z0-9.-]+", "_", old)
    if _has_log(engine):
        if not (pki / HALT_FILE).exists():
            raise LogHalted("this log is not halted: a log that signs is not closed")
        write_tree(LogReader(engine), folder)
        empty_tables(engine)
    elif known is not None and not (pki / HALT_FILE).exists():
        write_durably(pki / HALT_FILE, b"the log's database is lost; another log is being begun\n")
    _put_aside(pki, folder)
    log = open_log(engine, pki / LOG_KEY, check)
    log.close()
    write_durably(pki / LOG_VKEY, f"{log.verifier}\n".encode(), mode=0o644)
    return folder


def _restored_halt(halt: Path) -> str:
    """What else stands in the file that halts. Raises ``LogHalted`` for another reason, or none."""
    try:
        text = halt.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        raise LogHalted("this log is not halted: there is nothing to go on with") from e
    except (OSError, UnicodeDecodeError) as e:
        raise FileUnusable(f"{halt} cannot be read") from e
    if not text.startswith(RESTORED):
        raise LogHalted(f"this log is halted for another reason: {text.partition(chr(10))[0]}")
    return text.partition("\n\n")[2]


def _log_key(settings: Settings) -> VerifyingKey:
    path = settings.home / "pki" / LOG_VKEY
    try:
        return parse_vkey(path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError, NoteError) as e:
        raise FileUnusable(f"{path} is no log's key, or cannot be read") from e


def _taken(mirror: Mirror, engine: Engine, key: Verifier) -> int:
    try:
        return take_from(mirror, engine, key)
    except WronglyServed as e:
        raise Unreachable(f"the copy of the log cannot be read: {e}") from e


def _continues(log: Log, settings: Settings, newest: Path) -> None:
    """Raises ``LogInconsistent`` where the log lacks what the checkpoint says, which is marked if signed."""
    said, signed = _said(newest, log.verifier)
    head = log.reader.head()
    if said.origin != head.origin:
        raise BadRequest(f"{newest} is of the log {said.origin}, and this one is {head.origin}")
    if said.size > head.size:
        if signed:
            Watermark(settings.home / "pki" / MARK_FILE).keep(said)
        raise LogInconsistent(
            f"the key has signed {said.size} entries, and the restored log has {head.size}: fetch the rest "
            "from a copy of the log (--from), or begin another (--new-log)"
        )
    if log.reader.root_at(said.size) != said.root:
        raise LogInconsistent(
            f"the restored log has another history than {newest} up to {said.size}: begin another (--new-log)"
        )


def _said(path: Path, key: Verifier) -> tuple[Checkpoint, bool]:
    """A note with the log's signature, or the bare text of a mark, and which of the two."""
    try:
        with path.open("rb") as f:
            text = f.read(MAX_NOTE_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise BadRequest(f"{path} cannot be read") from e
    try:
        if "\n\n" in text:
            return parse_checkpoint(verify(text, (key,)).text), True
        return parse_checkpoint(text), False
    except NoteError as e:
        raise BadRequest(f"{path} is no checkpoint of this log: {e.detail}") from e


def _witnesses(settings: Settings, log: Log) -> list[str]:
    """Those that have signed the head now. Raises ``SplitView``, ``Unreachable`` where too few answer."""
    if not settings.witness_policy:
        return []
    policy = read_policy(settings.witness_policy[0])
    if not any(witness.url for witness in policy.witnesses):
        return []
    reader = log.reader
    found = feed(reader.head().note, reader.consistency, policy, newest=lambda: reader.head().size)
    for cosigned in found.cosigned:
        log.add_cosignature(found.size, cosigned.witness, cosigned.line)
    if not found.enough:
        raise Unreachable(f"too few witnesses answer to know what was signed: {'; '.join(found.missing)}")
    return [cosigned.witness for cosigned in found.cosigned]


def _lift(halt: Path, before: str) -> None:
    try:
        if before.strip():
            write_durably(halt, before.encode())
        else:
            halt.unlink()
            sync_folder(halt.parent)
    except OSError as e:
        raise FileUnusable(f"{halt} cannot be changed: {e.strerror}") from e


def _origin_checked(name: str) -> str:
    try:
        return check_name(name)
    except NoteError as e:
        raise BadRequest(f"{name!r} cannot be the name of a log: {e.detail}") from e


def _has_log(engine: Engine) -> bool:
    try:
        LogReader(engine).head()
    except NotFound:
        return False
    return True


def _put_aside(pki: Path, folder: Path) -> None:
    """What halts comes last: until then no log begins, whatever is there. A key that lies in the folder
    already is the old one; another beside the halted log never signed anything."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (MARK_FILE, LOG_VKEY, LOG_KEY, HALT_FILE):
            if (pki / name).exists():
                if (folder / name).exists():
                    (pki / name).unlink()
                else:
                    rename_durably(pki / name, folder / name)
    except OSError as e:
        raise FileUnusable(f"{folder} cannot be written: {e.strerror or e}") from e
