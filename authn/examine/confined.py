"""Functions in processes of their own, and examiners there, so that no file can take the caller down with it.

Decides: who may ask which worker when, and that a worker which broke a limit or died is replaced, so that the
next call works. Leaves to others: the process (``worker``), what holds it (``inside``), what is examined
(``examiner``).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from authn.core.confinement import Holds
from authn.core.errors import AuthnError, Busy, ExaminationFailed, ReceiptRefused, Unavailable
from authn.core.media import Media, MediaLimits, measured, unparsed
from authn.core.report import Report
from authn.core.score_map import Maps, maps_text, parse_maps
from authn.devices import RegistryView
from authn.examine.illustrate import illustrate
from authn.examine.inside import Plan
from authn.examine.worker import CLOSE_TIMEOUT_S, Worker
from authn.provenance.counted import counter_of
from authn.provenance.logs import CaptureDigests, capture_digests
from authn.provenance.own import read_own

START_TIMEOUT_S = 180.0  # the first import of torch on a cold disk took 19 s; a small board is slower
# The smallest GIF. Every source is asked about it before a worker counts as ready.
PROBE = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
PROBE_NAME = "probe.gif"
MAX_PREVIEW_BYTES = 4 * 1024 * 1024

Q = TypeVar("Q")
A = TypeVar("A")


class Examines(Protocol):
    """What the worker holds; ``authn.examine.examiner.Examiner`` is one."""

    def examine(
        self, media: Media, *, as_of: datetime | None = None, receipt: str | None = None
    ) -> Report: ...
    def maps(self, media: Media, report: Report) -> Maps: ...


Opens = Callable[[RegistryView | None], Examines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The picture and the maps are those of ``authn.examine.illustrate``."""

    report: Report
    preview_jpeg: bytes | None
    maps: Maps = ()
    digests: CaptureDigests | None = None  # what would be logged of it, where that is asked for
    counter: int | None = None  # which number its device gave it, where that is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    media: Media
    as_of: datetime | None
    preview: bool
    receipt: str | None
    capture: bool


class Confined(Generic[Q, A]):
    """One function in one worker process. Thread-safe: callers take turns. Starts at the first call.

    ``build`` runs once per worker, inside it, and must be picklable; it gets a ``RegistryView`` where a
    ``registry`` is given, which stays here. ``warm`` gets the function once no file can be opened any more
    but the program's own and ``readable``. ``memory_bytes`` counts what a call may add to the address space
    that the worker had then. Questions and answers are dataclasses or plain values of these types.
    """

    def __init__(
        self,
        build: Callable[[RegistryView | None], Callable[[Q], A]],
        *,
        question: type[Q],
        answer: type[A],
        timeout_s: float,
        memory_bytes: int,
        start_timeout_s: float = START_TIMEOUT_S,
        warm: Callable[[Any], None] | None = None,
        readable: tuple[Path, ...] = (),
        registry: RegistryView | None = None,
        talks: bool = True,
    ) -> None:
        self._plan = Plan(
            build=build,
            warm=warm,
            question=question,
            answer=answer,
            memory_bytes=memory_bytes,
            readable=readable,
            has_registry=registry is not None,
            talks=talks,
        )
        self._registry = registry
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._turn = threading.Lock()
        self._worker: Worker | None = None
        self._owner = 0
        self._closed = threading.Event()
        self.holds: Holds = ()  # what holds the newest worker; nothing before the first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Start the worker now. Raises ``Unavailable`` when it cannot be built, with the reason on stderr."""
        with self._my_turn():
            self._running()

    @property
    def ready(self) -> bool:
        """Whether a worker of this process is built and alive; never waits."""
        worker = self._worker
        return worker is not None and self._owner == os.getpid() and worker.ready and worker.alive

    def ask(self, question: Q) -> A:
        """Raises the ``AuthnError`` that the function raised, ``ExaminationTimedOut`` or
        ``ExaminationFailed`` when the worker broke a limit or died, ``Unavailable`` when none can start."""
        with self._my_turn():
            worker = self._running()
            try:
                answer: Any = worker.ask(question, self._timeout_s)
            finally:
                if not worker.alive:
                    self._worker = None
        result: A = answer
        return result

    def close(self) -> None:
        """Let the worker end by itself, so that native threads are joined; kill it when it does not."""
        self._closed.set()
        worker = self._worker
        if worker is not None and not worker.ready:
            self.abandon()  # nobody needs it any more, and building it may take minutes
        if not self._turn.acquire(timeout=CLOSE_TIMEOUT_S):
            self.abandon()
            return
        worker, self._worker = self._worker, None
        self._turn.release()
        if worker is not None and self._owner == os.getpid():
            worker.close()

    def abandon(self) -> None:
        """End the worker now, in the middle of a call if need be; the waiting caller gets an error."""
        self._closed.set()
        worker = self._worker
        if worker is not None and self._owner == os.getpid():
            worker.kill()

    @contextlib.contextmanager
    def _my_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._timeout_s + self._start_timeout_s):
            raise Busy("the examiner is busy with other files; try again")
        try:
            yield
        finally:
            self._turn.release()

    def _running(self) -> Worker:
        if self._closed.is_set():
            raise Busy("the examiner is closed")
        if self._owner != os.getpid():
            # The caller forked after the worker started: the pipe belongs to the parent.
            self._worker, self._owner = None, os.getpid()
        if self._worker is not None and (
            not self._worker.alive or not self._worker.ready or self._worker.worn
        ):
            self._worker.close()
            self._worker = None
        if self._worker is None:
            self._worker = worker = Worker(self._plan, self._registry)
            if self._closed.is_set():  # ``close`` saw none yet
                worker.kill()
            worker.await_ready(self._start_timeout_s)
            self.holds = worker.holds
        return self._worker


