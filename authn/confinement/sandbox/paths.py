"""What the program itself is made of: the paths that stay readable when everything else is closed.

Modules and libraries are loaded late, by sources that few files reach, so their folders stay open. None of
them holds a key, a database or anybody's photo.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("authn", "detector", "signer")
INSTALLED = ("site-packages", "dist-packages")
_PYTHON = ("stdlib", "platstdlib", "purelib", "platlib")
_SYSTEM = (
    "/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib",
    "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system", "/sys/fs/cgroup", "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip


def program_paths() -> tuple[Path, ...]:
    """Those that exist. A folder stands for everything in it."""
    return tuple(dict.fromkeys(p for p in _candidates() if p.exists()))


def _candidates() -> Iterator[Path]:
    for name in _PYTHON:
        yield Path(sysconfig.get_path(name))
    if folder := sysconfig.get_config_var("LIBDIR"):
        yield Path(folder)
    yield from (Path(entry) for entry in sys.path if entry.endswith(INSTALLED))
    # Not the folder that they lie in: a checkout may hold a home, with its keys, beside them.
    for package in PACKAGES:
        found = sys.modules.get(package)
        if found is not None and found.__file__:
            yield Path(found.__file__).parent
    yield from map(Path, _SYSTEM)
