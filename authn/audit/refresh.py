"""What changed in a source since its audit was planned, and taking it in.

A run answers one question about the inputs of its plan. Files that came later are not part of it, which must
be said. When they are taken in, a report of an unchanged file is kept under the name and digest that it was
made for; it says itself as of when it judges.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from authn.audit.entry import Entry
from authn.audit.inputs import WITHIN
from authn.audit.plan import FILE_MODE
from authn.audit.results import RESULTS_FILE, read_rows, row_line
from authn.core.errors import AuditError
from signer.core.durable import rewritten_durably


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Files of a folder that the plan does not have, has with another size, or that are gone."""

    added: int
    changed: int
    gone: int

    def sentence(self) -> str:
        """Empty where nothing is known to have changed."""
        parts = (
            (self.added, "new file is", "new files are", "not part of this audit"),
            (self.changed, "file has", "files have", "another size than when it was planned"),
            (self.gone, "file is", "files are", "gone"),
        )
        said = [f"{n} {one if n == 1 else many} {what}" for n, one, many, what in parts if n]
        return f"{', '.join(said)}; --refresh takes that in" if said else ""


def drift(entries: Iterable[Entry], sizes: Mapping[str, int], *, limited: bool) -> Drift:
    """By name and size alone, so that it costs no reading; with a limit, nobody knows what is new."""
    listed: dict[str, int | None] = {}
    for e in entries:
        path, within, _ = e.ref.partition(WITHIN)
        if path:
            listed[path] = e.size if e.sha256 is not None and not within else None
    return Drift(
        added=0 if limited else len(sizes.keys() - listed.keys()),
        changed=sum(size is not None and sizes.get(name, size) != size for name, size in listed.items()),
        gone=len(listed.keys() - sizes.keys()),
    )


def keep_rows(folder: Path, old: Iterable[Entry], new: Iterable[Entry]) -> int:
    """Drop the rows of inputs that are not the same any more, whole or not at all; how many stay.

    Raises ``AuditError`` where another audit is writing or the disk fails; then every row is as it was.
    """
    path = folder / RESULTS_FILE
    if not path.exists():
        return 0
    before = {e.name: _same(e) for e in old}
    unchanged = {e.name for e in new if before.get(e.name) == _same(e)}
    try:
        with path.open("ab") as held, rewritten_durably(path, mode=FILE_MODE) as f:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept = 0
            for row in read_rows(path):
                if row["subject"]["name"] in unchanged:
                    f.write(f"{row_line(row)}\n".encode())
                    kept += 1
    except BlockingIOError as e:
        raise AuditError(f"another audit is writing to {path}") from e
    except OSError as e:
        raise AuditError(f"{path} cannot be written: {e.strerror or e}") from e
    return kept


def _same(entry: Entry) -> str:
    skipped = None if entry.skipped is None else [entry.skipped.code, entry.skipped.detail]
    return json.dumps([entry.size, entry.sha256, skipped])