class ConfinedExaminer:
    """``examine`` as ``Examiner`` has it, in confined workers, with a picture if asked for.

    So many files are looked at side by side as ``size`` says; those that wait get their turn in the order in
    which they came. One that stops its worker leaves the others theirs.
    """

    def __init__(
        self,
        build: Opens,
        *,
        timeout_s: float,
        memory_bytes: int,
        start_timeout_s: float = START_TIMEOUT_S,
        limits: MediaLimits | None = None,
        readable: tuple[Path, ...] = (),
        registry: RegistryView | None = None,
        size: int = 1,
        talks: bool = True,
    ) -> None:
        self._all = tuple(
            Confined(
                partial(_open_examination, build, limits or MediaLimits()),
                question=_Request,
                answer=Examined,
                timeout_s=timeout_s,
                memory_bytes=memory_bytes,
                start_timeout_s=start_timeout_s,
                warm=_warm,
                readable=readable,
                registry=registry,
                talks=talks,
            )
            for _ in range(size)
        )
        self._patience_s = timeout_s + start_timeout_s
        self._idle = list(self._all)
        self._waiting: deque[object] = deque()
        self._free = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """Whether some worker is built and alive; never waits."""
        return any(one.ready for one in self._all)

    @property
    def holds(self) -> Holds:
        """What holds the newest workers; nothing before the first."""
        return next((one.holds for one in self._all if one.holds), ())

    def warm(self) -> None:
        """As ``Confined.warm``: the first worker, then the others."""
        for one in self._all:
            one.warm()

    def examine(
        self,
        media: Media,
        as_of: datetime | None = None,
        preview: bool = False,
        *,
        receipt: str | None = None,
        capture: bool = False,
    ) -> Examined:
        """``media`` may be unparsed; ``capture`` asks for the digests too. Raises as ``Confined.ask``, and
        ``MediaError`` for a header that is not readable or declares too much."""
        request = _Request(media=media, as_of=as_of, preview=preview, receipt=receipt, capture=capture)
        one = self._taken()
        failed = False
        try:
            examined = one.ask(request)
        except ExaminationFailed:
            failed = True
            raise
        finally:
            self._release(one, failed=failed)
        return _believed(examined, request, one.holds)

    def close(self) -> None:
        """Let the workers end by themselves, side by side; kill those that do not."""
        closing = [threading.Thread(target=one.close) for one in self._all[1:]]
        for thread in closing:
            thread.start()
        self._all[0].close()
        for thread in closing:
            thread.join()

    def _taken(self) -> Confined[_Request, Examined]:
        """One that is free, when it is our turn; rather one that has started."""
        ticket = object()
        with self._free:
            self._waiting.append(ticket)
            try:
                mine = self._free.wait_for(
                    lambda: self._idle and self._waiting[0] is ticket, self._patience_s
                )
                if not mine:
                    raise Busy("the examiner is busy with other files; try again")
                one = next((i for i in self._idle if i.ready), self._idle[0])
                self._idle.remove(one)
            finally:
                self._waiting.remove(ticket)
                self._free.notify_all()
        return one

    def _release(self, one: Confined[_Request, Examined], *, failed: bool) -> None:
        """The next caller shall not wait for a start that a file has made necessary."""
        if failed:
            threading.Thread(target=self._replace, args=(one,), name="assay-replacing", daemon=True).start()
        else:
            self._give_back(one)

    def _give_back(self, one: Confined[_Request, Examined]) -> None:
        with self._free:
            self._idle.append(one)
            self._free.notify_all()

    def _replace(self, one: Confined[_Request, Examined]) -> None:
        try:
            with contextlib.suppress(AuthnError):  # the next call tries again, and tells
                one.warm()
        finally:
            self._give_back(one)


