"""One HTTP exchange with somebody else's machine, within a time and a size, following no redirect."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Any

CHUNK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """Whatever the status."""

    status: int
    content_type: str
    content: bytes


def exchange(url: str, body: bytes | None, *, timeout_s: float, max_bytes: int) -> HttpAnswer:
    """POST ``body``, or GET where it is None. ``timeout_s`` is for all of it but the look-up of a name.

    Raises ``OSError``, also for what is no address, ``TimeoutError`` among them, and ``HTTPException``.
    """
    with Deadline(timeout_s) as deadline:
        try:
            answer = _exchange(url, body, deadline, timeout_s, max_bytes)
        except (ValueError, OverflowError) as e:  # a name that DNS cannot have, a port beyond the last
            raise OSError("this is no address") from e
        except (OSError, http.client.HTTPException) as e:
            if deadline.passed:
                raise TimeoutError("the answer took too long") from e
            raise
        if deadline.passed:  # what looks like the end of an answer may be the end of our patience
            raise TimeoutError("the answer took too long")
    return answer


def _exchange(
    url: str, body: bytes | None, deadline: Deadline, timeout_s: float, max_bytes: int
) -> HttpAnswer:
    headers = {} if body is None else {"Content-Type": "text/plain"}
    request = urllib.request.Request(  # noqa: S310 - the opener knows http and https alone
        url, data=body, method="GET" if body is None else "POST", headers=headers
    )
    try:
        with _opener(deadline).open(request, timeout=timeout_s) as response:
            return _read(response, max_bytes)
    except urllib.error.HTTPError as e:
        with e:
            return _read(e, max_bytes)


def _read(response: Any, max_bytes: int) -> HttpAnswer:
    content = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        content += chunk
        if len(content) > max_bytes:
            raise OSError("the answer is too long")
    return HttpAnswer(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        content=bytes(content),
    )


class Deadline:
    """Ends connections when time is up, whatever they wait for: a timeout of a socket begins anew with every
    byte, so that a peer who sends one now and then could hold us for hours."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._timer = Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._sockets:
                watched.close()
            self._sockets.clear()

    def watch(self, connected: socket.socket) -> None:
        """A second descriptor of the same connection, which TLS does not take over."""
        with self._lock:
            self._sockets.append(connected.dup())
        if self.passed:
            self._end()

    def connecting(self, kind: type[_Connection]) -> Callable[..., http.client.HTTPConnection]:
        """What makes a connection of that kind, watched."""

        def made(host: str, /, **options: Any) -> http.client.HTTPConnection:
            connection = kind(host, **options)
            connection.deadline = self
            return connection

        return made

    def _end(self) -> None:
        self.passed = True
        with self._lock:
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    deadline: Deadline

    def connect(self) -> None:
        super().connect()
        self.deadline.watch(self.sock)


class _TlsConnection(http.client.HTTPSConnection, _Connection):
    """HTTPSConnection connects by the class after it, then begins TLS."""


def _opener(deadline: Deadline) -> urllib.request.OpenerDirector:
    """Without handlers for files, and without one for redirects that follows them."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Http(deadline),
        _Https(deadline),
        urllib.request.HTTPDefaultErrorHandler(),
        _NoRedirect(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._deadline.connecting(_Connection), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        connection = self._deadline.connecting(_TlsConnection)
        return self.do_open(connection, req, context=ssl.create_default_context())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None
