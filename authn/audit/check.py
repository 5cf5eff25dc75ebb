"""Checking that a run is what its statement says, and that its source is what the run saw.

Told apart: a row that is gone, changed, or belongs to no input; an input that is gone from the plan; a
statement that nobody known has signed; and in the source what came, changed or went since.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from authn.audit.complete import LEAVES_FILE, ORIGIN, STATEMENT_FILE, UNSIGNED_FILE, leaf_of
from authn.audit.entry import Entry, Inputs
from authn.audit.names import key_of
from authn.audit.plan import PLAN_FILE, read_plan, run_of, unique
from authn.audit.results import RESULTS_FILE, read_rows, row_digest
from authn.core.errors import AuditError, MediaError, NoteError
from authn.tlog.format import checkpoint
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.merkle import HASH_BYTES, Frontier
from authn.tlog.format.note import Verifier, parse, verify

MAX_NAMED = 20  # of each kind
LOOK_AHEAD = 64  # leaves: how many inputs in a row may be gone and still be found

SIGNATURE, STATEMENT, LEAVES, QUESTION = "signature", "statement", "leaves", "question"
ROW_GONE, ROW_CHANGED, ROW_STRAY, INPUT_GONE = "row_gone", "row_changed", "row_of_no_input", "input_gone"
LOG = "log"
NEW, CHANGED, GONE, CONTENT = "source_new", "source_changed", "source_gone", "source_content"
WORDS = {
    SIGNATURE: "nobody whom you know has signed the statement",
    STATEMENT: "the statement is damaged or about another number of inputs",
    LOG: "no receipt proves that the statement is in a log that you know",
    QUESTION: "run.json asks another question than the one that was signed",
    LEAVES: "leaves.bin does not have the root that was signed",
    ROW_GONE: "inputs of the plan without a row",
    ROW_CHANGED: "rows that were changed after they were signed",
    ROW_STRAY: "rows of no input of the plan",
    INPUT_GONE: "inputs that were signed and are gone from the plan",
    NEW: "new in the source, not part of the run",
    CHANGED: "changed in the source since",
    GONE: "gone from the source",
    CONTENT: "files whose bytes are not those that the row is about",
}


@dataclass(slots=True, kw_only=True)
class Checked:
    """``found``: kind -> how many and the first names. Nothing found: the run is complete, and as signed."""

    size: int = 0
    root: bytes = b""
    facts: tuple[str, ...] = ()
    signer: str | None = None
    found: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def add(self, kind: str, name: str = "") -> None:
        count, names = self.found.get(kind, (0, []))
        if name and len(names) < MAX_NAMED:
            names.append(name)
        self.found[kind] = (count + 1, names)


def check_run(folder: Path, verifiers: Sequence[Verifier]) -> Checked:
    """The run against its statement. Raises ``AuditError`` where it holds none."""
    checked = Checked()
    statement = _statement(folder, verifiers, checked)
    if statement is not None:
        checked.size, checked.root, checked.facts = statement.size, statement.root, statement.extensions
        if f"question {run_of(folder).question.fingerprint}" not in statement.extensions:
            checked.add(QUESTION)
    with closing(_rows(folder, checked)) as rows:
        if statement is None:
            return checked
        whole = _root_of(folder / LEAVES_FILE) == (statement.size, statement.root)
        if not whole:
            checked.add(LEAVES)
        _compare(folder, rows, statement, checked, leaves=_leaves(folder / LEAVES_FILE) if whole else None)
        for (name,) in rows.execute("SELECT name FROM rows WHERE NOT seen"):
            checked.add(ROW_STRAY, name)
    return checked


def _statement(folder: Path, verifiers: Sequence[Verifier], checked: Checked) -> Checkpoint | None:
    path = folder / STATEMENT_FILE
    try:
        note = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not (folder / UNSIGNED_FILE).exists():
            raise AuditError(
                f"{folder} holds no statement of completeness; has its audit finished?"
            ) from None
        checked.add(SIGNATURE, "it has no signature")
        return _parsed((folder / UNSIGNED_FILE).read_text(encoding="utf-8"), checked)
    except (OSError, ValueError) as e:
        raise AuditError(f"{path} cannot be read: {e}") from e
    try:
        text = parse(note).text
        try:
            signed = verify(note, verifiers)
            checked.signer = ", ".join(s.name for s in signed.signatures)
        except NoteError as e:
            checked.add(SIGNATURE, e.detail)
    except NoteError as e:
        checked.add(STATEMENT, e.detail)
        return None
    return _parsed(text, checked)


def _parsed(text: str, checked: Checked) -> Checkpoint | None:
    try:
        statement = checkpoint.parse(text)
    except NoteError as e:
        checked.add(STATEMENT, e.detail)
        return None
    if statement.origin != ORIGIN:
        checked.add(STATEMENT, "it is about something else than an audit")
        return None
    return statement


def _rows(folder: Path, checked: Checked) -> sqlite3.Connection:
    """Digest of every row by name, on disk."""
    db = sqlite3.connect("", isolation_level=None)
    db.execute("CREATE TABLE rows (key BLOB PRIMARY KEY, name TEXT, digest BLOB, seen INTEGER) WITHOUT ROWID")
    db.execute("BEGIN")
    for row in read_rows(folder / RESULTS_FILE):
        name = row["subject"]["name"]
        done = db.execute(
            "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, 0)", (key_of(name), name, row_digest(row))
        )
        if not done.rowcount:
            checked.add(ROW_STRAY, f"{name} (a second row)")
    return db


def _compare(
    folder: Path,
    rows: sqlite3.Connection,
    statement: Checkpoint,
    checked: Checked,
    *,
    leaves: Iterator[bytes] | None,
) -> None:
    """Each line of the plan with its row and its leaf."""
    frontier = Frontier()
    ahead: list[bytes] = []
    for entry in read_plan(folder / PLAN_FILE):
        key = key_of(entry.name)
        found = rows.execute("SELECT digest FROM rows WHERE key = ?", (key,)).fetchone()
        rows.execute("UPDATE rows SET seen = 1 WHERE key = ?", (key,))
        if found is None:
            checked.add(ROW_GONE, entry.name)
        mine = leaf_of(entry.name, found[0] if found else b"")
        frontier.append(mine)
        if leaves is not None:
            _match(mine, entry, leaves, ahead, checked, has_row=found is not None)
    if leaves is not None:
        for _ in (*ahead, *leaves):
            checked.add(INPUT_GONE)
    differs = (frontier.size, frontier.root()) != (statement.size, statement.root)
    if differs and not checked.found.keys() & {ROW_GONE, ROW_CHANGED, ROW_STRAY, INPUT_GONE}:
        checked.add(STATEMENT, "plan and rows have another root, and the leaves are not there to say where")


def _match(
    mine: bytes, entry: Entry, leaves: Iterator[bytes], ahead: list[bytes], checked: Checked, *, has_row: bool
) -> None:
    while len(ahead) < LOOK_AHEAD and (leaf := next(leaves, None)) is not None:
        ahead.append(leaf)
    if mine in ahead:  # what stands before it was signed and is not on the plan any more
        for _ in range(ahead.index(mine)):
            checked.add(INPUT_GONE)
            ahead.pop(0)
    elif has_row:
        checked.add(ROW_CHANGED, entry.name)
    if ahead:
        ahead.pop(0)


def _leaves(path: Path) -> Iterator[bytes]:
    with path.open("rb") as f:
        while leaf := f.read(HASH_BYTES):
            yield leaf


def _root_of(path: Path) -> tuple[int, bytes] | None:
    if not path.exists() or path.stat().st_size % HASH_BYTES:
        return None
    frontier = Frontier()
    for leaf in _leaves(path):
        frontier.append(leaf)
    return frontier.size, frontier.root()


def check_source(folder: Path, inputs: Inputs, checked: Checked, *, contents: bool) -> None:
    """The source as it is listed now against the plan; ``contents`` reads every file that has a report."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute(
            "CREATE TABLE plan (key BLOB PRIMARY KEY, name TEXT, is_as BLOB, seen INTEGER) WITHOUT ROWID"
        )
        db.execute("BEGIN")
        db.executemany("INSERT OR IGNORE INTO plan VALUES (?, ?, ?, 0)", _planned(folder))
        for entry in _listed(folder, inputs):
            key = key_of(entry.name)
            found = db.execute("SELECT is_as FROM plan WHERE key = ?", (key,)).fetchone()
            if found is None:
                checked.add(NEW, entry.name)
                continue
            db.execute("UPDATE plan SET seen = 1 WHERE key = ?", (key,))
            if found[0] != _is_as(entry):
                checked.add(CHANGED, entry.name)
        for (name,) in db.execute("SELECT name FROM plan WHERE NOT seen"):
            checked.add(GONE, name)
    if contents:
        _check_contents(folder, inputs, checked)


