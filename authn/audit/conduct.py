"""One audit from its source to its summary: list, examine, count, write down.

Decides the order of the steps and what a finished run leaves behind: ``run.json``, ``plan.jsonl``,
``devices.jsonl`` (the registry, if there is one), ``results.jsonl``, ``summary.json`` and, unless told
otherwise, ``summary.html``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from authn.audit.complete import state
from authn.audit.counts import Tally
from authn.audit.devices import load_devices, save_devices
from authn.audit.entry import WITHIN, Entry, Inputs
from authn.audit.index import Index
from authn.audit.ledger import Ledger
from authn.audit.looking import Job
from authn.audit.plan import (
    PLAN_FILE,
    Question,
    RunFolder,
    keep_plan,
    open_run,
    read_plan,
    refreshed,
    replace_file,
)
from authn.audit.refresh import Drift, keep_rows
from authn.audit.results import RESULTS_FILE, file_sha256
from authn.audit.run import Engine, examined_here, run
from authn.core.instants import instant
from authn.core.media import MediaLimits
from authn.core.plain import Json
from authn.devices import DeviceRecord
from authn.examine.request import Opens
from authn.report.language import ENGLISH, speaking
from authn.tlog.format.note import SigningKey
from signer.core.durable import rename_durably

SUMMARY_FILE = "summary.json"
TELL_EVERY_ENTRIES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the caller wants audited, and with what means.

    ``build`` makes an examiner in a worker and must be picklable; it asks the registry as it was when the
    audit was planned. ``devices`` is asked then, and gives None where there is no registry. ``readable`` is
    what sources load late.
    """

    opens: Callable[[], Inputs]
    folder: Path
    question: Question
    build: Opens
    devices: Callable[[], Iterable[DeviceRecord] | None]
    limits: MediaLimits
    as_of: datetime | None = None
    jobs: int = 1
    readers_per_worker: int = 2
    timeout_s: float = 60.0
    memory_bytes: int = 4 * 2**30
    readable: tuple[Path, ...] = ()
    talks: bool = True
    page: bool = True
    language: str = ENGLISH
    thumbnails: bool = False
    refresh: bool = False
    engine: Engine = examined_here
    key: Callable[[], SigningKey | None] = lambda: None


