"""What an audit will look at, written down once before it starts: the coverage statement.

A plan fixes the inputs and the configuration with its as-of time, so that an audit that
was interrupted goes on with the same question. ``run.json`` must match on resumption; ``plan.jsonl`` has one
line per input, the skipped ones with their reason. Listing reads no file: what a file holds is known, and its
digest written, when it is examined.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from authn.audit.entry import Entry, Skipped
from authn.core.errors import AuditError
from authn.core.instants import instant, utc_of
from signer.core.durable import left_behind, rewritten_durably, write_durably

RUN_FILE = "run.json"
PLAN_FILE = "plan.jsonl"
VERSION = 2  # of run.json and plan.jsonl
FILE_MODE = 0o666  # less what the umask takes: whoever may read the folder reads an audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything besides the inputs that decides what a report says; ``facts`` are names and digests."""

    source: str
    facts: tuple[tuple[str, str], ...]
    limit: int | None = None

    @property
    def fingerprint(self) -> str:
        asked = {"version": VERSION, "source": self.source, "limit": self.limit, "facts": dict(self.facts)}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """A run as it stands on disk."""

    folder: Path
    question: Question
    as_of: datetime
    started_at: datetime
    refreshed_at: tuple[datetime, ...] = ()
    plan_name: str = PLAN_FILE

    @property
    def plan_file(self) -> Path:
        return self.folder / self.plan_name


def open_run(
    folder: Path, question: Question, *, as_of: datetime | None, started_at: datetime
) -> tuple[RunFolder, bool]:
    """Create a run folder, or find the one that an earlier call left; the flag says which (True: found).

    Without ``as_of`` a found run keeps its own. Raises ``AuditError`` when the folder belongs to another
    question, or holds something else.
    """
    path = folder / RUN_FILE
    if path.exists():
        found = _read_run(path)
        if found.question.fingerprint != question.fingerprint:
            raise AuditError(f"{folder} belongs to another audit ({_difference(found.question, question)})")
        if as_of is not None and as_of != found.as_of:
            raise AuditError(f"{folder} belongs to an audit as of {instant(found.as_of)}")
        return found, True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if set(folder.iterdir()) - left_behind(path):  # an audit that was killed here has not begun
            raise AuditError(f"{folder} is not empty and holds no audit; name an empty folder with --out")
        run = RunFolder(folder=folder, question=question, as_of=as_of or started_at, started_at=started_at)
        replace_file(path, json.dumps(_run_json(run), indent=1) + "\n")
    except OSError as e:
        raise AuditError(f"{folder} cannot be written: {e.strerror or e}") from e
    return run, False


def run_of(folder: Path) -> RunFolder:
    """A run that is there. Raises ``AuditError``."""
    return _read_run(folder / RUN_FILE)


def keep_plan(run: RunFolder, entries: Iterable[Entry], *, claim: Callable[[str], bool]) -> int:
    """Write the plan, one entry at a time; how many. ``claim`` says whether a name is still free.

    Raises ``AuditError``; then there is the old plan or none.
    """
    count = 0
    try:
        with rewritten_durably(run.plan_file, mode=FILE_MODE) as f:
            for entry in unique(_limited(entries, run.question.limit), claim):
                f.write(json.dumps(_entry_json(entry)).encode() + b"\n")
                count += 1
    except OSError as e:
        raise AuditError(f"{run.plan_file} cannot be written: {e.strerror or e}") from e
    return count


def refreshed(run: RunFolder, now: datetime) -> RunFolder:
    """The run as it goes on with other inputs: what is examined from here on is judged as of now, unless
    somebody chose the time. Raises ``AuditError``."""
    chosen = run.as_of not in (run.started_at, *run.refreshed_at)
    new = replace(run, as_of=run.as_of if chosen else now, refreshed_at=(*run.refreshed_at, now))
    try:
        replace_file(run.folder / RUN_FILE, json.dumps(_run_json(new), indent=1) + "\n")
    except OSError as e:
        raise AuditError(f"{run.folder} cannot be written: {e.strerror or e}") from e
    return new


def replace_file(path: Path, text: str) -> None:
    """Atomically and durably: after a crash there is the old file or the new one."""
    write_durably(path, text.encode(), mode=FILE_MODE)


def unique(entries: Iterable[Entry], claim: Callable[[str], bool]) -> Iterator[Entry]:
    """Two members of one archive may bear one name; rows are told apart by it."""
    for entry in entries:
        name, copies = entry.name, 0
        while not claim(name):
            copies += 1
            stem, suffix = posixpath.splitext(entry.name)
            name = f"{stem} ({copies}){suffix}"
        yield entry if name == entry.name else replace(entry, name=name)


def _limited(entries: Iterable[Entry], limit: int | None) -> Iterable[Entry]:
    return entries if limit is None else _first(entries, limit)


def _first(entries: Iterable[Entry], limit: int) -> Iterator[Entry]:
    """A coverage statement that forgets what it left out is none, so the rest is one skipped entry."""
    rest = iter(entries)
    yield from itertools.islice(rest, limit)
    if next(rest, None) is not None:
        left_out = Skipped(
            code="assay.audit.notSelected", detail=f"beyond the first {limit} inputs (--limit)"
        )
        yield Entry(name="(the rest of the source)", ref="", size=0, skipped=left_out)


def _entry_json(entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {
        "name": entry.name,
        "ref": entry.ref,
        "bytes": entry.size,
        "mark": entry.mark,
    }
    if entry.skipped is not None:
        found["skipped"] = {"code": entry.skipped.code, "detail": entry.skipped.detail}
    return found


def read_plan(path: Path) -> Iterator[Entry]:
    """The inputs in their order, one at a time. Raises ``AuditError``."""
    try:
        with path.open(encoding="utf-8") as f:
            for line in f:
                found = json.loads(line)
                skipped = found.get("skipped")
                yield Entry(
                    name=found["name"],
                    ref=found["ref"],
                    size=found["bytes"],
                    mark=found["mark"],
                    skipped=Skipped(code=skipped["code"], detail=skipped["detail"]) if skipped else None,
                )
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise AuditError(f"{path} is not a plan: {e}") from e


def _run_json(run: RunFolder) -> dict[str, object]:
    return {
        "version": VERSION,
        "source": run.question.source,
        "limit": run.question.limit,
        "facts": dict(run.question.facts),
        "fingerprint": run.question.fingerprint,
        "as_of": instant(run.as_of),
        "started_at": instant(run.started_at),
        **({"refreshed_at": [instant(t) for t in run.refreshed_at]} if run.refreshed_at else {}),
    }


def _read_run(path: Path) -> RunFolder:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise AuditError(f"{path} was written by another version of the audit")
        return RunFolder(
            folder=path.parent,
            question=Question(
                source=found["source"], limit=found["limit"], facts=tuple(sorted(found["facts"].items()))
            ),
            as_of=utc_of(found["as_of"]),
            started_at=utc_of(found["started_at"]),
            refreshed_at=tuple(utc_of(t) for t in found.get("refreshed_at", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise AuditError(f"{path} does not describe an audit: {e}") from e


def _difference(old: Question, new: Question) -> str:
    """Which part of the question differs, for a person."""
    if old.source != new.source:
        return f"it audits {old.source}"
    if old.limit != new.limit:
        return "its --limit differs"
    before, now = dict(old.facts), dict(new.facts)
    names = sorted(n for n in before.keys() | now.keys() if before.get(n) != now.get(n))
    return "other " + ", ".join(n.replace("_", " ") for n in names)
