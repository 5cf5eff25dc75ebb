"""What holds a confined process besides its limits: files, calls, privileges, as far as the kernel goes.

Decides the order: files first, while there is one thread, because Landlock holds the thread that asks for it
and those that it starts later; system calls last, for all threads, when everything is loaded. What a kernel
or container does not offer is left out and named; nothing here is a reason to examine nothing.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from authn.confinement.sandbox.kernel import PR_SET_NO_NEW_PRIVS, libc, reason
from authn.confinement.sandbox.landlock import Unsupported, restrict_files
from authn.confinement.sandbox.paths import program_paths
from authn.confinement.sandbox.seccomp import restrict_calls
from authn.core.holds import Hold


def hold_privileges() -> tuple[Hold, ...]:
    """No new ones, and none of the old: a service in a container is often root. For the calling thread."""
    refused = libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
    return (
        Hold(name="no_new_privs", active=not refused, detail=reason() if refused else "for good"),
        _drop_capabilities(),
    )


def hold_files(readable: Iterable[Path]) -> Hold:
    """Nothing is written, and nothing read but the program, the system's libraries and ``readable``."""
    others = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 names are enough
    try:
        abi = restrict_files((*program_paths(), *readable))
    except Unsupported as e:
        return Hold(name="landlock", active=False, detail=str(e))
    if others:
        return Hold(name="landlock", active=False, detail=f"{others} threads had been started before it")
    return Hold(name="landlock", active=True, detail=f"ABI {abi}")


def hold_calls() -> Hold:
    """No network, no programs, no writing, no raising of limits; for all threads, until the process ends."""
    try:
        refused = restrict_calls(platform.machine(), os.getpid())
    except Unsupported as e:
        return Hold(name="seccomp", active=False, detail=str(e))
    return Hold(name="seccomp", active=True, detail=f"{refused} system calls are refused")


_READ_WHAT_BELONGS_TO_OTHERS = 1 << 2  # CAP_DAC_READ_SEARCH


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _drop_capabilities() -> Hold:
    """All but the one by which root reads what belongs to others: an audit needs it; it writes nothing."""
    header = _CapabilityHeader(0x20080522, 0)
    sets = (_CapabilitySets * 2)()
    if libc().capget(ctypes.byref(header), ctypes.byref(sets)) != 0:
        return Hold(name="capabilities", active=False, detail=reason())
    kept = sets[0].permitted & _READ_WHAT_BELONGS_TO_OTHERS
    left = (_CapabilitySets * 2)(_CapabilitySets(kept, kept, 0))
    if libc().capset(ctypes.byref(header), ctypes.byref(left)) != 0:
        return Hold(name="capabilities", active=False, detail=reason())
    return Hold(
        name="capabilities", active=True, detail="none is left but to read" if kept else "none is left"
    )
