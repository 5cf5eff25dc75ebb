"""A process that is there before its caller knows anything: a fork, which loads nothing a second time.

A person's command needs one confined process, and half of what starting that costs is an interpreter and the
modules that the command has loaded already. Forked at the command's very start there is nothing in it that it
must not have: no settings, no file, no thread, no engine; the environment it forgets as any other does.
Whoever is later than that spawns (``worker``): a service always, and a command for its second process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from authn.confinement.inside import serve

# What a fork does not survive, or would take along what a file may not meet.
_TOO_LATE = ("c2pa", "encypher_c2pa", "torch", "cv2", "onnxruntime", "numpy", "sqlalchemy", "flask")

Started = tuple[BaseProcess, Connection]
_started: list[tuple[int, Started]] = []


def start() -> bool:
    """Fork now, before anything was read. False where it is too late for that, or the machine gives none."""
    try:
        if _started or not _is_early():
            return False
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
    except OSError:  # no /proc, or too few descriptors: whoever spawns says what is lacking
        return False
    process = context.Process(target=serve, args=(theirs,), name="assay-confined", daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    except OSError:
        ours.close()
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
    _started.append((os.getpid(), (process, ours)))
    return True


def take() -> Started | None:
    """The process that this one started ahead, for the first who asks, if it is still there."""
    while _started:
        owner, (process, pipe) = _started.pop()
        if owner == os.getpid() and process.is_alive():
            return process, pipe
        pipe.close()
    return None


def _is_early() -> bool:
    """Raises ``OSError`` where nobody can tell."""
    if sys.platform != "linux" or any(name in sys.modules for name in _TOO_LATE):
        return False
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 names are enough
