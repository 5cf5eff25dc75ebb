"""Native calls that call back into Python, out of reach of Ctrl-C.

The C2PA engine reads and writes its streams through Python callbacks. An exception that a signal handler
raises inside one of them is dropped on the floor there, and the engine goes on with a short read: measured,
12 of 150 interrupted signings returned damaged files as if all was well. Handlers of signals run in the main
thread only; while such a call runs there, they wait. (Moving the call to another thread costs more than twice
as much for a large photo: what other threads allocate, the C library gives back to the kernel at once.)
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")
# Those that programs handle; asking about all sixty would cost more than the rest.
_HANDLED = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGALRM, signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP, signal.SIGWINCH, signal.SIGPIPE),
)
_Handler = Callable[[int, FrameType | None], object]


def uninterrupted(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises. An interrupt is raised after it has ended, and its result is lost."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    with _signals_wait():
        return work()


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Every signal that has a handler in Python is noted, and handled at the end, in the order of arrival."""
    came: list[int] = []
    waits = [True]

    def noting(handler: _Handler) -> _Handler:
        def handle(number: int, frame: FrameType | None) -> None:
            """A handler that raises while the others are put back leaves these in their places."""
            if waits:
                came.append(number)
            else:
                handler(number, frame)

        return handle

    found = {number: signal.getsignal(number) for number in _HANDLED}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    try:
        for number, handler in handlers.items():
            signal.signal(number, noting(handler))
        yield
    finally:
        waits.clear()
        try:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        finally:
            for arrived in came:
                signal.raise_signal(arrived)
