"""Examine everything on a plan: confined workers side by side, one writer, one row per input.

Decides what becomes of a file that ends or stalls its worker: it costs its own row, never the run. Equal
bytes under the same claimed type are examined once and give a row per name. Nothing here prints or exits.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from authn.audit.inputs import Entry, Inputs, open_inputs
from authn.audit.results import RESULTS_FILE, ResultsWriter, Row, read_rows, row_line
from authn.confined import Confined, Examines, open_warm
from authn.errors import AuthnError, ExaminationFailed, MediaError, UnreadableMedia
from authn.media import Media, MediaLimits, claimed_type, media_of
from authn.report.model import refusal_json, report_json

# One answer carries a row per name; this bounds it when millions of paths hold the same bytes.
MAX_NAMES_PER_EXAMINATION = 500

Group = tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How a plan is run; ``build`` must be picklable, since every worker builds an examiner of its own."""

    build: Callable[[], Examines]
    source: Path
    as_of: datetime
    limits: MediaLimits
    jobs: int = 1
    timeout_s: float = 60.0
    memory_bytes: int = 4 * 2**30


def run(
    job: Job, entries: Iterable[Entry], folder: Path, *, done: Callable[[int], None] = lambda rows: None
) -> None:
    """Write every row that ``folder`` still lacks; ``done`` hears how many rows each step brought.

    Raises ``Unavailable`` when no examiner can be built, ``AuditError`` when rows cannot be kept. What was
    written stays; the next call goes on.
    """
    path = folder / RESULTS_FILE
    with ResultsWriter(path) as results:
        known = {row["subject"]["name"] for row in read_rows(path)}
        left = [e for e in entries if e.name not in known]
        skipped = [e for e in left if e.skipped is not None]
        results.append(row_line(_skipped_row(e)) for e in skipped)
        done(len(known) + len(skipped))
        for rows in _examined(job, _groups(e for e in left if e.skipped is None)):
            results.append(rows)
            done(len(rows))


def _groups(entries: Iterable[Entry]) -> list[Group]:
    """Entries with equal bytes and equal claimed type, in the order of the plan."""
    found: dict[tuple[str | None, str | None], list[Entry]] = {}
    for e in entries:
        found.setdefault((e.sha256, claimed_type(e.name)), []).append(e)
    size = MAX_NAMES_PER_EXAMINATION
    return [tuple(g[i : i + size]) for g in found.values() for i in range(0, len(g), size)]


def _examined(job: Job, groups: list[Group]) -> Iterator[tuple[str, ...]]:
    """Rows of each group as soon as they are there."""
    workers = [_open_worker(job) for _ in range(max(1, min(job.jobs, len(groups))))]
    idle: queue.SimpleQueue[Confined[Group, tuple[str, ...]]] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)
    pool = ThreadPoolExecutor(len(workers), thread_name_prefix="assay-audit")
    finished_all = False
    try:
        waiting: set[Future[tuple[str, ...]]] = set()
        for group in groups:
            waiting.add(pool.submit(_ask, idle, group))
            if len(waiting) >= 2 * len(workers):
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (f.result() for f in finished)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (f.result() for f in finished)
        finished_all = True
    finally:
        if not finished_all:
            # Interrupted, or out of disk: end the calls in progress, so that no thread is waited for.
            for worker in workers:
                worker.abandon()
        pool.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()


def _open_worker(job: Job) -> Confined[Group, tuple[str, ...]]:
    build = partial(_ItemExaminer, job.build, job.source, job.limits, job.as_of)
    return Confined(build, timeout_s=job.timeout_s, memory_bytes=job.memory_bytes)


def _ask(idle: queue.SimpleQueue[Confined[Group, tuple[str, ...]]], group: Group) -> tuple[str, ...]:
    worker = idle.get()
    try:
        return worker.ask(group)
    except ExaminationFailed as e:
        return tuple(row_line(_refused_row(entry, e)) for entry in group)
    finally:
        idle.put(worker)


class _ItemExaminer:
    """Lives in the worker: reads bytes, checks them against the plan, examines them once per group."""

    def __init__(
        self, build: Callable[[], Examines], source: Path, limits: MediaLimits, as_of: datetime
    ) -> None:
        self._limits = limits
        self._as_of = as_of
        self._inputs: Inputs = open_inputs(source, limits)
        self._examiner = open_warm(build)

    def __call__(self, group: Group) -> tuple[str, ...]:
        rows: list[str] = []
        report: Row | None = None
        for entry in group:
            row = self._row(entry) if report is None else _renamed(report, entry.name)
            report = row if "error" not in row else report
            rows.append(row_line(row))
        return tuple(rows)

    def _row(self, entry: Entry) -> Row:
        """Never raises for what one file holds; out of memory is the worker's end, not the file's row."""
        try:
            found: Row = report_json(self._examiner.examine(self._media(entry), as_of=self._as_of))
            return found
        except MemoryError:
            raise
        except MediaError as e:
            return _refused_row(entry, e)
        except Exception as e:  # noqa: BLE001 one of four places: around one audited item
            code = e.code if isinstance(e, AuthnError) else ExaminationFailed.code
            return _refused_row(entry, ExaminationFailed(f"{type(e).__name__}: {e}"), code=code)

    def _media(self, entry: Entry) -> Media:
        media = media_of(self._inputs.read(entry), entry.name, self._limits)
        if media.sha256 != entry.sha256:
            raise UnreadableMedia("it changed after the audit was planned")
        return media


def _renamed(row: Row, name: str) -> Row:
    """The same report under another name: nothing in it depends on the name but the claimed type."""
    return {**row, "subject": {**row["subject"], "name": name}}


def _skipped_row(entry: Entry) -> Row:
    assert entry.skipped is not None
    found: Row = refusal_json(entry.name, entry.skipped.code, entry.skipped.detail)
    return found


def _refused_row(entry: Entry, error: AuthnError, *, code: str | None = None) -> Row:
    found: Row = refusal_json(entry.name, code or error.code, error.detail)
    return found