class Progress(Protocol):
    """Hears how far an audit is."""

    def listing(self) -> None:
        """The source is being listed."""

    def listed(self, inputs: int) -> None:
        """So many inputs were found so far."""

    def planned(self, inputs: int, *, resumed: bool) -> None:
        """So many inputs are on the plan."""

    def drifted(self, sentence: str) -> None:
        """The source is not what it was when the audit was planned, and that is not taken in."""

    def refreshed(self, kept: int) -> None:
        """So many rows are kept, because their files are unchanged."""

    def rows(self, count: int) -> None:
        """So many more rows are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    run: RunFolder
    inputs: int
    tally: Tally
    summary: dict[str, Json]

    @property
    def partial(self) -> bool:
        """Whether some input has no report."""
        return self.tally.not_reported > 0


def conduct(order: Order, *, clock: Callable[[], datetime], progress: Progress) -> Finished:
    """Run or resume an audit. Raises ``AuditError`` and ``Unavailable``; every written row stays."""
    inputs = order.opens()  # what cannot be opened leaves no folder behind
    try:
        work, resumed = open_run(order.folder, order.question, as_of=order.as_of, started_at=clock())
        with closing(Index(work.folder)) as index:
            work = _planned(order, work, inputs, index, clock(), progress)
            progress.planned(_entries(index), resumed=resumed)
            with Ledger(work.folder, index) as ledger:
                plan = read_plan(work.plan_file)
                run(_job(order, work), plan, ledger, done=progress.rows, engine=order.engine)
                return _finish(order, work, index, ledger, clock())
    finally:
        inputs.close()


def _job(order: Order, work: RunFolder) -> Job:
    return Job(
        build=order.build,
        registry=load_devices(work.folder),
        readable=order.readable,
        talks=order.talks,
        opens=order.opens,
        as_of=work.as_of,
        limits=order.limits,
        jobs=order.jobs,
        thumbnails=order.thumbnails and order.page,
        readers_per_worker=order.readers_per_worker,
        timeout_s=order.timeout_s,
        memory_bytes=order.memory_bytes,
    )


def _planned(
    order: Order, work: RunFolder, inputs: Inputs, index: Index, now: datetime, progress: Progress
) -> RunFolder:
    """With a plan on disk and in the index."""
    if not work.plan_file.exists():
        _save_devices(order, work)
        _plan(work, inputs.entries(), index, progress)
        return work
    if order.refresh:
        return _refreshed(order, work, inputs, index, now, progress)
    if index.fact("plan") != _identity(work.plan_file):
        _take_in(work, index)
    limited = work.question.limit is not None
    added, changed, gone = index.compare(inputs.places())
    drift = Drift(added=0 if limited else added, changed=changed, gone=gone)
    if sentence := drift.sentence():
        progress.drifted(sentence)
    return work


def _plan(work: RunFolder, entries: Iterable[Entry], index: Index, progress: Progress) -> None:
    """List what is there into the plan and the index. Raises ``AuditError``; then neither is changed."""
    progress.listing()
    with index.planning() as planning:
        listed = _told(_placed(entries, planning.place), progress)
        count = keep_plan(work, listed, claim=planning.claim)
        planning.finish(_identity(work.plan_file), count)


def _take_in(work: RunFolder, index: Index) -> None:
    """A plan that the index does not know: the index was lost, or an interruption came between the two."""
    count = 0
    with index.planning() as planning:
        for count, entry in enumerate(_placed(read_plan(work.plan_file), planning.place), 1):  # noqa: B007
            planning.claim(entry.name)
        planning.finish(_identity(work.plan_file), count)


def _placed(entries: Iterable[Entry], place: Callable[[str, int | None], None]) -> Iterator[Entry]:
    """Each noted with the file that it is, or is in; of what is in an archive, only the path is compared."""
    last = ""
    for entry in entries:
        path, within, _ = entry.ref.partition(WITHIN)
        if path and path != last:
            place(path, None if within or entry.skipped is not None else entry.size)
            last = path
        yield entry


def _told(entries: Iterable[Entry], progress: Progress) -> Iterator[Entry]:
    for count, entry in enumerate(entries, 1):
        if count % TELL_EVERY_ENTRIES == 0:
            progress.listed(count)
        yield entry


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _entries(index: Index) -> int:
    found = index.fact("entries")
    return found if isinstance(found, int) else 0


def _refreshed(
    order: Order, work: RunFolder, inputs: Inputs, index: Index, now: datetime, progress: Progress
) -> RunFolder:
    """The new plan beside the old one, then the rows, the plan last: whoever is interrupted here finds the
    old plan, and what lacks a row is done again."""
    beside = replace(work, plan_name=f".{PLAN_FILE}.new")
    _plan(beside, inputs.entries(), index, progress)
    progress.refreshed(keep_rows(work.folder, read_plan(work.plan_file), read_plan(beside.plan_file)))
    index.forget_rows()
    _save_devices(order, work)
    work = refreshed(work, now)
    rename_durably(beside.plan_file, work.plan_file)
    index.keep("plan", _identity(work.plan_file))
    return work


def _save_devices(order: Order, work: RunFolder) -> None:
    if (devices := order.devices()) is not None:
        save_devices(work.folder, devices)


def _finish(order: Order, work: RunFolder, index: Index, ledger: Ledger, now: datetime) -> Finished:
    results, inputs, counted = work.folder / RESULTS_FILE, _entries(index), ledger.counts.tally()
    digest = file_sha256(results)
    summary = _summary_json(work, inputs, counted, digest, ledger.content_sha256())
    stated = state(work, index.digest, _facts(counted, digest), order.key())
    summary["completeness"] = {"root": stated.root.hex(), "size": stated.size, "signer": stated.signer}
    replace_file(work.folder / SUMMARY_FILE, json.dumps(summary, indent=1) + "\n")
    if order.page:
        from authn.audit.pages import write_pages

        with speaking(order.language):
            write_pages(work, ledger, inputs=inputs, results_sha256=digest, finished_at=now)
    return Finished(run=work, inputs=inputs, tally=counted, summary=summary)


def _facts(counted: Tally, results_sha256: str) -> tuple[tuple[str, str], ...]:
    return (
        ("reported", str(counted.reported)),
        ("not_examined", str(counted.not_reported)),
        ("results_sha256", results_sha256),
    )


def _summary_json(
    work: RunFolder, inputs: int, counted: Tally, results_sha256: str, content_sha256: str
) -> dict[str, Json]:
    return {
        "version": 1,
        "source": work.question.source,
        "as_of": instant(work.as_of),
        "refreshed_at": [instant(t) for t in work.refreshed_at],
        "fingerprint": work.question.fingerprint,
        "inputs": inputs,
        "reported": counted.reported,
        "not_examined": counted.not_reported,
        "not_media": counted.not_media,
        "receipts_and_stores_not_read": counted.beside,
        "with_a_refuted_axis": counted.refuted,
        "with_an_axis_outside_lists": counted.outside_lists,
        "with_a_contradiction": counted.contradictory,
        "axes": {name: dict(outcomes) for name, outcomes in counted.axes},
        "detectors": {name: dict(outcomes) for name, outcomes in counted.detectors},
        "results_sha256": results_sha256,
        "content_sha256": content_sha256,
    }
