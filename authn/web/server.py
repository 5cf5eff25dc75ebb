"""The service in gunicorn's processes: workers are forked first and open their services afterwards. How they
begin, read and end is ``authn.web.processes``'s, and what they take in ``authn.web.front``'s.

C2PA contexts, threads and confined processes do not survive a fork, so nothing of the kind exists in the
parent. What can fail is tried in the parent before a port opens, so that it fails with one sentence.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask

from authn.core.config import Settings
from authn.core.errors import AuthnError, SystemLacking
from authn.core.views import NAMES
from authn.core.visible import visible
from authn.service.services import Services
from authn.service.wiring import check_services, open_services
from authn.web.board import Board
from authn.web.logs import configure
from authn.web.metrics import families
from authn.web.processes import Supervised

if TYPE_CHECKING:
    from authn.web.front import Front
    from authn.web.lanes import Lane, Limits

MAX_PATH_CHARACTERS = 4000
GRACE_S = 20
MOST_WORKERS = 130  # 64, as many again that take their places, and two more
INHERITED = frozenset({"GUNICORN_FD", "LISTEN_FDS"})  # a port that is open already: nothing to try
# Of each worker. Who reads, and whoever asks how it is, wait neither for uploads nor for writers.
THREADS = {"health": 1, "read": 6, "act": 6}
# An upload lies in memory until it was examined, so only a few at once, and a few more in line.
UPLOADS_AT_ONCE = 3
UPLOADS_WAITING = 12
UPLOADS = frozenset(
    {
        "/v1/verifications",
        "/v1/comparisons",
        "/v1/batches",
        "/v1/captures",
        "/v1/matches/byContent",
        "/reports",
        "/views",
        *(f"/v1/views/{name}" for name in NAMES),
        "/comparisons",
        "/bundles",
    }
)
HEALTH = frozenset({"/healthz", "/readyz"})

Application = Callable[..., Any]  # of WSGI
Beside = Callable[[Flask, Services], Application]

_log = logging.getLogger(__name__)


def serve(
    settings: Settings, again: Callable[[], Settings] | None = None, beside: Beside | None = None
) -> None:
    """Run until SIGTERM or SIGINT; ends by ``SystemExit(0)``. ``beside`` puts something beside the service.
    SIGHUP asks for the settings ``again`` and replaces the workers, SIGUSR2 the whole program.

    Raises ``Unavailable`` and ``SettingsError`` before a port is opened.
    """
    if not INHERITED & os.environ.keys():
        _check_port(settings.host, settings.port)  # first: the other makes what a first start makes
        if settings.metrics_bind:
            _check_port(*_metrics_address(settings))
    configure(settings.log_format, settings.log_level)
    check_services(settings)
    _Server(settings, again or (lambda: settings), beside).run()


def _metrics_address(settings: Settings) -> tuple[str, int]:
    host, _, port = settings.metrics_bind.rpartition(":")
    return host.strip("[]"), int(port)


def _check_port(host: str, port: int) -> None:
    """gunicorn would retry for five seconds and then end without saying much."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as e:
        raise SystemLacking(f"{host} port {port} cannot be listened on: {e.strerror}") from e


class _Server(Supervised):
    """The settings as gunicorn's, and its hooks."""

    def __init__(
        self, settings: Settings, again: Callable[[], Settings], beside: Beside | None = None
    ) -> None:
        self._settings, self._again, self._beside = settings, again, beside
        self._services: Services | None = None
        self._board = Board(families(), MOST_WORKERS)
        super().__init__()

    def reload(self) -> None:
        """With new settings where they hold; else the old ones stay, and a line says why."""
        try:
            settings = self._again()
            check_services(settings)
        except AuthnError as e:
            _log.error("the settings stay as they were: %s [%s]", e.detail, e.code)
        else:
            self._settings = settings
            configure(settings.log_format, settings.log_level)
        super().reload()

    def options(self) -> dict[str, object]:
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return {
            "bind": [f"{host}:{settings.port}", *filter(None, (settings.metrics_bind,))],
            "workers": settings.workers,
            "timeout": settings.max_request_seconds + GRACE_S,
            "graceful_timeout": GRACE_S,
            "proc_name": "assay",
            "when_ready": self._when_ready,
            "pre_fork": self._pre_fork,
            "post_fork": self._post_fork,
            "child_exit": self._child_exit,
            "worker_exit": self._worker_exit,
        }

    @property
    def limits(self) -> Limits:
        from authn.web.enrolment import MAX_BODY_BYTES
        from authn.web.lanes import Limits
        from authn.web.uploads import MULTIPART_OVERHEAD_BYTES

        return Limits(
            uploads=UPLOADS,
            media_bytes=self._settings.max_media_bytes,
            upload_bytes=self._settings.max_media_bytes + MULTIPART_OVERHEAD_BYTES,
            small_bytes=MAX_BODY_BYTES,
            request_seconds=self._settings.max_request_seconds,
            uploads_at_once=UPLOADS_AT_ONCE,
            uploads_waiting=UPLOADS_WAITING,
            health=HEALTH,
            threads=THREADS,
        )

    def opened(self) -> Application:
        from authn.web import create_app

        self._services = open_services(self._settings)
        app = create_app(self._services, self._board)
        return app if self._beside is None else self._beside(app, self._services)

    def applications(self, wsgi: Any, sockets: int) -> list[Any]:
        from authn.web.metrics import alone

        if self._services is None:
            return super().applications(wsgi, sockets)
        return [wsgi, *[alone(self._services, self._board)] * (sockets - 1)]

    def sample(self, lanes: Mapping[str, Lane], fronts: Sequence[Front]) -> None:
        from authn.web.metrics import sample_process

        if self._services is not None:
            connections = sum(len(front.active_channels) for front in fronts)
            held = sum(front.held.bytes for front in fronts)
            sample_process(self._board, self._services, lanes, connections, held)

    def serves(self, worker: Any) -> bool:
        return self._board.read(worker.row, "assay_workers") > 0

    def begin(self) -> None:
        if self._services is not None:
            self._services.begin()

    def _when_ready(self, arbiter: Any) -> None:
        for place, listener in enumerate(arbiter.LISTENERS):
            host, port = listener.sock.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            what = f"http://{shown}:{port}/metrics, and nothing else" if place else f"http://{shown}:{port}/"
            print(visible(f"Assay listens on {what}"), flush=True)
        if self._settings.enrolment_token:
            where = self._settings.origin("enrolment_token")
        else:
            where = str(self._settings.home / "enrolment-token")
        print(visible(f"The enrolment token: {where}", MAX_PATH_CHARACTERS), flush=True)
        print("Stop it with Ctrl-C.", file=sys.stderr, flush=True)

    def _pre_fork(self, arbiter: Any, worker: Any) -> None:
        taken = {other.row for other in arbiter.WORKERS.values()}
        worker.row = next(row for row in range(MOST_WORKERS) if row not in taken)

    def _post_fork(self, _arbiter: Any, worker: Any) -> None:
        self._board.take(worker.row)

    def _child_exit(self, _arbiter: Any, worker: Any) -> None:
        self._board.vacate(worker.row)

    def _worker_exit(self, _arbiter: Any, _worker: Any) -> None:
        if self._services is not None:
            self._services.close()
