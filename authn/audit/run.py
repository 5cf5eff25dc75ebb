"""Examine everything on a plan: confined workers side by side, one writer, one row per input.

Decides what becomes of a file that ends or stalls its worker: it costs its own row, never the run. Equal
bytes under the same claimed type are examined once and give a row per name. Nothing here prints or exits.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from authn.audit.inputs import Entry, Inputs, open_inputs
from authn.audit.results import RESULTS_FILE, ResultsWriter, Row, read_rows, row_line
from authn.confinement.confined import Confined
from authn.confinement.wire import Refusal
from authn.core.errors import AuthnError, ExaminationFailed, MediaError, UnreadableMedia
from authn.core.holds import Holds
from authn.core.media import Media, MediaLimits, claimed_type, media_of
from authn.core.report import Report, refusal_json, report_json
from authn.devices import RegistryView
from authn.examine.request import Examines, Opens, warm_up

# One answer carries a row per name; this bounds it when millions of paths hold the same bytes.
MAX_NAMES_PER_EXAMINATION = 500

Group = tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """A question: entries with equal bytes."""

    entries: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """An answer: entries that could not be examined, in order, and the report on the first one that could."""

    refused: tuple[Refusal, ...]
    report: Report | None


Looks = Confined[Same, Looked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How a plan is run; ``build`` must be picklable, since every worker builds an examiner of its own."""

    build: Opens
    source: Path
    as_of: datetime
    limits: MediaLimits
    jobs: int = 1
    timeout_s: float = 60.0
    memory_bytes: int = 4 * 2**30
    registry: RegistryView | None = None
    readable: tuple[Path, ...] = ()
    talks: bool = True


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
    idle: queue.SimpleQueue[Looks] = queue.SimpleQueue()
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


def _open_worker(job: Job) -> Looks:
    return Confined(
        partial(_ItemExaminer, job.build, job.source, job.limits, job.as_of),
        question=Same,
        answer=Looked,
        timeout_s=job.timeout_s,
        memory_bytes=job.memory_bytes,
        warm=_ItemExaminer.warm,
        readable=(job.source, *job.readable),
        registry=job.registry,
        talks=job.talks,
    )


def _ask(idle: queue.SimpleQueue[Looks], group: Group) -> tuple[str, ...]:
    worker = idle.get()
    try:
        return tuple(map(row_line, _rows(group, worker.ask(Same(entries=group)), worker.holds)))
    except ExaminationFailed as e:
        return tuple(row_line(_refused_row(entry, e)) for entry in group)
    finally:
        idle.put(worker)


def _rows(group: Group, looked: Looked, holds: Holds) -> Iterator[Row]:
    """A row per entry: those that were refused, the one with the report, then the same report for the rest.
    Raises ``ExaminationFailed`` for a report that is not on these bytes."""
    refused, report = looked.refused, looked.report
    if len(refused) + (report is not None) > len(group) or (report is None and len(refused) < len(group)):
        raise ExaminationFailed("the worker's answer is not on these files")
    for entry, refusal in zip(group, refused, strict=False):
        yield refusal_json(entry.name, refusal.code, refusal.detail)
    if report is None:
        return
    entry = group[len(refused)]
    if (report.subject.sha256, report.subject.name) != (entry.sha256, entry.name):
        raise ExaminationFailed("the worker's answer is a report on something else")
    row: Row = report_json(replace(report, run=replace(report.run, confinement=holds)))
    for one in group[len(refused) :]:
        yield _renamed(row, one.name)


class _ItemExaminer:
    """Lives in the worker: reads bytes, checks them against the plan, examines them once per group."""

    def __init__(
        self,
        build: Opens,
        source: Path,
        limits: MediaLimits,
        as_of: datetime,
        registry: RegistryView | None,
    ) -> None:
        self._limits = limits
        self._as_of = as_of
        self._inputs: Inputs = open_inputs(source, limits)
        self._examiner: Examines = build(registry)

    def warm(self) -> None:
        warm_up(self._examiner)

    def __call__(self, same: Same) -> Looked:
        refused: list[Refusal] = []
        for entry in same.entries:
            found = self._found(entry)
            if isinstance(found, Report):
                return Looked(refused=tuple(refused), report=found)
            refused.append(found)
        return Looked(refused=tuple(refused), report=None)

    def _found(self, entry: Entry) -> Report | Refusal:
        """Never raises for what one file holds; out of memory is the worker's end, not the file's row."""
        try:
            return self._examiner.examine(self._media(entry), as_of=self._as_of)
        except MemoryError:
            raise
        except MediaError as e:
            return Refusal(code=e.code, detail=e.detail)
        except Exception as e:  # noqa: BLE001 one of four places: around one audited item
            code = e.code if isinstance(e, AuthnError) else ExaminationFailed.code
            return Refusal(code=code, detail=f"{type(e).__name__}: {e}")

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


def _refused_row(entry: Entry, error: AuthnError) -> Row:
    found: Row = refusal_json(entry.name, error.code, error.detail)
    return found
