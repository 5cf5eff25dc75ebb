"""What the service writes about itself: text for people, or one JSON object a line for programs.

A request is a line at the level info, with its route, never its address, query, file name or credentials: an
address may hold the secret id of a report. Its id stands in the answer too (``X-Request-ID``,
``request_id`` of a problem), so that whoever was refused can say which line is about it.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from datetime import UTC, datetime
from time import perf_counter

from flask import Flask, Response, g, has_request_context, request
from gunicorn.glogging import Logger

from authn.core.instants import instant
from authn.core.visible import visible

REQUEST_ID = "X-Request-ID"
ID_BYTES = 8
MAX_MESSAGE_CHARACTERS = 4000
# Of a record, what may become members of the object besides its message.
MEMBERS = ("request_id", "method", "route", "status", "duration_ms", "bytes", "by")

OWN = ("assay", "authn", "signer", "detector")

_requests = logging.getLogger("assay.requests")


class JsonFormatter(logging.Formatter):
    """One object a line; ASCII, so that no character can end the line or reach a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": instant(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_MESSAGE_CHARACTERS],
            "process": record.process,
        }
        said |= {name: vars(record)[name] for name in MEMBERS if name in vars(record)}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)


class TextFormatter(logging.Formatter):
    """A line for people; a traceback below it where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        members = " ".join(f"{name}={vars(record)[name]}" for name in MEMBERS if name in vars(record))
        line = visible(f"{record.levelname.lower()}: {record.getMessage()} {members}".rstrip(), 4000)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class GunicornLogger(Logger):  # type: ignore[misc]
    """Lets the lines of gunicorn go where all others go."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def configure(form: str, level: str) -> None:
    """Of this process and those that it forks. ``form``: text or json; ``level``: error, warning or info."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(_with_request_id)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    for own in OWN:  # what libraries say of themselves at the level info is nobody's business here
        logging.getLogger(own).setLevel(level.upper())


def register(app: Flask) -> None:
    """Give each request an id, and note it when it was answered. Before everything that may refuse it."""

    def begin() -> None:
        g.begun, g.request_id = perf_counter(), secrets.token_hex(ID_BYTES)

    def note(response: Response) -> Response:
        if "request_id" not in g:  # refused before anything could begin
            begin()
        response.headers[REQUEST_ID] = g.request_id
        if _requests.isEnabledFor(logging.INFO):
            principal = g.get("principal")
            _requests.info(
                "answered",
                extra={
                    "request_id": g.request_id,
                    "method": request.method if request.method.isalpha() else "?",
                    "route": request.endpoint or "none",
                    "status": response.status_code,
                    "duration_ms": round((perf_counter() - g.begun) * 1e3, 1),
                    "bytes": request.content_length or 0,
                    "by": "nobody" if principal is None else principal.kind.value,
                },
            )
        return response

    app.before_request(begin)
    app.after_request(note)


def _with_request_id(record: logging.LogRecord) -> bool:
    if has_request_context() and "request_id" in g:
        record.request_id = g.request_id
    return True
