"""One audit from its source to its summary: list, examine, count, write down.

Decides the order of the steps and what a finished run leaves behind: ``run.json``, ``plan.jsonl``,
``devices.jsonl`` (the registry, if there is one), ``results.jsonl``, ``summary.json`` and, unless told
otherwise, ``summary.html``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from authn.audit.devices import load_devices, save_devices
from authn.audit.inputs import Entry, Inputs, open_inputs
from authn.audit.plan import (
    Question,
    RunFolder,
    keep_plan,
    listing,
    open_run,
    plan,
    refreshed,
    replace_file,
)
from authn.audit.refresh import drift, keep_rows
from authn.audit.results import (
    RESULTS_FILE,
    Row,
    Tally,
    file_sha256,
    is_not_media,
    read_rows,
    tally,
)
from authn.audit.run import Job, run
from authn.core.instants import instant
from authn.core.media import MediaLimits
from authn.core.plain import Json
from authn.devices import DeviceRecord
from authn.examine.request import Opens

SUMMARY_FILE = "summary.json"
PAGE_FILE = "summary.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the caller wants audited, and with what means.

    ``build`` makes an examiner in a worker and must be picklable; it asks the registry as it was when the
    audit was planned. ``devices`` is asked then, and gives None where there is no registry. ``readable`` is
    what sources load late.
    """

    source: Path
    folder: Path
    question: Question
    build: Opens
    devices: Callable[[], Iterable[DeviceRecord] | None]
    limits: MediaLimits
    as_of: datetime | None = None
    jobs: int = 1
    timeout_s: float = 60.0
    memory_bytes: int = 4 * 2**30
    readable: tuple[Path, ...] = ()
    talks: bool = True
    page: bool = True
    refresh: bool = False


class Progress(Protocol):
    """Hears how far an audit is."""

    def listing(self) -> None:
        """The source is being read once, to know its digests."""

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
    entries, work, resumed = _planned(order, clock(), progress)
    progress.planned(len(entries), resumed=resumed)
    job = Job(
        build=order.build,
        registry=load_devices(work.folder),
        readable=order.readable,
        talks=order.talks,
        source=order.source,
        as_of=work.as_of,
        limits=order.limits,
        jobs=order.jobs,
        timeout_s=order.timeout_s,
        memory_bytes=order.memory_bytes,
    )
    run(job, entries, work.folder, done=progress.rows)
    return _finish(order, work, entries, clock())


def _planned(order: Order, now: datetime, progress: Progress) -> tuple[tuple[Entry, ...], RunFolder, bool]:
    inputs = open_inputs(order.source, order.limits, leave_out=order.folder)
    try:
        work, resumed = open_run(order.folder, order.question, as_of=order.as_of, started_at=now)
        if not work.plan_file.exists():
            progress.listing()
            _save_devices(order, work)
            return plan(work, inputs), work, resumed
        if order.refresh:
            return *_refreshed(order, work, inputs, now, progress), resumed
        entries = plan(work, inputs)
        limited = work.question.limit is not None
        if sentence := drift(entries, inputs.sizes(), limited=limited).sentence():
            progress.drifted(sentence)
        return entries, work, resumed
    finally:
        inputs.close()


def _refreshed(
    order: Order, work: RunFolder, inputs: Inputs, now: datetime, progress: Progress
) -> tuple[tuple[Entry, ...], RunFolder]:
    """Rows first, the plan last: whoever is interrupted here finds the old plan, and what lacks a row is done
    again."""
    progress.listing()
    listed = listing(work, inputs)
    progress.refreshed(keep_rows(work.folder, plan(work, inputs), listed))
    _save_devices(order, work)
    work = refreshed(work, now)
    keep_plan(work, listed)
    return listed, work


def _save_devices(order: Order, work: RunFolder) -> None:
    if (devices := order.devices()) is not None:
        save_devices(work.folder, devices)


def _finish(order: Order, work: RunFolder, entries: tuple[Entry, ...], now: datetime) -> Finished:
    results = work.folder / RESULTS_FILE
    counted = tally(read_rows(results))
    digest = file_sha256(results)
    summary = _summary_json(work, entries, counted, digest)
    replace_file(work.folder / SUMMARY_FILE, json.dumps(summary, indent=1) + "\n")
    if order.page:
        replace_file(work.folder / PAGE_FILE, _page(work, len(entries), counted, digest, now))
    return Finished(run=work, inputs=len(entries), tally=counted, summary=summary)


def _page(work: RunFolder, inputs: int, counted: Tally, results_sha256: str, now: datetime) -> str:
    from authn.audit.summary import RunView, render_summary

    results = work.folder / RESULTS_FILE
    view = RunView(
        started_at=work.started_at,
        finished_at=now,
        source=work.question.source,
        counts=(
            ("inputs", inputs),
            ("reports", counted.reported),
            ("not examined", counted.not_reported - counted.not_media),
            ("of other kinds", counted.not_media),
        ),
        skipped=tuple(_without_report(read_rows(results))),
        others=tuple(row["subject"]["name"] for row in read_rows(results) if _is_other(row)),
        beside=counted.beside,
        results_sha256=results_sha256,
    )
    return render_summary((row for row in read_rows(results) if "error" not in row), view)


def _is_other(row: Row) -> bool:
    return "error" in row and is_not_media(row)


def _without_report(rows: Iterable[Row]) -> Iterator[tuple[str, str, str]]:
    for row in rows:
        if "error" in row and not is_not_media(row):
            yield row["subject"]["name"], row["error"]["code"], row["error"]["detail"]


def _summary_json(
    work: RunFolder, entries: tuple[Entry, ...], counted: Tally, results_sha256: str
) -> dict[str, Json]:
    return {
        "version": 1,
        "source": work.question.source,
        "as_of": instant(work.as_of),
        "refreshed_at": [instant(t) for t in work.refreshed_at],
        "fingerprint": work.question.fingerprint,
        "inputs": len(entries),
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
        "content_sha256": counted.content_sha256,
    }
