"""The statement of an audit in a transparency log: that it was there, as it is, when the log had that size.

Beside it lie, written in this order, the salt of its entry and the receipt of the log. The entry follows
from the statement and the salt alone, and logging it again changes nothing, so a crash between any two steps
loses nothing: the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from authn.audit.check import LOG, Checked
from authn.audit.complete import ORIGIN, STATEMENT_FILE
from authn.audit.plan import replace_file
from authn.core.errors import AuditError, NoteError, ReceiptRefused
from authn.tlog.format import checkpoint
from authn.tlog.format.entry import SALT_BYTES, EntryKind, LogEntry, Value, canonical, leaf_bytes
from authn.tlog.format.note import Verifier, parse
from authn.tlog.format.receipt import Receipt, parse_receipt, verify_receipt
from authn.tlog.format.text import MAX_RECEIPT_CHARACTERS

SALT_FILE, RECEIPT_FILE = "completeness.salt", "completeness.tlog-proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class InLog:
    """Where a receipt says that the statement is: entry ``index`` of the log ``origin``."""

    origin: str
    index: int


def record_of(note: str) -> dict[str, Value]:
    """What is logged of a statement, which whoever has it can say too. Raises ``NoteError``."""
    stated = checkpoint.parse(parse(note).text)
    if stated.origin != ORIGIN:
        raise NoteError("it is about something else than an audit")
    return {
        "root": stated.root.hex(),
        "size": stated.size,
        "statement_sha256": hashlib.sha256(note.encode()).hexdigest(),
    }


def log_statement(folder: Path, append: Callable[[Sequence[LogEntry]], tuple[Receipt, ...]]) -> Receipt:
    """Have the signed statement of a finished run logged, once, and keep the receipt beside it. Raises
    ``AuditError`` where there is none or the disk fails, and what ``append`` raises."""
    record = canonical(record_of(_note(folder)))
    try:
        (receipt,) = append((LogEntry(kind=EntryKind.AUDIT, record=record, salt=_salt(folder, record)),))
        replace_file(folder / RECEIPT_FILE, receipt.text())
    except OSError as e:
        raise AuditError(f"{folder} cannot be written: {e.strerror or e}") from e
    return receipt


def check_logged(folder: Path, logs: Sequence[Verifier], checked: Checked, *, asked: bool) -> InLog | None:
    """What the receipt beside the statement proves to somebody who knows these logs. What does not hold is
    added to ``checked``; so is, where a proof is ``asked`` for, that there is none."""
    try:
        with (folder / RECEIPT_FILE).open("rb") as f:
            text = f.read(MAX_RECEIPT_CHARACTERS + 1).decode("utf-8", "replace")
    except FileNotFoundError:
        if asked:
            checked.add(LOG, "it has no receipt of a log")
        return None
    except OSError as e:
        raise AuditError(f"{folder / RECEIPT_FILE} cannot be read: {e.strerror or e}") from e
    try:
        receipt = parse_receipt(text)
        leaf = leaf_bytes(EntryKind.AUDIT, receipt.salt, canonical(record_of(_note(folder))), receipt.version)
        origin = checkpoint.parse(parse(receipt.note).text).origin
        log = next((key for key in logs if key.name == origin), None)
        if log is None:
            if asked:
                checked.add(LOG, f"its receipt is of {origin}, whose key you have not named")
            return None
        proved = verify_receipt(receipt, leaf, log)
    except (ReceiptRefused, NoteError, ValueError) as e:
        checked.add(LOG, str(e))
        return None
    return InLog(origin=proved.origin, index=proved.index)


def _note(folder: Path) -> str:
    try:
        return (folder / STATEMENT_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AuditError(f"{folder} holds no signed statement; has its audit finished?") from None
    except (OSError, ValueError) as e:
        raise AuditError(f"{folder / STATEMENT_FILE} cannot be read: {e}") from e


def _salt(folder: Path, record: bytes) -> bytes:
    """The one that was kept for this very record, or a new one, on the disk before anything is logged."""
    path, about = folder / SALT_FILE, hashlib.sha256(record).hexdigest()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        salt = bytes.fromhex(kept["salt"])
        if kept["record_sha256"] == about and len(salt) == SALT_BYTES:
            return salt
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as e:
        raise AuditError(f"{path} is damaged; without it the statement would be logged a second time") from e
    salt = secrets.token_bytes(SALT_BYTES)
    replace_file(path, json.dumps({"record_sha256": about, "salt": salt.hex()}) + "\n")
    return salt
