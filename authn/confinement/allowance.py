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
_WATCHED = 4  # so many times in an allowance it is looked at whether the process computes
_LEAST_WATCHED_S = 0.5  # for less than that a busy machine lets anybody stand
_LOOKS = 10  # no more than so many to an allowance


class Allowance:
    """Of one question, from now on. ``seconds``: of processor time, of all threads of the process together;
    ``used`` gives what the process has used of it so far, in seconds, and raises ``OSError`` once it is gone.
    Never stops before ``seconds`` have gone by the clock too. The first look is due after ``first``."""

    def __init__(
        self, seconds: float, used: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._used = used
        self._clock = clock
        self._watched = max(seconds / _WATCHED, _LEAST_WATCHED_S)
        self.first = min(self._watched, seconds)
        self._begun = self._looked = clock()
        self._due = self._begun + self.first
        self._had = self._seen = self._told()
        self.why = ""

    def left(self) -> float | None:
        """In how many seconds somebody should look again; None where it is over, and ``why`` says why."""
        now, used = self._clock(), self._told()
        self._forgive(now - self._due)
        passed, computed = now - self._begun, (used or 0.0) - (self._had or 0.0)
        self.why = self._spent(now, used) if passed >= self._seconds else ""
        if self.why:
            return None
        if self._is_watched(now):
            self._looked, self._seen = now, used
        most = MOST_BY_THE_CLOCK * self._seconds - passed
        over = self._seconds - min(passed, computed)  # both have to be used up
        again = min(self._looked + self._watched - now, over, most)
        again = max(self._seconds / _LOOKS, again)
        self._due = now + again
        return again

    def _forgive(self, late: float) -> None:
        """Whoever looks that late was stopped itself, and the process most likely with it: a person's Ctrl-Z,
        a container that was paused. Nobody waited meanwhile."""
        if late > self._watched:
            self._begun += late
            self._looked += late

    def _spent(self, now: float, used: float | None) -> str:
        """What it took too long for; empty while it has time left."""
        if used is None or self._had is None or self._seen is None:
            return f"longer than {self._seconds:g} s"
        if used - self._had >= self._seconds:
            return f"longer than {self._seconds:g} s of processor time"
        if self._is_watched(now) and used - self._seen < _STILL * (now - self._looked):
            return f"longer than {self._seconds:g} s, and stood still"
        if now - self._begun >= MOST_BY_THE_CLOCK * self._seconds:
            return f"longer than {MOST_BY_THE_CLOCK * self._seconds:g} s by the clock"
        return ""

    def _is_watched(self, now: float) -> bool:
        """Whether the last look is long enough ago to tell standing still from waiting for a turn."""
        return now - self._looked >= 0.99 * self._watched

    def _told(self) -> float | None:
        try:
            return self._used()
        except OSError:
            return None
