"""Native calls that call back into Python, out of reach of Ctrl-C.

The C2PA engine reads and writes its streams through Python callbacks. An exception that a signal handler
raises inside one of them is dropped on the floor there, and the engine goes on with a short read: measured,
12 of 150 interrupted signings returned damaged files as if all was well. Signal handlers run in the main
thread only, so the call runs in another one.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")


def uninterrupted(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises. An interrupt is raised after it has ended, and its result is lost."""
    if threading.current_thread() is not threading.main_thread() or not _may_be_interrupted():
        return work()
    future = _apart(os.getpid()).submit(work)
    try:
        return future.result()
    finally:
        wait((future,))


def _may_be_interrupted() -> bool:
    """Whether a signal has a handler in Python. A process that is held has none."""
    return any(callable(signal.getsignal(number)) for number in range(1, signal.NSIG))


@lru_cache(maxsize=1)
def _apart(pid: int) -> ThreadPoolExecutor:
    """One thread per process, kept: a new one each time costs a third of a small signature."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="native")
