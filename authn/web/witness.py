"""A witness over HTTP: an application of its own, because a witness is run by somebody else than the log."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from authn.core.errors import SystemLacking, Unavailable
from authn.core.visible import visible
from authn.tlog.witness.witness import MAX_BODY_BYTES, Answer, Witness
from authn.web.processes import Supervised
from authn.web.screening import raise_refusal

if TYPE_CHECKING:
    from authn.web.lanes import Limits

THREADS = {"health": 1, "read": 2, "act": 4}
TIMEOUT_S = 30
BACKLOG = 64


def create_witness_app(witness: Witness) -> Flask:
    """C2SP tlog-witness, and the checkpoint that was signed last."""
    app = Flask("authn.witness", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.before_request(raise_refusal)

    @app.post("/add-checkpoint")
    def add_checkpoint() -> Response:
        return _response(witness.add_checkpoint(request.get_data()))

    @app.get("/<origin_sha256>/checkpoint")
    def checkpoint(origin_sha256: str) -> Response:
        note = witness.checkpoint(origin_sha256)
        if note is None:
            return _response(Answer(status=404, body="this witness has signed nothing of that log\n"))
        return _response(Answer(status=200, body=note))

    @app.errorhandler(Unavailable)
    def unavailable(error: Unavailable) -> Response:
        return _response(Answer(status=503, body=f"{error.detail}\n"))

    return app


def serve_witness(open_witness: Callable[[], Witness], host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT; ends by ``SystemExit``. Raises ``Unavailable`` before a port is opened."""
    open_witness()
    try:
        listener = socket.create_server((host, port), backlog=BACKLOG)
    except OSError as e:
        raise SystemLacking(f"{host} port {port} cannot be listened on: {e.strerror}") from e
    _Server(open_witness, listener, f"http://{host}:{listener.getsockname()[1]}/").run()


class _Server(Supervised):
    def __init__(self, open_witness: Callable[[], Witness], listener: socket.socket, url: str) -> None:
        self._open_witness = open_witness
        self._url = url
        self._listener = listener
        super().__init__()

    def options(self) -> dict[str, object]:
        return {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": 1,
            "timeout": TIMEOUT_S,
            "proc_name": "assay-witness",
            "when_ready": self._when_ready,
        }

    @property
    def limits(self) -> Limits:
        from authn.web.lanes import Limits

        return Limits(small_bytes=MAX_BODY_BYTES, request_seconds=TIMEOUT_S, threads=THREADS)

    def opened(self) -> Flask:
        return create_witness_app(self._open_witness())

    def _when_ready(self, _arbiter: object) -> None:
        print(visible(f"The witness listens on {self._url}"), flush=True)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, content_type=answer.content_type)
