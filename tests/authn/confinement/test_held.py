"""From inside a confined process, for real: what code that a file brought along would try is refused.

Which mechanisms this kernel has is asked first; what they refuse is tested where they are active, and that
the process says truly which are.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from authn.confinement.confined import Confined
from authn.core.holds import Hold
from authn.devices import RegistryView
from tests.conftest import ROOT
from tests.doubles.prisoner import DONE, open_prisoner
from tests.programs import printed

pytestmark = pytest.mark.timeless

BUDGET = 512 * 2**20
NAMES = ["no_new_privs", "capabilities", "landlock", "seccomp", "limits"]

BY_LANDLOCK = (
    "read_the_secret",
    "read_it_through_a_link_of_the_kernel",
    "list_its_folder",
    "read_the_memory_of_the_caller",
    "read_the_environment_of_the_caller",
)
BY_SECCOMP = (
    "open_a_socket",
    "connect",
    "open_a_pair",
    "fork",
    "signal_the_caller",
    "signal_everybody",
    "trace_the_caller",
    "raise_the_memory_limit",
    "raise_the_time_limit",
    "raise_the_limit_of_cores",
    "lift_the_limits_of_the_caller",
    "become_another_user",
    "open_it_for_everybody",
    "call_by_other_numbers_openat2",
    "call_by_other_numbers_clone3",
    "call_by_other_numbers_io_uring",
    "call_what_is_younger_than_the_list",
)
BY_BOTH = (
    "write_the_secret",
    "append_to_the_secret",
    "make_a_file",
    "make_a_file_in_tmp",
    "make_a_folder",
    "remove_the_secret",
    "rename_the_secret",
    "cut_it",
    "link_to_it",
    "run_a_program",
    "become_a_program",
)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "pki"
    folder.mkdir()
    (folder / "issuing.key.pem").write_text("-----BEGIN PRIVATE KEY-----")
    return folder / "issuing.key.pem"


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture(scope="module")
def prisoner(secret: Path, listener: tuple[str, int]) -> Iterator[Confined[str, str]]:
    os.environ["ASSAY_ENROLMENT_TOKEN"] = "a-token-of-the-caller"
    os.environ["SOMEBODY_ELSES_PASSWORD"] = "a-password-of-the-caller"
    try:
        with Confined(
            partial(open_prisoner, secret=secret, address=listener),
            question=str,
            answer=str,
            timeout_s=20,
            memory_bytes=BUDGET,
        ) as confined:
            confined.warm()
            yield confined
    finally:
        del os.environ["ASSAY_ENROLMENT_TOKEN"], os.environ["SOMEBODY_ELSES_PASSWORD"]


def hold(prisoner: Confined[str, str], name: str) -> Hold:
    return next(h for h in prisoner.holds if h.name == name)


def test_it_is_told_what_holds_the_process(prisoner: Confined[str, str]) -> None:
    assert [h.name for h in prisoner.holds] == NAMES
    assert all(h.detail for h in prisoner.holds)
    assert hold(prisoner, "no_new_privs").active
    assert hold(prisoner, "limits").active


@pytest.mark.parametrize("act", BY_LANDLOCK)
def test_no_file_is_read_but_the_programs_own(prisoner: Confined[str, str], act: str) -> None:
    refused_where_active(prisoner, act, hold(prisoner, "landlock").active)


@pytest.mark.parametrize("act", BY_SECCOMP)
def test_no_call_reaches_out_of_the_process(prisoner: Confined[str, str], act: str) -> None:
    refused_where_active(prisoner, act, hold(prisoner, "seccomp").active)


@pytest.mark.parametrize("act", BY_BOTH)
def test_nothing_is_written_and_no_program_run(prisoner: Confined[str, str], act: str, secret: Path) -> None:
    active = hold(prisoner, "landlock").active or hold(prisoner, "seccomp").active
    refused_where_active(prisoner, act, active)
    assert secret.read_text() == "-----BEGIN PRIVATE KEY-----"
    assert list(secret.parent.iterdir()) == [secret]
    assert not Path("/tmp/assay-made-by-a-prisoner").exists()


def refused_where_active(prisoner: Confined[str, str], act: str, active: bool) -> None:
    if not active:
        pytest.skip("this kernel does not have the mechanism, and the process says so")
    assert prisoner.ask(act) in (
        "Permission denied",
        "Operation not permitted",
        "Function not implemented",
        "not allowed to raise maximum limit",
        "Invalid cross-device link",
        "Exception occurred in preexec_fn.",
    ), act


@pytest.mark.parametrize(
    ("act", "result"),
    [
        ("start_a_thread", "ran"),
        ("load_a_module_late", "wave"),
        ("read_the_program", "True"),
        ("signal_itself", DONE),
        ("ask_for_limits", "(0, 0)"),
        ("read_stdin", "b''"),
    ],
)
def test_what_examining_needs_goes_on_working(prisoner: Confined[str, str], act: str, result: str) -> None:
    assert prisoner.ask(act) == result


_AHEAD = """
import os, sys
from functools import partial
from pathlib import Path
from authn.confinement import ahead
from authn.confinement.confined import Confined
print(ahead.start(), ahead.start())
secret, acts = Path(sys.argv[1]), sys.argv[2:]
from tests.doubles.prisoner import open_prisoner
build = partial(open_prisoner, secret=secret)
with Confined(build, question=str, answer=str, timeout_s=20, memory_bytes=2**29) as c:
    c.warm()
    command = [Path(f"/proc/{n}/cmdline").read_bytes() for n in ("self", c._worker._process.pid)]
    print(command[0] == command[1])
    print([h.name for h in c.holds if h.active])
    print("of-the-caller" in c.ask("see_environment"), len(c.ask("count_descriptors").split()))
    for act in acts:
        print(act, c.ask(act))
    c._worker.kill()
    c._worker._process.join()
    print(c.ask("read_stdin"), ahead.take())
