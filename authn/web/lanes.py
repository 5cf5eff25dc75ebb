"""What a front may take in, which threads serve it, and how much of it lies in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from waitress.task import ThreadedTaskDispatcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one service. ``uploads`` are the addresses that take media, by POST; everything else is small.
    ``media_bytes`` of a file, and ``upload_bytes`` of the whole body that brings it."""

    uploads: frozenset[str] = frozenset()
    media_bytes: int = 0
    upload_bytes: int = 0
    small_bytes: int = 0
    request_seconds: float = 60.0
    uploads_at_once: int = 1
    uploads_waiting: int = 0
    health: frozenset[str] = frozenset()
    threads: Mapping[str, int]


class Lane(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Threads for one kind of request. ``longest`` is how many may wait for one; None: any number."""

    def __init__(self, threads: int, longest: int | None = None) -> None:
        super().__init__()
        self._longest = longest
        self.set_thread_count(threads)

    def add(self, channel: Any) -> bool:
        """False when too many wait already."""
        with self.lock:
            idle = len(self.threads) - self.stop_count - self.active_count
            if self._longest is not None and len(self.queue) - max(idle, 0) >= self._longest:
                return False
            self.queue.append(channel)
            self.queue_cv.notify()
        return True


class Held:
    """How many bytes of bodies lie in memory. Uploads leave room for what is small."""

    def __init__(self, uploads: int, small: int) -> None:
        self._most = {True: uploads, False: uploads + small}
        self._lock = Lock()
        self._of: dict[int, int] = {}
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """How much lies there now."""
        return self._bytes

    def set(self, holder: int, size: int, *, upload: bool = False) -> bool:
        """False when there is no room for it; then it is not counted."""
        with self._lock:
            before = self._of.pop(holder, 0)
            self._bytes -= before
            if size > before and self._bytes + size > self._most[upload]:
                return False
            if size:
                self._of[holder] = size
                self._bytes += size
            return True
