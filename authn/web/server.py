"""The service in gunicorn's processes: workers are forked first and open their services afterwards. How they
begin, read and end is ``authn.web.processes``'s, and what they take in ``authn.web.front``'s.

C2PA contexts, threads and confined processes do not survive a fork, so nothing of the kind exists in the
parent. What can fail is tried in the parent before a port opens, so that it fails with one sentence.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask

from authn.core.config import Settings
from authn.core.errors import SystemLacking
from authn.core.visible import visible
from authn.service.services import Services
from authn.service.wiring import check_services, open_services
from authn.web.processes import Supervised

if TYPE_CHECKING:
    from authn.web.lanes import Limits

MAX_PATH_CHARACTERS = 4000
GRACE_S = 20
# Of each worker. Who reads, and whoever asks how it is, wait neither for uploads nor for writers.
THREADS = {"health": 1, "read": 6, "act": 6}
# An upload lies in memory until it was examined, so only a few at once, and a few more in line.
UPLOADS_AT_ONCE = 3
UPLOADS_WAITING = 12
UPLOADS = frozenset({"/v1/verifications", "/v1/batches", "/v1/captures", "/v1/matches/byContent", "/reports"})
HEALTH = frozenset({"/healthz", "/readyz"})

Application = Callable[..., Any]  # of WSGI
Beside = Callable[[Flask, Services], Application]


def serve(settings: Settings, beside: Beside | None = None) -> None:
    """Run until SIGTERM or SIGINT; ends by ``SystemExit(0)``. ``beside`` puts something beside the service.

    Raises ``Unavailable`` and ``SettingsError`` before a port is opened.
    """
    _check_port(settings)  # first, because the other makes what a first start makes
    check_services(settings)
    _Server(settings, beside).run()


def _check_port(settings: Settings) -> None:
    """gunicorn would retry for five seconds and then end without saying much."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as e:
        raise SystemLacking(
            f"{settings.host} port {settings.port} cannot be listened on: {e.strerror}"
        ) from e


class _Server(Supervised):
    """The settings as gunicorn's, and its hooks."""

    def __init__(self, settings: Settings, beside: Beside | None = None) -> None:
        self._settings = settings
        self._beside = beside
        self._services: Services | None = None
        super().__init__()

    def options(self) -> dict[str, object]:
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "timeout": settings.max_request_seconds + GRACE_S,
            "graceful_timeout": GRACE_S,
            "proc_name": "assay",
            "when_ready": self._when_ready,
            "worker_exit": self._worker_exit,
        }

    @property
    def limits(self) -> Limits:
        from authn.web.enrolment import MAX_BODY_BYTES
        from authn.web.lanes import Limits
        from authn.web.uploads import MULTIPART_OVERHEAD_BYTES

        return Limits(
            uploads=UPLOADS,
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
        app = create_app(self._services)
        return app if self._beside is None else self._beside(app, self._services)

    def begin(self) -> None:
        if self._services is not None:
            self._services.begin()

    def _when_ready(self, arbiter: Any) -> None:
        for listener in arbiter.LISTENERS:
            host, port = listener.sock.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(visible(f"Assay listens on http://{shown}:{port}/"), flush=True)
        if self._settings.enrolment_token:
            where = self._settings.origin("enrolment_token")
        else:
            where = str(self._settings.home / "enrolment-token")
        print(visible(f"The enrolment token: {where}", MAX_PATH_CHARACTERS), flush=True)
        print("Stop it with Ctrl-C.", file=sys.stderr, flush=True)

    def _worker_exit(self, _arbiter: Any, _worker: Any) -> None:
        if self._services is not None:
            self._services.close()
