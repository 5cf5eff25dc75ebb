"""The few calls of the kernel that Python has no name for."""

from __future__ import annotations

import ctypes
import os
from functools import cache

PR_SET_NO_NEW_PRIVS = 38


@cache
def libc() -> ctypes.CDLL:
    """Of this process; ``reason`` reads what its last call left in errno."""
    return ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    """As syscall(2): -1 where it failed."""
    found: int = libc().syscall(ctypes.c_long(number), *arguments)
    return found


def reason() -> str:
    return os.strerror(ctypes.get_errno())
