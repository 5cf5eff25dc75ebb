"""The caller's end of a confined process: one process, one pipe, one question at a time.

The process is spawned: a forked child would inherit C2PA contexts and torch's threads, which do not survive a
fork, and what its caller knows; one that was forked before there was any of that is taken (``ahead``). What
it sends is data of one known type, checked value by value: a decoder that was taken over can make its answer
wrong, and nothing else. What the process may do is in ``authn.confinement.inside``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import resource_tracker

from authn.confinement import ahead
from authn.confinement.allowance import Allowance
from authn.confinement.codec import NotOfSchema
from authn.confinement.deadlines import within
from authn.confinement.inside import EXIT_OUT_OF_MEMORY, DeviceAsked, DeviceFound, Plan, Ready, serve
from authn.confinement.sandbox.process import LIFETIME_CPU_S, allow_cpu, cpu_used_s
from authn.confinement.wire import ANSWER, ASK, DEVICE, END, READY, REFUSED, Message, Refusal, Wire, error_of
from authn.core.errors import AuthnError, ExaminationFailed, ExaminationTimedOut, SystemLacking
from authn.core.holds import Holds
from authn.devices import RegistryView

CLOSE_TIMEOUT_S = 5.0
MAX_LOOKUPS = 16  # of one question: a report needs two
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Worker:
    """``registry`` answers what the process asks about keys: it can open no database itself."""

    def __init__(self, plan: Plan, registry: RegistryView | None) -> None:
        """Start it; ``await_ready`` comes next. Raises ``Unavailable``."""
        self.ready = False
        self.holds: Holds = ()
        self._used_s = 0.0
        self._plan = plan
        self._registry = registry
        packed = pickle.dumps(plan)
        self._process, self._pipe = _started_ahead(packed) or _spawned(packed)
        self._wire = Wire(self._pipe)

    def await_ready(self, start_timeout_s: float) -> None:
        """Raises the ``AuthnError`` of the builder, or ``Unavailable``; then the worker is gone."""
        refusal: AuthnError | None = None
        with self._deadline(start_timeout_s) as expired, contextlib.suppress(EOFError, OSError, NotOfSchema):
            reply = self._served()
            if reply.kind == READY:
                self.holds = reply.read(Ready).holds
                self.ready = True
                return
            refusal = error_of(reply.read(Refusal))
        self._bury()
        if refusal is not None:
            raise refusal
        if expired.is_set():
            raise SystemLacking(f"the examiner was not ready after {start_timeout_s:g} s")
        raise SystemLacking(f"the examiner could not be built: its process {self._epitaph()}")

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def hung_up(self) -> bool:
        """Whether it can be asked nothing more though it lives: it gave its pipe up, or it speaks unasked,
        which would be taken for the next answer. Only between questions."""
        try:
            return self._pipe.poll()
        except (OSError, ValueError):
            return True

    @property
    def worn(self) -> bool:
        """Whether the CPU time that is left to it for its whole life may be too little for a question. As it
        was before the last one: that one cannot have used up the other half."""
        return self._used_s > LIFETIME_CPU_S / 2

    def ask(self, question: object, timeout_s: float) -> object:
        """The answer, of the planned type. Afterwards the worker is either idle or dead. Raises the
        ``AuthnError`` of the function, ``ExaminationTimedOut``, ``ExaminationFailed``."""
        answer: object = None
        refusal: AuthnError | None = None
        strange: NotOfSchema | None = None
        answered = False
        self._allow_cpu(timeout_s)
        allowance = Allowance(timeout_s, partial(cpu_used_s, self._process.pid or 0))
        with (
            self._deadline(allowance.first, allowance.left) as expired,
            contextlib.suppress(EOFError, OSError),
        ):
            self._wire.send(ASK, self._plan.question, question)
            try:
                answer, refusal = self._understood(self._served())
                answered = True
            except NotOfSchema as e:
                strange = e
                self.kill()
        if answered and not expired.is_set():
            if refusal is not None:
                raise refusal
            return answer
        self._bury()
        if expired.is_set() or self._process.exitcode == -signal.SIGXCPU:
            took = allowance.why or "longer than its processor time allows"
            raise ExaminationTimedOut(f"the examination took {took}, and was stopped")
        if strange is not None:
            raise ExaminationFailed("the worker's answer is not a report") from strange
        raise ExaminationFailed(f"the examination ended without a result: its process {self._epitaph()}")

    def _understood(self, message: Message) -> tuple[object, AuthnError | None]:
        """Answer or error. Raises ``NotOfSchema`` for what is neither."""
        if message.kind == REFUSED:
            return None, error_of(message.read(Refusal))
        if message.kind != ANSWER:
            raise NotOfSchema("not an answer")
        answer: object = message.read(self._plan.answer)
        return answer, None

    def _served(self) -> Message:
        """What the process says, when its questions about devices are answered."""
        for _ in range(MAX_LOOKUPS + 1):
            message = self._wire.receive()
            if message.kind != DEVICE:
                return message
            self._look_up(message.read(DeviceAsked))
        raise NotOfSchema("it asks about more devices than any report needs")

    def _look_up(self, asked: DeviceAsked) -> None:
        if self._registry is None or not _SHA256.fullmatch(asked.spki_sha256):
            raise NotOfSchema("not a question about a key")
        try:
            record = self._registry.device_by_key(asked.spki_sha256)
        except AuthnError as e:
            self._wire.refuse(e)
        else:
            self._wire.send(DEVICE, DeviceFound, DeviceFound(record=record))

    def _allow_cpu(self, timeout_s: float) -> None:
        with contextlib.suppress(OSError):  # the deadline holds all the same
            self._used_s = allow_cpu(self._process.pid or 0, timeout_s * (os.cpu_count() or 1))

    @contextlib.contextmanager
    def _deadline(
        self, seconds: float, left: Callable[[], float | None] = lambda: None
    ) -> Iterator[threading.Event]:
        """Kill the worker when the block takes longer, and ``left`` gives it no more seconds. A timer covers
        sending, waiting and receiving alike; polling the pipe would not notice a worker that stops in the
        middle of an answer."""
        expired = threading.Event()

        def expire() -> float | None:
            more = left()
            if more is None:
                expired.set()
                self.kill()
            return more

        with within(seconds, expire):
            yield expired

    def kill(self) -> None:
        with contextlib.suppress(ValueError, ProcessLookupError):  # closed or gone already
            self._process.kill()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._wire.send(END)
        self._await_end(CLOSE_TIMEOUT_S)
        self._bury()

    def _await_end(self, seconds: float) -> None:
        """For so long at most. ``Process.join`` knows no end here: it watches a descriptor that the process
        gave up with all others, takes that for its end, and then waits for as long as the process likes."""
        end, pause = time.monotonic() + seconds, 0.001
        while self._process.is_alive() and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, 0.05)

    def _bury(self) -> None:
        """Reap the process, so that none stays behind as a zombie."""
        # A worker that closed its pipe is about to exit; its own exit code says more than our SIGKILL.
        self._await_end(1.0)
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


def _started_ahead(packed: bytes) -> ahead.Started | None:
    """The process that waits for a plan, where there is one; it has got this one."""
    started = ahead.take()
    if started is None:
        return None
    process, pipe = started
    try:
        pipe.send_bytes(packed)
    except OSError:  # it ended meanwhile
        pipe.close()
        return None
    return process, pipe


def _spawned(packed: bytes) -> ahead.Started:
    """Raises ``Unavailable``."""
    context = multiprocessing.get_context("spawn")
    # The tracker unblocks what it blocks when it starts, so it starts before.
    try:
        resource_tracker.ensure_running()
        pipe, theirs = context.Pipe()
    except OSError as e:
        raise SystemLacking(f"no worker process can be started: {e.strerror}") from e
    process = context.Process(target=serve, args=(theirs, packed), name="assay-confined", daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    except OSError as e:
        pipe.close()
        raise SystemLacking(f"no worker process can be started: {e.strerror}") from e
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
    return process, pipe
