"""gunicorn's processes: a master that holds the port, and forked workers that read it through fronts.

A stop may be asked for at any moment after the port opened and is always answered with exit code 0. gunicorn
ends a worker by an exception out of a signal handler; in the middle of an import or of a lock Python makes
another exception of it, and a worker that fails before it serves stops the service as one that cannot start.
So the handlers here raise nothing, and threads and processes of a worker begin after its start.
"""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError, HaltServer
from gunicorn.workers.base import Worker
from waitress import wasyncore

from authn.core.errors import AuthnError
from authn.core.visible import visible
from authn.web.front import TICK_SECONDS, Front, most_connections
from authn.web.lanes import Lane, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BOOT_PATIENCE_S = 30.0
STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class Supervised(BaseApplication):  # type: ignore[misc]
    """An application in gunicorn's processes; gunicorn's own files and variables are not read."""

    def options(self) -> Mapping[str, object]:
        """Settings of gunicorn, by name."""
        raise NotImplementedError

    @property
    def limits(self) -> Limits:
        raise NotImplementedError

    def opened(self) -> Callable[..., Any]:
        """Called in each worker after the fork; starts no thread and no process. Raises ``AuthnError``."""
        raise NotImplementedError

    def applications(self, wsgi: Any, sockets: int) -> list[Any]:
        """What each listening socket serves, in the order of ``bind``."""
        return [wsgi] * sockets

    def sample(self, lanes: Mapping[str, Lane], fronts: Sequence[Front]) -> None:
        """Called now and then in each worker that serves, beginning with its first moment."""

    def serves(self, worker: Any) -> bool:
        """Called in the master: whether a worker has come so far that another may go for it."""
        return True

    def begin(self) -> None:
        """Called in each worker that is about to serve: what it starts is ended by ``worker_exit``."""

    def load_config(self) -> None:
        fixed = {
            "worker_class": "authn.web.processes.FrontWorker",
            "preload_app": False,
            "control_socket_disable": True,
            "loglevel": "warning",
            "logger_class": "authn.web.logs.GunicornLogger",
        }
        for name, value in {**fixed, **self.options()}.items():
            if name in self.cfg.settings:  # the control socket is younger than the oldest gunicorn we allow
                self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        try:
            return self.opened()
        except AuthnError as e:
            raise AppImportError(visible(f"assay: {e.detail} [{e.code}]")) from e

    def run(self) -> None:
        """Ends by ``SystemExit``: 0 after a stop, as the command line has it where a worker cannot start."""
        try:
            _Master(self).run()
        finally:  # a second signal must not change the exit code of a process that is ending
            for number in STOPS:
                signal.signal(number, signal.SIG_IGN)


class _Master(Arbiter):  # type: ignore[misc]
    WORKER_BOOT_ERROR = 70  # a defect; gunicorn's own 3 would say something about a file
    APP_LOAD_ERROR = 4  # ``opened`` said why
    _stopping = False

    def spawn_worker(self) -> Any:
        """Signals wait until the worker has handlers: those that it inherits would only note them for us."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def manage_workers(self) -> None:
        """At a reload the old workers go when the new ones serve: until then nobody's request waits."""
        patience = time.monotonic() + BOOT_PATIENCE_S
        while len(self.WORKERS) > self.num_workers and not self._newest_serve():
            if time.monotonic() > patience or self.SIG_QUEUE.qsize():
                break
            self.reap_workers()
            time.sleep(TICK_SECONDS / 5)
        super().manage_workers()

    def _newest_serve(self) -> bool:
        newest = sorted(self.WORKERS.values(), key=lambda worker: worker.age)[-self.num_workers :]
        return all(self.app.serves(worker) for worker in newest)

    def stop(self, graceful: bool = True) -> None:
        self._stopping = True
        super().stop(graceful)

    def reap_workers(self) -> None:
        """Whoever could not start while everything stops has ended, and that is all."""
        try:
            super().reap_workers()
        except HaltServer:
            if not self._stopping:
                raise


class FrontWorker(Worker):  # type: ignore[misc]
    """A process that reads its connections through ``Front``. ``app.limits`` says how."""

    _waits_for_answers = True

    def init_signals(self) -> None:
        super().init_signals()
        for number in STOPS:
            signal.signal(number, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    def _stop(self, number: int, _frame: object) -> None:
        """SIGTERM lets answers finish."""
        if not self.booted:
            os._exit(0)  # it serves nobody, has started nothing, and whatever it writes survives a kill
        self.alive = False
        self._waits_for_answers = self._waits_for_answers and number == signal.SIGTERM

    def run(self) -> None:
        limits: Limits = self.app.limits
        most_connections()
        if self.alive:
            self.app.begin()
        lanes = {name: Lane(count) for name, count in limits.threads.items()}
        lanes["upload"] = Lane(limits.uploads_at_once, limits.uploads_waiting)
        channels: dict[int, Any] = {}
        served = zip(self.app.applications(self.wsgi, len(self.sockets)), self.sockets, strict=True)
        fronts = [Front(wsgi, limits, s.sock, lanes, channels) for wsgi, s in served]
        self._sample: Callable[[], None] = partial(self.app.sample, lanes, fronts)
        self._until(channels, fronts, lambda: not self.alive or os.getppid() != self.ppid)
        end = time.monotonic() + float(self.cfg.graceful_timeout)
        self._until(
            channels,
            fronts,
            lambda: not self._waits_for_answers or _stopped(fronts) or time.monotonic() > end,
        )

    def _until(self, channels: dict[int, Any], fronts: list[Front], done: Callable[[], bool]) -> None:
        looked = 0.0
        while not done():
            self.notify()
            wasyncore.loop(timeout=TICK_SECONDS, use_poll=True, map=channels, count=1)
            if time.monotonic() - looked > TICK_SECONDS:
                looked = time.monotonic()
                for front in fronts:
                    front.look()
                self._sample()


def _stopped(fronts: list[Front]) -> bool:
    return min(tuple(front.stop() for front in fronts), default=True)  # each is told
