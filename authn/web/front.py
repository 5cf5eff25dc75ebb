"""What stands between sockets and views: a thread is given whole requests only (decision 0018).

gunicorn keeps the processes (``authn.web.processes``), waitress reads requests into memory in one loop, and
this module says how long and how large a request may be, which threads serve it, and what happens to those
that are neither. Whoever sends slowly, or nothing, costs a descriptor. A refusal goes through the
application, so that it looks like every other one (``authn.web.screening``).
"""

from __future__ import annotations

import contextlib
import functools
import io
import resource
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
)
from werkzeug.exceptions import NotImplemented as NotKnown

from authn.core.errors import AuthnError, Busy, MediaTooLarge
from authn.web.lanes import Held, Lane, Limits
from authn.web.screening import REFUSAL

TOO_MANY = "too many uploads at once; try again"

MAX_HEADER_BYTES = 32 * 1024
MAX_CONTROL_BYTES = 4096  # of one line between the chunks of a chunked body
FIRST_SECONDS = 10.0  # a request has this long, and longer the more of it came
MIN_BYTES_PER_SECOND = 1024
UPLOAD_BYTES_PER_SECOND = 64 * 1024  # 0.5 Mbit/s, an old line's: an upload that comes as fast is never late
IDLE_SECONDS = 75.0  # of a connection on which no request has begun
LINGER_SECONDS = 5.0
DRAIN_SECONDS = 1.0  # of a connection without a request, once the process is to end
LINGER_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 4096  # per process; then the one that has waited longest is given up
ACCEPTED_AT_ONCE = 64
SPARE_DESCRIPTORS = 256
TICK_SECONDS = 0.25
SMALL_BODIES_BYTES = 64 * 1024 * 1024  # of all requests together that are no uploads


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Knows at the end of a header how large the body may be."""

    upload = False
    error: Any = None
    completed: bool = False

    def __init__(self, limits: Limits, large: Adjustments, small: Adjustments) -> None:
        super().__init__(small)
        self.limits, self._large = limits, large
        self.begun = time.monotonic()
        self.bytes = 0

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.names_no_host:
            raise ParsingError("no Host, or two")
        self.upload = self.command == "POST" and self.path in self.limits.uploads
        if self.upload:
            self.adj = self._large

    def received(self, data: bytes) -> int:
        consumed = int(super().received(data))
        self.bytes += consumed
        control = getattr(self.body_rcv, "control_line", b""), getattr(self.body_rcv, "trailer", b"")
        if not self.completed and len(max(control, key=len)) > MAX_CONTROL_BYTES:
            self.error, self.completed = BadRequest("the body is not chunked as HTTP says"), True
        return consumed

    @property
    def names_no_host(self) -> bool:
        """RFC 9112, 3.2: a request of HTTP/1.1 has one Host. Two lines are joined by a comma here."""
        host = self.headers.get("HOST", "")
        return self.version == "1.1" and (not host or "," in host)

    @property
    def health(self) -> bool:
        return self.error is None and self.path in self.limits.health

    @property
    def late_at(self) -> float:
        """Slow is less than ``MIN_BYTES_PER_SECOND``; nobody has longer than the setting says, but an upload
        that is fast for its size: a film may need more than a minute on a phone's link."""
        allowed = FIRST_SECONDS + self.bytes / MIN_BYTES_PER_SECOND
        most = float(self.limits.request_seconds)
        if self.upload:
            most = max(most, self.bytes / UPLOAD_BYTES_PER_SECOND)
        return self.begun + min(allowed, most)


