"""Landlock (landlock(7)): the calling thread, and those it starts, may read some paths and write none."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from authn.confinement.sandbox.kernel import reason, syscall

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
# Rights that a kernel knows, by the version of its interface: 1 knows the first thirteen, 2 moving between
# folders, 3 truncation, 5 the control of devices.
_KNOWN_FROM = ((5, (1 << 16) - 1), (3, (1 << 15) - 1), (2, (1 << 14) - 1), (1, (1 << 13) - 1))
_TCP_BIND_AND_CONNECT = 0b11  # from 4
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # from 6
_NOWHERE = Path("/dev/null")


class Unsupported(Exception):
    """The kernel, or what contains this process, does not offer the mechanism; ``str()`` says why."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict_files(readable: Iterable[Path]) -> int:
    """The version of the kernel's interface. No program is run, no file changed, no TCP socket connected or
    bound, no process outside signalled. Needs no_new_privs. Raises ``Unsupported``; then nothing holds."""
    abi = syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if abi < 1:
        raise Unsupported(f"the kernel does not offer it: {reason()}")
    rules = _Ruleset(
        files=next(rights for version, rights in _KNOWN_FROM if abi >= version),
        network=_TCP_BIND_AND_CONNECT if abi >= 4 else 0,
        scoped=_ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0,
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        raise Unsupported(f"the kernel makes no set of rules: {reason()}")
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        _allow(ruleset, _NOWHERE, _READ_FILE | _WRITE_FILE)
        if syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) != 0:
            raise Unsupported(f"the kernel does not put it in force: {reason()}")
    finally:
        os.close(ruleset)
    return abi


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, so there is nothing to read
        return
    try:
        rule = _PathRule(allowed=rights if path.is_dir() else rights & ~_READ_DIR, folder=fd)
        arguments = (
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
        if syscall(_ADD_RULE, *arguments) != 0:
            raise Unsupported(f"the kernel takes no rule for {path}: {reason()}")
    finally:
        os.close(fd)
