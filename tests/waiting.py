"""Waiting for what happens, however slow the machine is: a test says for what it waits, not for how long."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 240.0  # for what comes in a moment: less than a test may take, more than any machine is slow


def until(
    holds: Callable[[], object],
    what: Callable[[], object] | str = "it did not happen",
    *,
    pause_s: float = 0.02,
) -> None:
    """Returns when it holds; fails with ``what`` where it never does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(pause_s)
