"""The caller's end: a function in a process of its own, so that no file can take the caller down with it.

Decides who may ask when, and that a process which broke a limit or died is replaced, so that the next call
works. One process and its pipe: ``worker``; what happens on the other side: ``inside``.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from authn.confinement.inside import Plan
from authn.confinement.worker import CLOSE_TIMEOUT_S, Worker
from authn.core.errors import Busy
from authn.core.holds import Holds
from authn.devices import RegistryView

START_TIMEOUT_S = 180.0  # the first import of torch on a cold disk took 19 s; a small board is slower

Q = TypeVar("Q")
A = TypeVar("A")


class Confined(Generic[Q, A]):
    """One function in one worker process. Thread-safe: callers take turns. Starts at the first call.

    ``build`` runs once per worker, inside it, and must be picklable; it gets a ``RegistryView`` where a
    ``registry`` is given, which stays here. ``warm`` gets the function once no file can be opened any more
    but the program's own and ``readable``. ``timeout_s`` is processor time (``allowance``). ``memory_bytes``
    counts what a call may add to the address space that the worker had then. Questions and answers are
    dataclasses or plain values of these types.
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

    def __exit__(self, *_error: object) -> None:
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

    def _forget(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

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
        if self._worker is not None and self._worker.hung_up:
            self._worker.kill()  # nobody can tell it to end
            self._forget()
        elif self._worker is not None and (
            not self._worker.alive or not self._worker.ready or self._worker.worn
        ):
            self._forget()
        if self._worker is None:
            self._worker = worker = Worker(self._plan, self._registry)
            if self._closed.is_set():  # ``close`` saw none yet
                worker.kill()
            worker.await_ready(self._start_timeout_s)
            self.holds = worker.holds
        return self._worker
