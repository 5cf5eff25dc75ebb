"""A front in this process, without gunicorn: its loop in a thread, a real socket, real lanes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import wasyncore

from authn.web.front import Front
from authn.web.lanes import Lane, Limits
from tests.waiting import PATIENCE_S


@contextmanager
def fronted(app: WSGIApplication, limits: Limits) -> Iterator[str]:
    """Its address, as long as the block lasts."""
    listener = socket.create_server(("127.0.0.1", 0))
    lanes = {name: Lane(count) for name, count in limits.threads.items()}
    lanes["upload"] = Lane(limits.uploads_at_once, limits.uploads_waiting)
    channels: dict[int, Any] = {}
    front = Front(app, limits, listener, lanes, channels)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.02, use_poll=True, map=channels, count=1)
            front.look()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield f"http://127.0.0.1:{front.effective_port}"
    finally:
        stop.set()
        thread.join()
        for lane in lanes.values():
            lane.shutdown()
        for channel in tuple(front.active_channels.values()):
            channel.connected = False  # nobody is waited for, and buffers are closed too
            channel.handle_close()
        wasyncore.close_all(channels)
        front.trigger.close()


def exchange(url: str, *pieces: bytes, before_each: Callable[[], object] = lambda: None) -> bytes:
    """What comes back for these bytes until the other side closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        for piece in pieces:
            before_each()
            connection.sendall(piece)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer
