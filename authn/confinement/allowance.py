"""How long a question may take: so much processor time; by the clock only while its process computes.

A machine that does other things too makes every file slow, and none of them hostile. So a file is stopped
when it has had its time and has computed for as long, or stands still; and in the end by the clock, since
somebody waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_BY_THE_CLOCK = 5  # times its allowance: a process that gets a fifth of a core still has all of it
_STILL = 0.01  # of a core; less is no computing
_LOOKS = 10  # so many to an allowance, once it is over by the clock


class Allowance:
    """Of one question, from now on. ``seconds``: of processor time, of all threads of the process together;
    ``used`` gives what the process has used of it so far, in seconds, and raises ``OSError`` once it is gone.
    Never stops before ``seconds`` have gone by the clock too."""

    def __init__(
        self, seconds: float, used: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._used = used
        self._clock = clock
        self._begun = self._looked = clock()
        self._had = self._seen = self._told()
        self.why = ""

    def left(self) -> float | None:
        """In how many seconds somebody should look again; None where it is over, and ``why`` says why."""
        now, used = self._clock(), self._told()
        self.why = self._spent(now, used)
        if self.why:
            return None
        computed, passed = (used or 0.0) - (self._had or 0.0), now - self._begun
        self._looked, self._seen = now, used
        soonest = self._seconds / _LOOKS
        return max(soonest, min(self._seconds - computed, MOST_BY_THE_CLOCK * self._seconds - passed))

    def _spent(self, now: float, used: float | None) -> str:
        """What it took too long for; empty while it has time left."""
        if used is None or self._had is None or self._seen is None:
            return f"longer than {self._seconds:g} s"
        if used - self._had >= self._seconds:
            return f"longer than {self._seconds:g} s of processor time"
        if used - self._seen < _STILL * (now - self._looked):
            return f"longer than {self._seconds:g} s, and stood still"
        if now - self._begun >= MOST_BY_THE_CLOCK * self._seconds:
            return f"longer than {MOST_BY_THE_CLOCK * self._seconds:g} s by the clock"
        return ""

    def _told(self) -> float | None:
        try:
            return self._used()
        except OSError:
            return None
