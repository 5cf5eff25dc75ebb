"""Ctrl-C at every line in turn, so that it does not depend on luck which of them it meets."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from dis import opmap
from types import FrameType

NOTHING = opmap["NOP"]


def interrupted_at(line: int, act: Callable[[], object], *within: str) -> bool:
    """Ctrl-C at the line of this number, counted through ``within``: endings of the names of modules, or of
    functions there (``restoring.py:_move``). False: it has fewer, and ``act`` was done. A line that does
    nothing, as ``try`` does, is not counted: no signal is ever answered there."""
    seen = 0

    def counts(frame: FrameType) -> bool:
        code = frame.f_code
        return code.co_filename.endswith(within) or f"{code.co_filename}:{code.co_name}".endswith(within)

    def trace(frame: FrameType, event: str, _arg: object) -> Callable[..., object] | None:
        nonlocal seen
        if not counts(frame):
            return None
        if event == "line" and frame.f_code.co_code[frame.f_lasti] != NOTHING:
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def every_line(act: Callable[[int], object], *within: str) -> Iterator[tuple[int, bool]]:
    """Call ``act`` with the number of the line at which it is interrupted, until it is done; after each call
    the number, and whether it was interrupted."""
    line, interrupted = 0, True
    while interrupted:
        line += 1
        interrupted = interrupted_at(line, lambda number=line: act(number), *within)
        yield line, interrupted
    gc.collect()  # what still lies in a cycle would warn in the test in which it is found
