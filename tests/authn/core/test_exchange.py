"""An exchange ends in time whatever the other side does: no answer, headers byte by byte, no handshake."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from authn.core.exchange import exchange
from tests.waiting import until

PATIENCE_S = 0.5


@contextmanager
def dripping(before: bytes) -> Iterator[int]:
    """A port that sends ``before``, then one byte every tenth of a second for two minutes."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(before)
                    for _ in range(1200):
                        if ended.wait(0.1):
                            break
                        connection.sendall(b"x")
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "before",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n",
     b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\n"],
    ids=["the status", "a header", "the content", "the content of an error"],
)  # fmt: skip
def test_byte_by_byte_costs_no_more_than_the_time_that_was_given(before: bytes) -> None:
    with dripping(before) as port:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            exchange(f"http://127.0.0.1:{port}/", None, timeout_s=PATIENCE_S, max_bytes=1000)
        assert time.monotonic() - began < PATIENCE_S + 60


def test_a_handshake_that_never_ends_is_left_too() -> None:
    with dripping(b"\x16\x03\x03\x40\x00") as port:  # a TLS record that promises 16 KiB
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            exchange(f"https://127.0.0.1:{port}/", b"", timeout_s=PATIENCE_S, max_bytes=1000)
        assert time.monotonic() - began < PATIENCE_S + 60


def test_many_exchanges_leave_no_threads() -> None:
    with dripping(b"HTTP/1.1 204 None\r\n\r\n") as port:
        before = threading.active_count()
        for _ in range(20):
            answer = exchange(f"http://127.0.0.1:{port}/", None, timeout_s=30, max_bytes=10)
            assert (answer.status, answer.content) == (204, b"")
        until(lambda: threading.active_count() <= before)
