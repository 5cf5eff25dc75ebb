"""Deadlines of many callers, kept by one thread: a timer for each question would be a thread for each."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class _Deadline:
    at: float
    number: int
    act: Callable[[], float | None] = field(compare=False)
    over: bool = field(default=False, compare=False)


class _Keeper:
    """The thread of one process; it starts with the first deadline, and sleeps until the next."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._changed = threading.Condition()
        self._line: list[_Deadline] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def add(self, seconds: float, act: Callable[[], float | None]) -> _Deadline:
        with self._changed:
            deadline = _Deadline(time.monotonic() + seconds, next(self._numbers), act)
            heapq.heappush(self._line, deadline)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="assay-deadlines", daemon=True)
                self._thread.start()
            elif self._line[0] is deadline:
                self._changed.notify()
        return deadline

    def drop(self, deadline: _Deadline) -> None:
        """Once this has returned, it neither acts nor is acting."""
        with self._changed:
            deadline.over = True
            while self._line and self._line[0].over:
                heapq.heappop(self._line)

    def _keep(self) -> None:
        with self._changed:
            while True:
                left = self._line[0].at - time.monotonic() if self._line else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                due = heapq.heappop(self._line)
                again = None if due.over else due.act()
                if again is not None:
                    due.at = time.monotonic() + again
                    heapq.heappush(self._line, due)


_keepers: list[_Keeper] = []
_making = threading.Lock()


@contextmanager
def within(seconds: float, act: Callable[[], float | None]) -> Iterator[None]:
    """Call ``act`` in another thread where the block takes longer; where it gives a number, again in so many
    seconds. It must be quick and must not raise: all deadlines wait for it."""
    keeper = _of_this_process()
    deadline = keeper.add(seconds, act)
    try:
        yield
    finally:
        keeper.drop(deadline)


def _of_this_process() -> _Keeper:
    """A thread does not survive a fork, and a lock may not either."""
    if not _keepers or _keepers[-1].pid != os.getpid():
        with _making:
            if not _keepers or _keepers[-1].pid != os.getpid():
                _keepers[:] = [_Keeper()]
    return _keepers[-1]
