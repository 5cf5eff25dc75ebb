"""Whether this machine's clock may be believed: as the kernel sees it, and as this process has seen it go."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from authn.core.errors import ClockUnfit

TOLERANCE = timedelta(seconds=1)  # as much as a time-stamp's own accuracy

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
# struct timex is 208 bytes on 64-bit Linux; the kernel fills it, so it gets more room than it needs.
_TIMEX_WORDS = 64
_STATUS_WORD = 5  # modes, offset, freq, maxerror, esterror, status


def kernel_clock_is_synchronised() -> bool:
    """``adjtimex(2)`` in read mode. False also where the kernel cannot be asked: unknown is not good."""
    adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    if adjtimex is None:
        return False
    words = (ctypes.c_long * _TIMEX_WORDS)()
    state = adjtimex(ctypes.byref(words))
    return 0 <= state < _TIME_ERROR and not words[_STATUS_WORD] & _STA_UNSYNC


def assumed_synchronised() -> bool:
    """What holds when ``require_clock_sync`` is off: the operator vouches for the clock."""
    return True


class SteadyClock:
    """A clock for time-stamps, which refuses to have gone back. Safe to be shared by threads.

    A clock that steps back was wrong before or is wrong now, and only a person can tell which. It is right
    again when it has caught up; a new process knows nothing of it.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._lock = Lock()

    def __call__(self) -> datetime:
        """Raises ``Unavailable``."""
        with self._lock:
            now = self._clock()
            latest = self._latest or now
            if latest - now > TOLERANCE:
                raise ClockUnfit(f"the clock went back, from {latest:%FT%TZ} to {now:%FT%TZ}")
            self._latest = max(now, latest)
        return now

    def why_not(self) -> str | None:
        """The sentence for whoever asks whether all is well; None while it is."""
        try:
            self()
        except ClockUnfit as e:
            return f"{e.detail}; nothing is time-stamped until it was checked"
        return None