def _believed(examined: Examined, request: _Request, holds: Holds) -> Examined:
    """With what the caller knows in place of what the worker says. Raises ``ExaminationFailed`` for a report
    on another file or time, and for a picture or a map that is none."""
    report, media = examined.report, request.media
    about = (report.subject.sha256, report.subject.bytes, report.subject.name, report.subject.media_type)
    asked = (media.sha256, len(media.data), media.name, media.media_type)
    if about != asked or (request.as_of is not None and report.evaluated_as_of != request.as_of):
        raise ExaminationFailed("the worker's answer is a report on something else")
    preview = examined.preview_jpeg
    if preview is not None and not (preview.startswith(b"\xff\xd8") and len(preview) <= MAX_PREVIEW_BYTES):
        raise ExaminationFailed("the worker's preview is not a small JPEG")
    try:
        parse_maps(maps_text(examined.maps))
    except Unavailable as e:
        raise ExaminationFailed("the worker's maps are not maps") from e
    return replace(examined, report=replace(report, run=replace(report.run, confinement=holds)))


def warm_up(examiner: Examines) -> None:
    """Examine something. Sources load their models at the first picture, and importing torch with CUDA takes
    3 GiB of addresses and up to 19 s: that must not count against a file."""
    examiner.examine(measured(unparsed(PROBE, PROBE_NAME)))


@dataclass(frozen=True, slots=True)
class _Examination:
    """Lives in the worker."""

    examiner: Examines
    limits: MediaLimits

    def __call__(self, request: _Request) -> Examined:
        media = measured(request.media, self.limits)
        report = self.examiner.examine(media, as_of=request.as_of, receipt=request.receipt)
        digests, counter = capture_of(media) if request.capture else (None, None)
        if not request.preview:
            return Examined(report=report, preview_jpeg=None, digests=digests, counter=counter)
        shown = illustrate(self.examiner, media, report)
        return Examined(report=report, preview_jpeg=shown.preview_jpeg, maps=shown.maps, digests=digests)


def capture_of(media: Media) -> tuple[CaptureDigests | None, int | None]:
    """What would be logged of a capture, and its number; None where there is no readable signature."""
    own = read_own(media)
    try:
        return capture_digests(own), counter_of(own)
    except ReceiptRefused:
        return None, None


def _open_examination(build: Opens, limits: MediaLimits, registry: RegistryView | None) -> _Examination:
    return _Examination(build(registry), limits)


def _warm(examination: _Examination) -> None:
    warm_up(examination.examiner)
