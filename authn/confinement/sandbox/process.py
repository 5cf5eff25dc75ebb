"""What a process gets from its caller without having asked for it, and its limits.

Limits are set soft and hard at once: what a process may raise holds nobody. The one for CPU time is moved by
the caller, for each question, below a hard end that the process cannot lift either.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
from collections.abc import Iterable

from authn.confinement.sandbox.kernel import libc

MAX_OPEN_FILES = 256
# Of all questions together; then the caller starts another process.
LIFETIME_CPU_S = 24 * 3600
KEPT_VARIABLES = frozenset(
    ("LANG", "LANGUAGE", "TZ", "TZDIR", "TMPDIR", "PATH", "HOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
)
KEPT_PREFIXES = ("LC_", "PYTHON", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_", "CUDA_", "NVIDIA_")
# M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc: a heap, and bytes of what it serves and keeps.
_HEAP = ((-8, 1), (-3, 128 * 2**20), (-1, 256 * 2**20))
# On shared cores a second thread of one library made another one twenty times slower.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def forget_environment() -> None:
    """Tokens and addresses with passwords are the caller's; also out of the memory that /proc shows."""
    getenv = libc().getenv
    getenv.restype = ctypes.c_void_p
    for name in list(os.environ):
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES):
            continue
        at = getenv(os.fsencode(name))
        if at:
            ctypes.memset(at, 0, len(os.fsencode(os.environ[name])))
        del os.environ[name]
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")


def keep_freed_memory() -> bool:
    """Room that a picture took is kept for the next one, up to a bound, in one heap for all threads: the
    kernel clears every page that it gives anew, four tenths of the time of decoding twelve megapixels. False
    where the C library has no such settings (mallopt(3))."""
    setting = getattr(libc(), "mallopt", None)
    return setting is not None and all(setting(which, value) == 1 for which, value in _HEAP)


def cut_descriptors(kept: Iterable[int]) -> None:
    """Everything that was inherited, but stderr and ``kept``, leads nowhere from now on. Replaced rather than
    closed: whoever holds the number still must not get another file behind it."""
    nowhere = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 numbers
        fd = int(name)
        if fd not in (2, nowhere, *kept):
            _replace(nowhere, fd)
    for fd in (0, 1):
        os.dup2(nowhere, fd)
    os.close(nowhere)


def silence() -> None:
    """Stderr leads nowhere either: what a file makes a library say would reach somebody's terminal."""
    nowhere = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _replace(nowhere: int, fd: int) -> None:
    try:
        os.fstat(fd)
    except OSError:  # the one that listed them
        return
    os.dup2(nowhere, fd, inheritable=False)


def limit_from_the_start() -> None:
    """No core with somebody's photo in it; few files open at once."""
    _fix(resource.RLIMIT_CORE, 0)
    _fix(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _fix(resource.RLIMIT_CPU, LIFETIME_CPU_S)


def limit_writing() -> None:
    """Where nothing better forbids it. A log in a file still takes what a defect leaves."""
    if not stat.S_ISREG(os.fstat(2).st_mode):
        _fix(resource.RLIMIT_FSIZE, 0)


def limit_memory(more: int) -> int:
    """To so many bytes of addresses more than there are now; the sum."""
    with open("/proc/self/statm", "rb") as f:  # noqa: PTH123 plain and early
        used = int(f.read().split()[0]) * resource.getpagesize()
    _fix(resource.RLIMIT_AS, used + more)
    return used + more


def allow_cpu(pid: int, seconds: float) -> float:
    """Of another process, in addition to what it has used, which is returned: a backstop for one whose caller
    is killed, since then nobody is left to stop its endless loop. Raises ``OSError`` where the kernel does
    not let us."""
    used = cpu_used_s(pid)
    soft = int(used + seconds) + 2
    _, hard = resource.prlimit(pid, resource.RLIMIT_CPU)
    resource.prlimit(
        pid, resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )
    return used


def cpu_used_s(pid: int) -> float:
    """By a process and all its threads. Raises ``OSError`` for one that is gone."""
    with open(f"/proc/{pid}/stat", "rb") as f:  # noqa: PTH123
        fields = f.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _fix(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))