def _listed(folder: Path, inputs: Inputs) -> Iterator[Entry]:
    """The source as it is now, under the names and up to the limit of a plan. Nothing of the plan itself is
    believed: neither where a file lies nor what its mark was is signed."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute("CREATE TABLE names (key BLOB PRIMARY KEY) WITHOUT ROWID")
        db.execute("BEGIN")

        def claim(name: str) -> bool:
            return db.execute("INSERT OR IGNORE INTO names VALUES (?)", (key_of(name),)).rowcount == 1

        yield from unique(itertools.islice(inputs.entries(), run_of(folder).question.limit), claim)


def _planned(folder: Path) -> Iterable[tuple[bytes, str, bytes]]:
    return (
        (key_of(e.name), e.name, _is_as(e))
        for e in read_plan(folder / PLAN_FILE)
        if e.ref  # the rest beyond a limit is no place
    )


def _is_as(entry: Entry) -> bytes:
    return key_of(f"{entry.size} {entry.mark} {entry.skipped is not None}")


def _check_contents(folder: Path, inputs: Inputs, checked: Checked) -> None:
    """Rows are looked up by name in one pass over each; the digests lie on disk meanwhile."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute(
            "CREATE TABLE rows (key BLOB PRIMARY KEY, name TEXT, sha256 TEXT, same INTEGER) WITHOUT ROWID"
        )
        db.execute("BEGIN")
        reported = (r["subject"] for r in read_rows(folder / RESULTS_FILE) if "error" not in r)
        db.executemany(
            "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, 0)",
            ((key_of(s["name"]), s["name"], s["sha256"]) for s in reported),
        )
        for entry in _listed(folder, inputs):
            key = key_of(entry.name)
            found = db.execute("SELECT sha256 FROM rows WHERE key = ?", (key,)).fetchone()
            if found is not None and _sha256(inputs, entry) == found[0]:
                db.execute("UPDATE rows SET same = 1 WHERE key = ?", (key,))
        for (name,) in db.execute("SELECT name FROM rows WHERE NOT same ORDER BY name"):
            checked.add(CONTENT, name)


def _sha256(inputs: Inputs, entry: Entry) -> str | None:
    try:
        return hashlib.sha256(inputs.read(entry)).hexdigest()
    except MediaError:
        return None