"""


def test_a_process_that_was_forked_ahead_is_held_as_a_spawned_one(
    prisoner: Confined[str, str], secret: Path
) -> None:
    acts = [*BY_LANDLOCK, *BY_SECCOMP, *BY_BOTH]
    done = subprocess.run(
        [sys.executable, "-c", _AHEAD, str(secret), *acts],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
        env=os.environ | {"ASSAY_ENROLMENT_TOKEN": "a-token-of-the-caller"},
    )  # fmt: skip
    started, forked, holds, seen, *told = done.stdout.splitlines()
    assert (started, forked, seen) == ("True False", "True", "False 2")
    assert holds == str([h.name for h in prisoner.holds if h.active])
    assert told == [*(f"{act} {prisoner.ask(act)}" for act in acts), "b'' None"], "the next one is spawned"


def test_a_process_is_not_forked_where_something_is_loaded_that_survives_no_fork() -> None:
    assert (
        printed("import sqlalchemy\nfrom authn.confinement import ahead\nprint(ahead.start())") == "False\n"
    )
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(1,), daemon=True).start()\n"
    assert printed(f"{thread}from authn.confinement import ahead\nprint(ahead.start())") == "False\n"
    unused = "from authn.confinement import ahead\nprint(ahead.start(), flush=True)"
    assert printed(unused) == "True\n", "and one that nobody needs ends with its caller, in silence"


def test_what_it_inherited_leads_nowhere(prisoner: Confined[str, str]) -> None:
    """The pipe to the caller, and stderr."""
    stderr = str(Path("/proc/self/fd/2").readlink())
    targets = prisoner.ask("count_descriptors").split()
    assert len([t for t in targets if t.startswith("socket:")]) == 1
    assert [t for t in targets if not t.startswith("socket:")] in (
        [stderr],
        [stderr, "(deleted)"],
        stderr.split(),
    )


def test_the_callers_secrets_are_not_in_its_environment(prisoner: Confined[str, str]) -> None:
    seen = prisoner.ask("see_environment")
    assert "of-the-caller" not in seen
    assert "PATH" in seen


def test_it_has_no_capability_but_to_read_even_where_the_caller_is_root(prisoner: Confined[str, str]) -> None:
    """An audit by root reads what belongs to others; Landlock says which of it."""
    assert hold(prisoner, "capabilities").active
    assert int(prisoner.ask("see_capabilities"), 16) & ~(1 << 2) == 0


@pytest.mark.parametrize("talks", [True, False])
def test_what_it_says_on_stderr_reaches_a_log_and_no_terminal(talks: bool) -> None:
    """A file makes libraries say things, and code that it brought along says more."""
    program = (
        "from tests.authn.confinement.test_held import open_talker\n"
        "from authn.confinement.confined import Confined\n"
        "with Confined(open_talker, question=str, answer=str, timeout_s=20, memory_bytes=2**29,"
        f" talks={talks}) as c: print(c.ask('said'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert done.stdout == "said\n", "nor does it write to the caller's stdout"
    assert done.stderr == ("to stderr" if talks else "")


def open_talker(_registry: RegistryView | None) -> Callable[[str], str]:
    return _talk


def _talk(question: str) -> str:
    os.write(2, b"to stderr")
    os.write(1, b"to stdout")
    return question


def test_room_that_was_freed_is_kept_for_the_next_file() -> None:
    program = (
        "from authn.confinement.sandbox.process import keep_freed_memory\n"
        "def resident(): return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "told = keep_freed_memory()\n"
        "taken = b'x' * 100_000_000\n"
        "del taken\n"
        "print(told, resident() > 100_000_000)"
    )
    assert printed(program) == "True True\n"
