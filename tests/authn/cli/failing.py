"""A command that ends as it is told; only tests can reach it."""

from __future__ import annotations

import errno
import os

import click

ENDS: dict[str, BaseException] = {
    "defect": RuntimeError("it \x1b[31mbroke\u202e\nassay: all is well"),
    "overflow": OverflowError("date value out of range"),
    "recursion": RecursionError(),
    "encoding": UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    "assertion": AssertionError(),
    "memory": MemoryError(),
    "disk": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a/\x1bfile"),
    "permission": PermissionError(errno.EACCES, os.strerror(errno.EACCES), b"/a/file"),
    "socket": TimeoutError("timed out"),
    "interrupt": KeyboardInterrupt(),
    "input": EOFError(),
    "pipe": BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
}


@click.command()
@click.argument("how")
def fails(how: str) -> None:
    """Ends as it is told."""
    raise ENDS[how]
