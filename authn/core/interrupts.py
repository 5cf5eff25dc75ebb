"""Ctrl-C before a command has begun, and where Python would lose it.

While modules are loaded, the exception of an interrupt ends in a traceback, or in a callback of the import
system, where Python prints it and goes on as if nobody had pressed anything. It is loaded before everything
else, so it imports next to nothing.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from types import FrameType

EXIT_INTERRUPTED = 130  # docs/decisions/0019
PAUSE_S = 0.01
SENTENCE = "interrupted; run the same command again to go on"


def answer_from_now_on() -> None:
    """Until ``begun`` an interrupt ends the program then and there, since nothing was done yet; and from now
    on none is lost. Changes nothing where somebody else answers interrupts, or nobody is to."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    sys.unraisablehook = _raised_again


def begun() -> None:
    """From now on an interrupt is an exception, so that what was begun is brought to an end."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    try:  # on a line of its own, as later: a terminal has shown ^C
        os.write(2, f"\n{SENTENCE}\n".encode())
    finally:  # nothing may be left to do that could end otherwise
        os._exit(EXIT_INTERRUPTED)


def _raised_again(lost: sys.UnraisableHookArgs) -> None:
    """What was raised in a callback or a finaliser cannot leave it; an interrupt comes once more."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_press_again, ())  # ``threading`` would wait for it here
    else:
        sys.__unraisablehook__(lost)


def _press_again() -> None:
    """When the main thread has left the hook, in which it would be lost for good."""
    main = threading.main_thread().ident
    while main is not None:
        time.sleep(PAUSE_S)
        frame = sys._current_frames().get(main)
        while frame is not None and frame.f_code is not _raised_again.__code__:
            frame = frame.f_back
        if frame is None:
            signal.pthread_kill(main, signal.SIGINT)
            return
