"""A filter of system calls (seccomp(2)) for all threads of this process, assembled by hand.

A refused call fails with an error, as it does without permission, so that a library which only tries goes on.
Only another architecture's calls end the process: nothing of ours makes them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise

from authn.confinement.sandbox import calls
from authn.confinement.sandbox.kernel import reason, syscall
from authn.confinement.sandbox.landlock import Unsupported

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_SET_MODE_FILTER = 1
_ALL_THREADS = 1
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4
_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Typing into the terminal that stderr may be, in the user's name.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict_calls(machine: str, pid: int) -> int:
    """How many calls are refused whatever their arguments. Needs no_new_privs. Raises ``Unsupported``."""
    if machine not in ARCHITECTURES:
        raise Unsupported(f"no list of system calls is known for {machine}")
    column, _ = ARCHITECTURES[machine]
    program = tuple(assemble(machine, pid))
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    handed = _Program(length=len(program), instructions=code)
    failed = syscall(
        calls.SECCOMP[column],
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(_ALL_THREADS),
        ctypes.byref(handed),
    )
    if failed > 0:
        raise Unsupported(f"thread {failed} is held by another filter already")
    if failed:
        raise Unsupported(f"the kernel takes no filter: {reason()}")
    return len(_refused(column))


def assemble(machine: str, pid: int) -> Iterator[Instruction]:
    """The program for the kernel; ``pid`` is the one process that may be signalled."""
    column, architecture = ARCHITECTURES[machine]
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_EQUAL, 1, 0, architecture)
    yield (_RETURN, 0, 0, _KILL)
    yield (_LOAD, 0, 0, _NUMBER)
    if machine == "x86_64":
        yield (_AT_LEAST, 0, 1, _X32)
        yield (_RETURN, 0, 0, _KILL)
    yield (_GREATER, 0, 1, calls.NEWEST)
    yield _error(errno.ENOSYS)
    # The libraries fall back to the calls whose arguments a filter can see.
    for number in (calls.CLONE3[column], calls.OPENAT2[column]):
        yield (_EQUAL, 0, 1, number)
        yield _error(errno.ENOSYS)
    for number, body in _conditional(column, pid):
        yield (_EQUAL, 0, len(body), number)
        yield from body
    for first, last in _ranges(_refused(column)):
        yield (_AT_LEAST, 0, 2, first)
        yield (_GREATER, 1, 0, last)
        yield _error(errno.EPERM)
    yield (_RETURN, 0, 0, _ALLOW)


def _conditional(column: int, pid: int) -> Iterator[tuple[int, tuple[Instruction, ...]]]:
    no, yes = _error(errno.EPERM), (_RETURN, 0, 0, _ALLOW)
    to_read = ((_ANY_BIT, 0, 1, _TO_WRITE), _error(errno.EACCES), yes)
    opened = calls.OPEN[column]
    if opened is not None:
        yield opened, (_argument(1), *to_read)
    yield calls.OPENAT[column], (_argument(2), *to_read)
    yield calls.CLONE[column], (_argument(0), (_ANY_BIT, 1, 0, _CLONE_THREAD), no, yes)
    for number in (calls.KILL[column], calls.TGKILL[column]):
        yield number, (_argument(0), (_EQUAL, 1, 0, pid), no, yes)
    asks_only = (_argument(2), (_EQUAL, 0, 2, 0), _argument(2, high=True), (_EQUAL, 1, 0, 0), no, yes)
    yield calls.PRLIMIT64[column], asks_only
    types = (_argument(1), (_EQUAL, 1, 0, _TIOCSTI), (_EQUAL, 0, 1, _TIOCLINUX), no, yes)
    yield calls.IOCTL[column], types


def _refused(column: int) -> list[int]:
    return sorted(n for numbers in calls.REFUSED.values() if (n := numbers[column]) is not None)


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive numbers as first and last."""
    listed = list(numbers)
    if not listed:
        return
    first = listed[0]
    for one, following in pairwise(listed):
        if following != one + 1:
            yield first, one
            first = following
    yield first, listed[-1]


def _argument(index: int, *, high: bool = False) -> Instruction:
    """Load one half of an argument; both architectures are little-endian."""
    return (_LOAD, 0, 0, 16 + 8 * index + 4 * high)


def _error(number: int) -> Instruction:
    return (_RETURN, 0, 0, 0x00050000 | number)
