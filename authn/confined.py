"""An examiner in a process of its own, so that no file can take the caller down with it.

Decides: who may ask the worker when, and that a worker which broke a limit or died is replaced, so that the
next call works. Leaves to others: the process and its limits (``authn.worker``), what is examined
(``authn.examine``).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from authn.errors import Unavailable
from authn.illustrate import illustrate
from authn.media import Media, media_of
from authn.report.model import Report
from authn.score_map import Maps
from authn.worker import CLOSE_TIMEOUT_S, Refused, Worker

START_TIMEOUT_S = 180.0  # the first import of torch on a cold disk took 19 s; a small board is slower
# The smallest GIF. Every source is asked about it before a worker counts as ready.
PROBE = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
PROBE_NAME = "probe.gif"

Q = TypeVar("Q")
A = TypeVar("A")


class Examines(Protocol):
    """What the worker holds; ``authn.examine.Examiner`` is one."""

    def examine(self, media: Media, *, as_of: datetime | None = None) -> Report: ...
    def maps(self, media: Media, report: Report) -> Maps: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The picture and the maps are those of ``authn.illustrate``."""

    report: Report
    preview_jpeg: bytes | None
    maps: Maps = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    media: Media
    as_of: datetime | None
    preview: bool


class Confined(Generic[Q, A]):
    """One function in one worker process. Thread-safe: callers take turns. Starts at the first call.

    ``build`` runs once per worker, inside it, and must be picklable; ``memory_bytes`` counts what a call may
    add to the address space that the worker had after ``build``. Answers may hold report types, plain
    values, and nothing else.
    """

    def __init__(
        self,
        build: Callable[[], Callable[[Q], A]],
        *,
        timeout_s: float,
        memory_bytes: int,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._build = build
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._start_timeout_s = start_timeout_s
        self._turn = threading.Lock()
        self._worker: Worker | None = None
        self._owner = 0
        self._closed = False

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
        if isinstance(answer, Refused):
            raise answer.error
        result: A = answer
        return result

    def close(self) -> None:
        """Let the worker end by itself, so that native threads are joined; kill it when it does not."""
        self._closed = True
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
        self._closed = True
        worker = self._worker
        if worker is not None and self._owner == os.getpid():
            worker.kill()

    @contextlib.contextmanager
    def _my_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._timeout_s + self._start_timeout_s):
            raise Unavailable("the examiner is busy with other files; try again")
        try:
            yield
        finally:
            self._turn.release()

    def _running(self) -> Worker:
        if self._closed:
            raise Unavailable("the examiner is closed")
        if self._owner != os.getpid():
            # The caller forked after the worker started: the pipe belongs to the parent.
            self._worker, self._owner = None, os.getpid()
        if self._worker is not None and not (self._worker.ready and self._worker.alive):
            self._worker.close()
            self._worker = None
        if self._worker is None:
            self._worker = worker = Worker(self._build, self._timeout_s, self._memory_bytes)
            worker.await_ready(self._start_timeout_s)
        return self._worker


class ConfinedExaminer:
    """``examine`` as ``authn.examine.Examiner`` has it, in a confined worker, with a picture if asked for."""

    def __init__(
        self,
        build: Callable[[], Examines],
        *,
        timeout_s: float,
        memory_bytes: int,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._confined: Confined[_Request, Examined] = Confined(
            partial(_open_examination, build),
            timeout_s=timeout_s,
            memory_bytes=memory_bytes,
            start_timeout_s=start_timeout_s,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        return self._confined.ready

    def warm(self) -> None:
        """As ``Confined.warm``."""
        self._confined.warm()

    def examine(self, media: Media, as_of: datetime | None = None, preview: bool = False) -> Examined:
        """Raises as ``Confined.ask``."""
        return self._confined.ask(_Request(media=media, as_of=as_of, preview=preview))

    def close(self) -> None:
        self._confined.close()


def open_warm(build: Callable[[], Examines]) -> Examines:
    """An examiner that has examined something already. Sources load their models at the first picture, and
    importing torch with CUDA takes 3 GiB of addresses and up to 19 s: that must not count against a file."""
    examiner = build()
    examiner.examine(media_of(PROBE, PROBE_NAME))
    return examiner


def _open_examination(build: Callable[[], Examines]) -> Callable[[_Request], Examined]:
    return partial(_examine, open_warm(build))


def _examine(examiner: Examines, request: _Request) -> Examined:
    report = examiner.examine(request.media, as_of=request.as_of)
    if not request.preview:
        return Examined(report=report, preview_jpeg=None)
    shown = illustrate(examiner, request.media, report)
    return Examined(report=report, preview_jpeg=shown.preview_jpeg, maps=shown.maps)
