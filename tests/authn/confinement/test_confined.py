"""A function in a real process: built once, replaced when it dies, and left behind by nobody."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from authn.confinement.confined import Confined
from authn.core.errors import ExaminationFailed, Unavailable
from authn.devices import RegistryView
from tests.conftest import ROOT
from tests.doubles.examiners import AskedRegistry
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.timeless

BUDGET = 512 * 2**20


def test_a_typed_error_comes_through_and_leaves_the_worker_alive() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=5, memory_bytes=BUDGET) as confined:
        first = confined.ask("pid")
        with pytest.raises(Unavailable, match="roots are gone"):
            confined.ask("refuse")
        assert confined.ask("pid") == first


def test_no_process_is_left_after_close_nor_after_an_abandoned_call() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET) as confined:
        closed = int(confined.ask("pid"))
    registry = AskedRegistry()
    abandoned = Confined(
        _open_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET, registry=registry
    )
    pid = int(abandoned.ask("pid"))
    failures: list[Exception] = []

    def wait() -> None:
        try:
            abandoned.ask("sleep")
        except ExaminationFailed as e:
            failures.append(e)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: registry.asked)  # it has the question
    abandoned.abandon()
    waiting.join(PATIENCE_S)
    assert len(failures) == 1
    assert not Path(f"/proc/{closed}").exists()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(Unavailable, match="closed"):
        abandoned.ask("pid")


def test_a_process_that_closes_its_pipe_and_lives_on_is_ended_and_its_caller_answered() -> None:
    failures: list[ExaminationFailed] = []

    def ask() -> None:
        with Confined(_open_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET) as confined:
            try:
                confined.ask("close the pipe")
            except ExaminationFailed as e:
                failures.append(e)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    assert not asking.is_alive(), "it waits for a process that sleeps for an hour"
    assert len(failures) == 1


def test_a_process_that_closes_its_pipe_after_its_answer_costs_the_next_question_nothing() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=60, memory_bytes=BUDGET) as confined:
        first = confined.ask("close the pipe when told")
        worker, deadline = confined._worker, time.monotonic() + 60
        os.kill(int(first), signal.SIGUSR1)
        assert worker is not None
        while not worker.hung_up and time.monotonic() < deadline:
            time.sleep(0.01)
        assert worker.alive, "it shows nothing of a process that lives on"
        assert confined.ask("pid") != first
        assert not worker.alive


def test_closing_does_not_wait_for_a_worker_that_is_still_being_built() -> None:
    confined = Confined(open_sleeping_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET)
    failures: list[Unavailable] = []

    def warm() -> None:
        try:
            confined.warm()
        except Unavailable as e:
            failures.append(e)

    warming = threading.Thread(target=warm)
    warming.start()
    until(lambda: confined._worker)
    assert not confined.ready
    confined.close()
    warming.join(PATIENCE_S)
    assert not warming.is_alive(), "it is being built for an hour"
    assert len(failures) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_from_the_caller_gets_a_worker_of_its_own() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=BUDGET) as confined:
        mine = confined.ask("pid")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, confined.ask("pid").encode())
            confined.close()
            os._exit(0)
        os.waitpid(child, 0)
        theirs = os.read(read, 64).decode()
        os.close(read)
        os.close(write)
        assert theirs
        assert theirs != mine
        assert confined.ask("pid") == mine


def test_an_interpreter_that_forgets_to_close_ends_quietly_and_takes_its_worker_along() -> None:
    program = textwrap.dedent(
        """
        from tests.authn.confinement.test_confined import _open_pid
        from authn.confinement.confined import Confined
        confined = Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=2**29)
        print(confined.ask("pid"))
        """
    )
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_a_worker_whose_caller_was_killed_ends_by_itself() -> None:
    program = (
        "from tests.authn.confinement.test_confined import _open_pid; import os;"
        "from authn.confinement.confined import Confined;"
        "c = Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=2**29);"
        "print(c.ask('pid'), flush=True); os.kill(os.getpid(), 9)"
    )
    done = run(program)
    assert done.returncode == -signal.SIGKILL
    worker = Path(f"/proc/{int(done.stdout)}")
    until(lambda: is_over(worker), "the orphan is still there")


def test_an_interrupt_at_the_keyboard_does_not_reach_a_worker_that_is_still_starting() -> None:
    program = (
        "from tests.authn.confinement.test_confined import _open_pid, interrupt_until;"
        "from authn.confinement.confined import Confined; import signal, threading; stop = threading.Event();"
        "signal.signal(signal.SIGINT, lambda *_: None);"
        "thread = threading.Thread(target=interrupt_until, args=(stop,)); thread.start();"
        "c = Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=2**29);"
        "print(c.ask('pid')); stop.set(); thread.join(); c.close()"
    )
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().isdigit()


def run(program: str) -> subprocess.CompletedProcess[str]:
    """By an interpreter that is alone in its session."""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
        start_new_session=True,
    )


def is_over(process: Path) -> bool:
    """Of its folder in /proc: gone, or waiting only to be asked how it ended."""
    try:
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def open_sleeping_pid(_registry: RegistryView | None) -> _Pid:
    time.sleep(3600)
    return _Pid(None)


def interrupt_until(stop: threading.Event) -> None:
    while not stop.wait(0.002):
        os.killpg(0, signal.SIGINT)


def _open_pid(registry: RegistryView | None) -> _Pid:
    return _Pid(registry)


class _Pid:
    def __init__(self, registry: RegistryView | None) -> None:
        self._registry = registry

    def __call__(self, question: str) -> str:
        if question == "refuse":
            raise Unavailable("the roots are gone")
        if question == "close the pipe when told":
            signal.signal(signal.SIGUSR1, _close_the_pipe)
        if question == "close the pipe":
            os.closerange(3, 64)
        if question == "sleep" and self._registry is not None:
            self._registry.device_by_key("a" * 64)  # so that the caller sees how far it is
        if question in ("sleep", "close the pipe"):
            time.sleep(3600)
        return str(os.getpid())


def _close_the_pipe(*_given: object) -> None:
    os.closerange(3, 64)
    time.sleep(3600)


def test_the_registry_is_asked_in_the_callers_process_and_its_errors_come_back() -> None:
    registry = AskedRegistry()
    with Confined(
        _AsksRegistry, question=str, answer=str, timeout_s=20, memory_bytes=BUDGET, registry=registry
    ) as confined:
        assert confined.ask("a" * 64) == "cam"
        assert confined.ask("0" * 64) == "nobody"
        with pytest.raises(Unavailable, match="the database is gone"):
            confined.ask("f" * 64)
        assert confined.ask("a" * 64) == "cam"
    assert registry.asked == ["a" * 64, "0" * 64, "f" * 64, "a" * 64]


class _AsksRegistry:
    def __init__(self, registry: RegistryView | None) -> None:
        assert registry is not None
        self._registry = registry

    def __call__(self, key: str) -> str:
        device = self._registry.device_by_key(key)
        return device.name if device else "nobody"


def test_it_can_raise_neither_its_limit_of_time_nor_outlive_it() -> None:
    """The caller sets the limit of CPU time for every question; the hard one was set before the first."""
    with Confined(_Limits, question=str, answer=str, timeout_s=20, memory_bytes=BUDGET) as confined:
        first, hard = map(int, confined.ask("").split())
        second, same = map(int, confined.ask("burn").split())
        third, _ = map(int, confined.ask("").split())
    assert first <= second < third <= hard == same
    assert hard != resource.RLIM_INFINITY


class _Limits:
    def __init__(self, _registry: RegistryView | None) -> None:
        pass

    def __call__(self, question: str) -> str:
        until = time.process_time() + (1.5 if question else 0)
        while time.process_time() < until:
            pass
        soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        return f"{soft} {hard}"
