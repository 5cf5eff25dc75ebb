"""One input looked at: read and hashed here, examined in a process that is held, and one row of it.

The process gets the bytes and nothing else: it can open no file of the source and no connection. What it
answers is believed as far as it is about these bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from authn.audit.entry import Entry, Inputs
from authn.audit.results import Row
from authn.confinement.confined import Confined
from authn.confinement.wire import Refusal
from authn.core.errors import AuthnError, ExaminationFailed, MediaError
from authn.core.media import Media, MediaLimits, measured, unparsed
from authn.core.report import Report, refusal_json, report_json
from authn.devices import RegistryView
from authn.examine.examination import warm_up
from authn.examine.request import Examines, Opens

THUMBNAIL_SIDE_PIXELS = 192
MAX_THUMBNAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A question."""

    media: Media
    as_of: datetime
    thumbnail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """An answer: a report, or why there is none; a small picture, where one was asked for and can be had."""

    report: Report | None
    refusal: Refusal | None
    thumbnail_jpeg: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How a plan is run. ``build`` and ``opens`` must be picklable: every worker builds an examiner of its
    own and opens the source itself."""

    build: Opens
    opens: Callable[[], Inputs]
    as_of: datetime
    limits: MediaLimits
    jobs: int = 1
    timeout_s: float = 60.0
    memory_bytes: int = 4 * 2**30
    registry: RegistryView | None = None
    readable: tuple[Path, ...] = ()
    talks: bool = True
    thumbnails: bool = False
    readers_per_worker: int = 2  # more than one, so that no worker waits for a disk or a network


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A row. ``twin`` stands for the bytes and the claimed type, where equal bytes have the same row but for
    their name."""

    row: Row
    twin: bytes | None = None
    thumbnail_jpeg: bytes | None = None


class Reader:
    """Fetches inputs, one after the other."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._inputs: Inputs | None = None

    def media(self, entry: Entry) -> Media | Made:
        """The bytes of an input, or the row that says why there are none. Raises as ``Inputs.read`` where the
        source itself does not answer."""
        if self._inputs is None:
            self._inputs = self._job.opens()
        try:
            return unparsed(self._inputs.read(entry), entry.name, self._job.limits)
        except MediaError as e:
            return Made(row=refused(entry.name, e.code, e.detail))

    def close(self) -> None:
        if self._inputs is not None:
            self._inputs.close()


class Desk:
    """One process that looks at media, one after the other."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._looks: Confined[Look, Looked] = Confined(
            partial(_Examination, job.build, job.limits),
            question=Look,
            answer=Looked,
            timeout_s=job.timeout_s,
            memory_bytes=job.memory_bytes,
            warm=_Examination.warm,
            readable=job.readable,
            registry=job.registry,
            talks=job.talks,
        )

    def look(self, media: Media) -> Made:
        """Raises ``Unavailable`` where no examiner can be built."""
        twin = twin_of(media)
        try:
            looked = self._looks.ask(Look(media=media, as_of=self._job.as_of, thumbnail=self._job.thumbnails))
            if looked.refusal is not None:
                return Made(row=refused(media.name, looked.refusal.code, looked.refusal.detail))
            report = self._believed(looked, media)
        except ExaminationFailed as e:
            return Made(row=refused(media.name, e.code, e.detail), twin=twin)
        row: Row = report_json(replace(report, run=replace(report.run, confinement=self._looks.holds)))
        return Made(row=row, twin=twin, thumbnail_jpeg=looked.thumbnail_jpeg)

    def _believed(self, looked: Looked, media: Media) -> Report:
        report = looked.report
        if report is None:
            raise ExaminationFailed("the worker's answer is not a report")
        about = (report.subject.sha256, report.subject.bytes, report.subject.name, report.subject.media_type)
        asked = (media.sha256, len(media.data), media.name, media.media_type)
        if about != asked or report.evaluated_as_of != self._job.as_of:
            raise ExaminationFailed("the worker's answer is a report on something else")
        small = looked.thumbnail_jpeg
        if small is not None and not (small.startswith(b"\xff\xd8") and len(small) <= MAX_THUMBNAIL_BYTES):
            raise ExaminationFailed("the worker's thumbnail is not a small JPEG")
        return report

    def abandon(self) -> None:
        """End a call in progress."""
        self._looks.abandon()

    def close(self) -> None:
        self._looks.close()


def twin_of(media: Media) -> bytes:
    """Equal for equal bytes under the same claimed type: their reports differ in the name alone."""
    return _twin(media.sha256, media.claimed_type)


def twin_of_row(row: Row) -> bytes | None:
    """That of the bytes which a report is about; None where it stands for no report."""
    if "error" in row:
        return None
    return _twin(row["subject"]["sha256"], row["subject"]["media_type_claimed"])


def _twin(sha256: str, claimed: str | None) -> bytes:
    return hashlib.blake2b(f"{sha256} {claimed}".encode(), digest_size=16).digest()


def renamed(row: Row, name: str) -> Row:
    """The same row under another name: nothing in it depends on the name but the claimed type."""
    return {**row, "subject": {**row["subject"], "name": name}}


def refused(name: str, code: str, detail: str) -> Row:
    """The row of an input that has no report."""
    row: Row = refusal_json(name, code, detail)
    return row


class _Examination:
    """Lives in the held process."""

    def __init__(self, build: Opens, limits: MediaLimits, registry: RegistryView | None) -> None:
        self._limits = limits
        self._examiner: Examines = build(registry)

    def warm(self) -> None:
        warm_up(self._examiner)

    def __call__(self, look: Look) -> Looked:
        """Never raises for what one file holds; out of memory is the worker's end, not the file's row."""
        try:
            media = measured(look.media, self._limits)
            report = self._examiner.examine(media, as_of=look.as_of)
            small = _thumbnail(media) if look.thumbnail else None
            return Looked(report=report, refusal=None, thumbnail_jpeg=small)
        except MemoryError:
            raise
        except MediaError as e:
            return Looked(report=None, refusal=Refusal(code=e.code, detail=e.detail))
        except Exception as e:  # noqa: BLE001 one of four places: around one audited item
            code = e.code if isinstance(e, AuthnError) else ExaminationFailed.code
            return Looked(report=None, refusal=Refusal(code=code, detail=f"{type(e).__name__}: {e}"))


def _thumbnail(media: Media) -> bytes | None:
    from authn.report.preview import make_preview

    small = make_preview(media, THUMBNAIL_SIDE_PIXELS)
    return small if small is not None and len(small) <= MAX_THUMBNAIL_BYTES else None
