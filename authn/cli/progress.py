"""Progress of long work on stderr, results alone on stdout."""

from __future__ import annotations

import sys
from types import TracebackType

from authn.cli.out import is_terminal, redraw, say

_WIDTH = 30


class Progress:
    """One line per stage; a bar where stderr is a terminal, else a line at the end of each stage. What has
    one part only is a message. As a context manager it ends a bar that an interruption left open."""

    def __init__(self) -> None:
        self._terminal = is_terminal(sys.stderr)
        self._open = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        if total == 1:
            if done:
                self._end()
                say(what, err=True)
        elif self._terminal:
            filled = round(_WIDTH * done / max(1, total))
            line = f"{what:40} [{'#' * filled:{_WIDTH}}] {done}/{total}"
            redraw(f"{line:{self._open}}", last=done >= total)
            self._open = 0 if done >= total else len(line)
        elif done >= total:
            say(f"{what}: done" if total == 1000 else f"{what}: {total} done", err=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._open:
            say(err=True)
            self._open = 0
