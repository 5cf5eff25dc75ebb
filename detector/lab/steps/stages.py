"""Long work in stages: a finished stage is not done again, and what was made from something else is.

``state.json`` in the run folder has a record for every finished stage: the digests of the files it left, and
the digest of what it was made from (options and the stages before it). A stage counts as finished while both
still hold.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detector.core.errors import FileDamaged, FolderTaken
from detector.core.files import write_json

SCHEMA = "assay.stages/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """``files`` are names below the run and their digests; ``note`` says what came of it. ``cpu_seconds`` are
    those of the call that finished it; calls that were interrupted are not in it."""

    made_from: str
    files: dict[str, str]
    note: str = ""
    cpu_seconds: float = 0.0


class Stages:
    """The stages of one run. ``identity`` is all that decides the result; a folder that was begun with
    another one is refused with ``FolderTaken``. ``begins`` and ``ends`` hear the name of each stage that is
    worked on, and at its end its note."""

    def __init__(
        self, run: Path, identity: dict[str, Any], *, begins: Callable[[str], None] = lambda _name: None,
        ends: Callable[[str, str], None] = lambda _name, _note: None,
    ) -> None:  # fmt: skip
        self._run, self._path, self._begins, self._ends = run, run / "state.json", begins, ends
        self._identity: dict[str, Any] = json.loads(json.dumps(identity))
        self._records: dict[str, Record] = {}
        self._read()

    def do(
        self, name: str, work: Callable[[], str], *, files: Sequence[str], after: Sequence[str] = ()
    ) -> Record:
        """Do the work unless it is finished. ``work`` returns a note; it leaves ``files``, and may leave
        fewer of them when its note says why."""
        made_from = self._made_from(after)
        record = self._records.get(name)
        if record is not None and record.made_from == made_from and self._holds(record):
            return record
        if self._records.pop(name, None):
            self._write()
        self._begins(name)
        began = time.process_time()
        note = work()
        spent = round(time.process_time() - began, 2)
        left = {f: digest_of_file(self._run / f) for f in files if (self._run / f).is_file()}
        self._records[name] = Record(made_from=made_from, files=left, note=note, cpu_seconds=spent)
        self._write()
        self._ends(name, note)
        return self._records[name]

    @property
    def records(self) -> dict[str, Record]:
        return dict(self._records)

    def _made_from(self, after: Sequence[str]) -> str:
        parts = [json.dumps(self._identity, sort_keys=True)]
        for name in after:
            record = self._records[name]
            parts.append(json.dumps([name, record.made_from, sorted(record.files.items()), record.note]))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _holds(self, record: Record) -> bool:
        return all(
            (self._run / name).is_file() and digest_of_file(self._run / name) == digest
            for name, digest in record.files.items()
        )

    def _read(self) -> None:
        if not self._path.is_file():
            return
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            schema, identity = raw["schema"], raw["identity"]
            self._records = {n: Record(**r) for n, r in raw["stages"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            raise FileDamaged(f"{self._path} cannot be read; choose another folder") from e
        if schema != SCHEMA or identity != self._identity:
            raise FolderTaken(f"{self._run} was begun with other options or photos; choose another folder")

    def _write(self) -> None:
        stages = {n: asdict(r) for n, r in self._records.items()}
        write_json(self._path, {"schema": SCHEMA, "identity": self._identity, "stages": stages})


def digest_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
