"""Kernels and containers that forbid a mechanism: the process works all the same, and says what is missing.

What a container's profile does is done here for real: a filter that refuses the calls, set before the start.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from authn.confinement.sandbox import calls
from authn.confinement.sandbox.kernel import PR_SET_NO_NEW_PRIVS, libc, syscall
from authn.confinement.sandbox.landlock import Unsupported
from authn.confinement.sandbox.seccomp import ARCHITECTURES, assemble, restrict_calls
from tests.conftest import ROOT

pytestmark = pytest.mark.timeless

LANDLOCK = 444
PROGRAM = """
import json, sys
from functools import partial
from pathlib import Path
from authn.confinement.confined import Confined
from tests.authn.confinement.test_lacking import forbid
from tests.doubles.prisoner import open_prisoner
forbid(json.loads(sys.argv[1]))
build = partial(open_prisoner, secret=Path(sys.argv[2]))
with Confined(build, question=str, answer=str, timeout_s=20, memory_bytes=2**29) as c:
    acts = {act: c.ask(act) for act in ("read_the_secret", "open_a_socket", "make_a_file", "run_a_program",
                                        "start_a_thread", "raise_the_memory_limit")}
    print(json.dumps([{h.name: [h.active, h.detail] for h in c.holds}, acts]))
"""


def forbid(numbers: list[int]) -> None:
    """As the profile of a container does, for this process and all that it starts."""
    _, architecture = ARCHITECTURES[platform.machine()]
    load, equal, answer = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, 0x7FFF0000), (load, 0, 0, 0)]
    for number in numbers:
        program += [(equal, 0, 1, number), (answer, 0, 0, 0x00050000 | errno.EPERM)]
    program.append((answer, 0, 0, 0x7FFF0000))
    code = b"".join(struct.pack("=HBBI", *one) for one in program)

    class Handed(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    assert libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    handed = Handed(len(program), code)
    column, _ = ARCHITECTURES[platform.machine()]
    assert syscall(calls.SECCOMP[column], ctypes.c_uint(1), ctypes.c_uint(0), ctypes.byref(handed)) == 0


def held(tmp_path: Path, *numbers: int) -> tuple[dict[str, tuple[bool, str]], dict[str, str]]:
    secret = tmp_path / "pki" / "issuing.key.pem"
    secret.parent.mkdir()
    secret.write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(numbers), str(secret)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    holds, acts = json.loads(done.stdout)
    return {name: tuple(hold) for name, hold in holds.items()}, acts


@pytest.fixture(autouse=True)
def has_filters() -> None:
    if platform.machine() not in ARCHITECTURES:
        pytest.skip("no filter can be made for this processor, so nothing can be forbidden")


def test_without_landlock_files_are_read_and_it_is_said(tmp_path: Path) -> None:
    holds, acts = held(tmp_path, LANDLOCK)
    assert holds["landlock"] == (False, "the kernel does not offer it: Operation not permitted")
    assert holds["seccomp"][0]
    assert acts["read_the_secret"] == "done", "what is said to be missing is missing"
    assert acts["open_a_socket"] == "Operation not permitted"
    assert acts["make_a_file"] == "Permission denied"
    assert acts["start_a_thread"] == "ran"


def test_without_filters_sockets_are_opened_and_it_is_said(tmp_path: Path) -> None:
    column, _ = ARCHITECTURES[platform.machine()]
    holds, acts = held(tmp_path, calls.SECCOMP[column])
    assert holds["seccomp"] == (False, "the kernel takes no filter: Operation not permitted")
    assert acts["open_a_socket"] == "done"
    assert acts["start_a_thread"] == "ran"
    if holds["landlock"][0]:
        assert acts["read_the_secret"] == "Permission denied"
        assert acts["make_a_file"] == "Permission denied"


def test_without_both_limits_are_left(tmp_path: Path) -> None:
    column, _ = ARCHITECTURES[platform.machine()]
    holds, acts = held(tmp_path, LANDLOCK, calls.SECCOMP[column])
    assert (holds["landlock"][0], holds["seccomp"][0], holds["limits"][0]) == (False, False, True)
    assert acts["make_a_file"] == "File too large"
    assert acts["raise_the_memory_limit"] != "done", "not even by root: the right to do so was dropped"


def test_a_processor_without_a_list_is_unsupported_and_said() -> None:
    with pytest.raises(Unsupported, match="no list of system calls is known for riscv64"):
        restrict_calls("riscv64", os.getpid())


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_the_program_is_one_that_a_kernel_takes(machine: str) -> None:
    """Every jump ends within it, and it ends with an answer."""
    program = list(assemble(machine, 1234))
    assert 10 < len(program) < 4096
    for at, (code, yes, no, _) in enumerate(program):
        if code & 0x07 == 0x05:
            assert at + 1 + max(yes, no) < len(program)
        assert 0 <= yes < 256
        assert 0 <= no < 256
    assert program[-1][0] == 0x06


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_each_call_is_decided_as_the_lists_say(machine: str) -> None:
    """The program, run by a small machine, for the processor that is not here too."""
    column, architecture = ARCHITECTURES[machine]
    refused = {numbers[column] for numbers in calls.REFUSED.values()} - {None}
    special = {
        c[column]
        for c in (calls.OPEN, calls.OPENAT, calls.OPENAT2, calls.CLONE, calls.CLONE3, calls.PRLIMIT64,
                  calls.KILL, calls.TGKILL, calls.IOCTL)
    }  # fmt: skip
    program = list(assemble(machine, 1234))
    for number in range(calls.NEWEST + 50):
        answer = run(program, architecture, number, (0,) * 6)
        if number > calls.NEWEST:
            assert answer == 0x00050000 | errno.ENOSYS
        elif number not in special:
            assert answer == (0x00050000 | errno.EPERM if number in refused else 0x7FFF0000), number
    openat, clone, kill, prlimit = (
        int(c[column] or 0) for c in (calls.OPENAT, calls.CLONE, calls.KILL, calls.PRLIMIT64)
    )
    assert run(program, architecture, openat, (0, 0, os.O_RDONLY | os.O_CLOEXEC, 0, 0, 0)) == 0x7FFF0000
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
        assert run(program, architecture, openat, (0, 0, flag, 0, 0, 0)) == 0x00050000 | errno.EACCES
    assert run(program, architecture, clone, (0x3D0F00, 0, 0, 0, 0, 0)) == 0x7FFF0000
    assert run(program, architecture, clone, (0x11, 0, 0, 0, 0, 0)) == 0x00050000 | errno.EPERM
    assert run(program, architecture, kill, (1234, 9, 0, 0, 0, 0)) == 0x7FFF0000
    assert run(program, architecture, kill, (1235, 9, 0, 0, 0, 0)) == 0x00050000 | errno.EPERM
    assert run(program, architecture, prlimit, (0, 9, 0, 1, 0, 0)) == 0x7FFF0000
    for pointer in (1, 1 << 40):
        assert run(program, architecture, prlimit, (0, 9, pointer, 0, 0, 0)) == 0x00050000 | errno.EPERM
    assert run(program, 0x40000003, 1, (0,) * 6) == 0x80000000, "the calls of another architecture"


def run(
    program: list[tuple[int, int, int, int]], architecture: int, number: int, arguments: tuple[int, ...]
) -> int:
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments)
    at = accumulator = 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x06:
                return value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x25:
                at += yes if accumulator > value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case _:
                raise AssertionError(hex(code))
