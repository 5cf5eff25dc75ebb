"""A process that runs one function under limits of time and memory, and the caller's end of its pipe.

The process is spawned, never forked: a forked child would inherit C2PA contexts and torch's threads, which do
not survive a fork. What it sends back is read by an unpickler that knows report types only, so that a decoder
that was taken over cannot make the caller run code by its answer. This limits time, memory and the effect of
crashes; it is not a sandbox: the process can still open files.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pickle
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from authn.errors import AuthnError, ExaminationFailed, ExaminationTimedOut, Unavailable

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

EXIT_OUT_OF_MEMORY = 82
MAX_ANSWER_BYTES = 64 * 1024 * 1024
CLOSE_TIMEOUT_S = 5.0
ANSWER_MODULES = frozenset({"authn.errors", "authn.evidence", "authn.report.model", "authn.score_map"})
ANSWER_CLASSES = frozenset(
    {
        ("authn.confined", "Examined"),
        ("authn.worker", "Refused"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A typed error of the function, as a value: the worker that found it lives on."""

    error: AuthnError


class Worker:
    """The caller's end: one process, one pipe, one question at a time."""

    def __init__(self, build: Callable[[], Any], timeout_s: float, memory_bytes: int) -> None:
        """Start it; ``await_ready`` comes next. Raises ``Unavailable``."""
        self.ready = False
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, build, timeout_s, memory_bytes), name="assay-confined", daemon=True
        )
        # The tracker unblocks what it blocks when it starts, so it starts before.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        except OSError as e:
            raise Unavailable(f"no worker process can be started: {e.strerror}") from e
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()

    def await_ready(self, start_timeout_s: float) -> None:
        """Raises the ``AuthnError`` of the builder, or ``Unavailable``; then the worker is gone."""
        reply: object = None
        with self._deadline(start_timeout_s) as expired, contextlib.suppress(EOFError, OSError):
            reply = _loads(self._pipe.recv_bytes(MAX_ANSWER_BYTES))
        if reply is True:
            self.ready = True
            return
        self._bury()
        if isinstance(reply, Refused):
            raise reply.error
        if expired.is_set():
            raise Unavailable(f"the examiner was not ready after {start_timeout_s:g} s")
        raise Unavailable(f"the examiner could not be built: its process {self._epitaph()}")

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def ask(self, question: object, timeout_s: float) -> object:
        """The answer, unpickled by allow-list. Afterwards the worker is either idle or dead."""
        answer: bytes | None = None
        with self._deadline(timeout_s) as expired, contextlib.suppress(EOFError, OSError):
            self._pipe.send_bytes(pickle.dumps(question))
            answer = self._pipe.recv_bytes(MAX_ANSWER_BYTES)
        if answer is not None and not expired.is_set():
            try:
                return _loads(answer)
            except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError) as e:
                self.kill()
                self._bury()
                raise ExaminationFailed("the worker's answer is not a report") from e
        self._bury()
        if expired.is_set() or self._process.exitcode == -signal.SIGXCPU:
            raise ExaminationTimedOut(f"the examination took longer than {timeout_s:g} s and was stopped")
        raise ExaminationFailed(f"the examination ended without a result: its process {self._epitaph()}")

    @contextlib.contextmanager
    def _deadline(self, timeout_s: float) -> Iterator[threading.Event]:
        """Kill the worker when the block takes longer. A timer covers sending, waiting and receiving alike;
        polling the pipe would not notice a worker that stops in the middle of an answer."""
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.kill()

        timer = threading.Timer(timeout_s, expire)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()
            timer.join()

    def kill(self) -> None:
        with contextlib.suppress(ValueError, ProcessLookupError):  # closed or gone already
            self._process.kill()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._pipe.send_bytes(pickle.dumps(None))
        self._process.join(CLOSE_TIMEOUT_S)
        self._bury()

    def _bury(self) -> None:
        """Reap the process, so that none stays behind as a zombie."""
        # A worker that closed its pipe is about to exit; its own exit code says more than our SIGKILL.
        self._process.join(1.0)
        self.kill()
        self._process.join()
        self._pipe.close()

    def _epitaph(self) -> str:
        code = self._process.exitcode
        if code == EXIT_OUT_OF_MEMORY:
            return "needed more memory than it may have"
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"stopped with exit status {code}"


def _serve(
    pipe: Connection, build: Callable[[], Callable[[Any], Any]], timeout_s: float, memory: int
) -> None:
    """The worker's whole life. An error that is not ours ends it: the traceback goes to stderr, the caller
    gets ``ExaminationFailed``, and the next call gets a fresh worker."""
    # Ctrl-C reaches the whole terminal; the caller decides. Until here the signal was blocked by the caller.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One thread each: on two shared cores a second OpenMP thread made torch twenty times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _limit(resource.RLIMIT_CORE, 0)
    try:
        function = build()
    except AuthnError as e:
        pipe.send_bytes(pickle.dumps(Refused(error=e)))
        return
    _limit(resource.RLIMIT_AS, _address_space_bytes() + memory)
    pipe.send_bytes(pickle.dumps(True))
    with contextlib.suppress(EOFError):  # the caller is gone
        while (question := pickle.loads(pipe.recv_bytes())) is not None:  # noqa: S301 our own parent sent it
            _limit_cpu(timeout_s)
            pipe.send_bytes(_answer(function, question))
            del question


def _answer(function: Callable[[Any], Any], question: object) -> bytes:
    try:
        return pickle.dumps(function(question))
    except AuthnError as e:
        return pickle.dumps(Refused(error=e))
    except MemoryError:
        # After a failed allocation native libraries may hold half-built state: end, do not carry on.
        os._exit(EXIT_OUT_OF_MEMORY)


def _limit(which: int, soft: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _limit_cpu(timeout_s: float) -> None:
    """A backstop for a worker whose caller was killed: nobody is left to stop its endless loop."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cores = os.cpu_count() or 1
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + timeout_s * cores) + 2)


def _address_space_bytes() -> int:
    with open("/proc/self/statm", "rb") as f:  # noqa: PTH123 plain and early
        return int(f.read().split()[0]) * resource.getpagesize()


def _member(kind: object, name: object) -> Enum:
    """What Python 3.11.0 to 3.11.3 calls ``getattr`` for: the member of an enumeration by its name. Nothing
    else can be had through it."""
    if isinstance(kind, type) and issubclass(kind, Enum) and isinstance(name, str):
        member = kind.__members__.get(name)
        if member is not None:
            return member
    raise pickle.UnpicklingError("only members of enumerations are part of an answer")


class _AnswerUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _member
        if (module, name) not in ANSWER_CLASSES and module not in ANSWER_MODULES:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of an answer")
        found = getattr(import_module(module), name, None) if "." not in name else None
        if not isinstance(found, type) or found.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of an answer")
        return found


def _loads(answer: bytes) -> object:
    found: object = _AnswerUnpickler(io.BytesIO(answer)).load()
    return found
