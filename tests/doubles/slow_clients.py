"""Clients that a service must survive: they send a byte now and then, half a header, or nothing at all."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

EVERY_S = 0.5


def head(method: str, path: str, *fields: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def dripping_body(method: str, path: str, kind: str, size: int = 3000) -> bytes:
    return head(method, path, f"Content-Type: {kind}", f"Content-Length: {size}")


def dripping_chunks(path: str, kind: str) -> bytes:
    return head("POST", path, f"Content-Type: {kind}", "Transfer-Encoding: chunked") + b"fff\r\n"


HALF_A_HEADER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: "


@contextmanager
def besieged(url: str, begins: Sequence[bytes], *, renew: bool = True) -> Iterator[None]:
    """One connection for each of ``begins``, which then drips; with ``renew`` one that is cut off comes
    again."""
    stop = threading.Event()
    siege = _Siege(url, begins, renew)
    siege.open()
    thread = threading.Thread(target=siege.drip, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        siege.close()


class _Siege:
    def __init__(self, url: str, begins: Sequence[bytes], renew: bool) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._begins, self._renew = begins, renew
        self._sockets: dict[socket.socket, bytes] = {}

    def open(self) -> None:
        for begin in self._begins:
            self._connect(begin)

    def drip(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            for connection, begin in tuple(self._sockets.items()):
                if self._ended(connection):
                    connection.close()
                    del self._sockets[connection]
                    if self._renew:
                        self._connect(begin)
                elif begin:
                    with contextlib.suppress(OSError):
                        connection.send(b"0")

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()

    def _connect(self, begin: bytes) -> None:
        connection = socket.create_connection(self._address, timeout=20)
        connection.setblocking(False)
        if begin:
            connection.send(begin)
        self._sockets[connection] = begin

    def _ended(self, connection: socket.socket) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            if not selector.select(0):
                return False
        try:
            return not connection.recv(65536)
        except OSError:
            return True


def answers_in(url: str, tries: int = 5, pause_s: float = 0.2, timeout_s: float = 60) -> list[float]:
    """How long each of some requests took, in seconds."""
    took = []
    for _ in range(tries):
        start = time.monotonic()
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            assert answer.status == 200
            answer.read()
        took.append(time.monotonic() - start)
        time.sleep(pause_s)
    return took