class Task(WSGITask):  # type: ignore[misc]
    """A request that names no host, as those of HTTP/1.0 may, is for the address it came to."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        if not environ.get("HTTP_HOST"):
            environ.pop("HTTP_HOST", None)
            with contextlib.suppress(OSError):  # nobody is there any more
                own = str(self.channel.socket.getsockname()[0])
                environ["SERVER_NAME"] = f"[{own}]" if ":" in own else own
        return environ


class Refused(Task):
    """Has the application say why a request was not taken in."""

    def execute(self) -> None:
        self.channel.lingers = True
        self.set_close_on_finish()
        super().execute()

    def get_environment(self) -> dict[str, Any]:
        blank = {"command": "GET", "path": "/", "query": "", "request_uri": "/", "url_scheme": "http"}
        for name, value in blank.items():  # a header that cannot be read leaves none of them
            if not hasattr(self.request, name):
                setattr(self.request, name, value)
        environ = super().get_environment()
        environ.pop("CONTENT_LENGTH", None)
        environ |= {REFUSAL: _exception(self.request), "wsgi.input": io.BytesIO()}
        return environ


def _exception(request: Parser) -> AuthnError | HTTPException:
    error = request.error
    if isinstance(error, AuthnError | HTTPException):
        return error
    code = getattr(error, "code", 0)
    if code == RequestEntityTooLarge.code:
        if request.upload:
            return MediaTooLarge(f"the upload has more than {request.limits.media_bytes} bytes")
        return RequestEntityTooLarge(f"the body has more than {request.limits.small_bytes} bytes")
    if code == RequestHeaderFieldsTooLarge.code:
        return RequestHeaderFieldsTooLarge(f"the header has more than {MAX_HEADER_BYTES} bytes")
    if code == NotKnown.code:
        return NotKnown("of transfer codings, chunked alone is known here")
    if request.names_no_host:
        return BadRequest("the request does not name one host, as HTTP/1.1 wants")
    return BadRequest("the request is not written as HTTP/1.1 says")


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. ``waiting_since``: since when no answer moved on it; ``lingers``: what is still being
    sent is read before it is closed, or the client would not see its answer."""

    task_class = Task
    error_task_class = Refused
    request: Any = None
    lingers: bool = False
    drained = 0
    draining_until: float | None = None

    def __init__(self, server: Front, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002
        self.parser_class = functools.partial(Parser, server.limits, server.large)
        self.waiting_since = time.monotonic()
        super().__init__(server, sock, addr, adj, map=map)

    def readable(self) -> bool:
        return self.draining_until is not None or bool(super().readable())

    def writable(self) -> bool:
        return self.draining_until is None and bool(super().writable())

    def handle_read(self) -> None:
        if self.draining_until is None:
            super().handle_read()
        elif not self._drained():
            self.handle_close()

    def received(self, data: bytes) -> bool:
        taken = bool(super().received(data))
        self._account()
        return taken

    def service(self) -> None:
        super().service()
        self.waiting_since = time.monotonic()
        self._account()

    def cut_off(self, why: AuthnError | HTTPException) -> None:
        """Answer a request before it has come in whole, and let the connection go."""
        with self.requests_lock:
            request, self.request = self.request, None
            if request is None or self.requests:
                return
            request.close()
            request.error, request.completed, request.body_rcv = why, True, None
            self.requests.append(request)
        self.server.add_task(self)

    def look(self, now: float) -> None:
        """Enforce the times; called now and then."""
        request = self.request
        if self.draining_until is not None:
            if now > self.draining_until:
                self.handle_close()
        elif self.requests or self.total_outbufs_len:
            if now - self.waiting_since > IDLE_SECONDS and not self.requests:
                self.handle_close()  # an answer that nobody fetches
        elif request is not None and not request.completed:
            if now > request.late_at:
                self.cut_off(RequestTimeout("the request took too long to arrive"))
        elif now - self.waiting_since > IDLE_SECONDS:
            self.handle_close()

    def handle_close(self) -> None:
        """At once, or a little later (``lingers``)."""
        if self.lingers and self.draining_until is None and self.connected:
            self.draining_until = time.monotonic() + LINGER_SECONDS
            self.will_close = self.close_when_flushed = False
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                return
        for request in (*self.requests, *filter(None, (self.request,))):
            request.close()
        self.server.held.set(id(self), 0)
        super().handle_close()

    def _drained(self) -> bool:
        try:
            received = len(self.recv(self.adj.recv_bytes))
        except OSError:
            return False
        self.drained += received
        return received > 0 and self.drained <= LINGER_BYTES

    def _account(self) -> None:
        with self.requests_lock:
            unfinished = self.request
            requests = (*self.requests, *filter(None, (unfinished,)))
        size = sum(r.body_bytes_received for r in requests if not r.error)
        fits = self.server.held.set(id(self), size, upload=any(r.upload for r in requests))
        if not fits and unfinished is not None:
            self.cut_off(Busy(TOO_MANY))

    def _flush_some(self, do_close: bool = True) -> bool:
        sent = bool(super()._flush_some(do_close=do_close))
        if sent:
            self.waiting_since = time.monotonic()
        return sent


class Front(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket with its connections."""

    channel_class = Channel
    accepting: bool
    _stopped_at = 0.0

    def __init__(
        self, application: Any, limits: Limits, sock: socket.socket, lanes: Mapping[str, Lane], channels: Any
    ) -> None:
        self.limits = limits
        self._lanes = lanes
        small = _adjustments(limits.small_bytes)
        self.large = _adjustments(limits.upload_bytes)
        self.held = Held(limits.uploads_at_once * limits.upload_bytes, SMALL_BODIES_BYTES)
        where = (sock.family, sock.type, sock.proto, sock.getsockname())
        super().__init__(
            application,
            channels,
            True,
            sock,
            dispatcher=lanes["act"],
            adj=small,
            bind_socket=False,
            sockinfo=where,
        )

    def add_task(self, channel: Channel) -> None:
        """By what is asked for: health, reading, acting, uploading. An upload that would wait too long is
        refused at once."""
        request = channel.requests[0]
        if not self.accepting:
            _last(request)
        if request.error is not None or not request.upload:
            reading = request.error is not None or request.command in ("GET", "HEAD")
            lane = "health" if request.health else "read" if reading else "act"
            self._lanes[lane].add(channel)
        elif not self._lanes["upload"].add(channel):
            request.error = Busy(TOO_MANY)
            self._lanes["read"].add(channel)

    def handle_accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                return
            if before >= most_connections():
                self._give_up_one()

    def maintenance(self, _now: float) -> None:
        """By waitress's own clock, which may be set back: ``look`` does it."""

    def look(self) -> None:
        now = time.monotonic()
        for channel in tuple(self.active_channels.values()):
            channel.look(now)

    def stop(self) -> bool:
        """Accept nothing more, answer what has begun to arrive as the last of its connection, and drop those
        on which nothing does; true when nobody is left.

        A client may be sending on a connection that it was left: for a moment it is still listened to.
        """
        now = time.monotonic()
        if self.accepting:
            self.handle_accept()  # who has connected already is ours
            self.accepting, self._stopped_at = False, now
            self.del_channel()
            self.socket.close()
            for channel in tuple(self.active_channels.values()):
                for request in tuple(channel.requests):
                    _last(request)
        for channel in tuple(self.active_channels.values()):
            waits = not channel.requests and not channel.total_outbufs_len and channel.request is None
            if waits and now - max(self._stopped_at, channel.waiting_since) > DRAIN_SECONDS:
                channel.connected = False
                channel.handle_close()
        return not self.active_channels

    def _give_up_one(self) -> None:
        waiting = [c for c in self.active_channels.values() if not c.requests and not c.total_outbufs_len]
        if waiting:
            oldest = min(waiting, key=lambda c: c.waiting_since)
            oldest.connected = False
            oldest.handle_close()


def _last(request: Parser) -> None:
    """The answer says that the connection ends with it."""
    request.headers["CONNECTION"] = "close"


def _adjustments(body_bytes: int) -> Adjustments:
    return Adjustments(
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=body_bytes + 1,  # waitress refuses what is as large
        inbuf_overflow=sys.maxsize,  # never to a disk: ``Held`` bounds the memory
        recv_bytes=32 * 1024,
        connection_limit=1 << 30,  # ``handle_accept`` has a better way
        ident=None,
        asyncore_use_poll=True,
    )


@functools.cache
def most_connections() -> int:
    """As many as the system allows, which is asked once; the limit is raised to what may be had."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_DESCRIPTORS
    allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    with contextlib.suppress(ValueError, OSError):
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    return max(allowed - SPARE_DESCRIPTORS, 16)
