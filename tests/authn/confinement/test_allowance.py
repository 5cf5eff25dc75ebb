"""How long a file may take: not stopped for what others compute, and not kept for standing still."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from authn.confinement.allowance import MOST_BY_THE_CLOCK, Allowance
from authn.confinement.confined import Confined
from authn.devices import RegistryView

pytestmark = pytest.mark.timeless

SECONDS = 60.0


class Machine:
    """A process that gets ``share`` of a core, until it has computed for ``work`` seconds."""

    def __init__(self, share: float, work: float = 1e9) -> None:
        self.now, self.used, self.share, self.left = 1000.0, 7.0, share, work

    def run(self, seconds: float) -> None:
        self.now += seconds
        computed = min(seconds * self.share, self.left)
        self.used, self.left = self.used + computed, self.left - computed


def stopped(share: float, work: float = 1e9, paused: float = 0.0) -> tuple[float, str]:
    """When it was stopped, and why. ``paused``: so many seconds nobody ran, neither it nor who looks."""
    machine = Machine(share, work)
    allowance = Allowance(SECONDS, lambda: machine.used, lambda: machine.now)
    wait: float | None = allowance.first
    machine.now += paused
    while wait is not None:
        machine.run(wait)
        wait = allowance.left()
    return machine.now - 1000, allowance.why


@pytest.mark.parametrize(
    ("share", "at", "why"),
    [
        pytest.param(1.0, SECONDS, "longer than 60 s of processor time", id="alone on a core"),
        pytest.param(2.0, SECONDS, "longer than 60 s of processor time", id="on two cores"),
        pytest.param(0.25, 4 * SECONDS, "longer than 60 s of processor time", id="a quarter of a core"),
        pytest.param(0.05, MOST_BY_THE_CLOCK * SECONDS, "longer than 300 s by the clock", id="hardly any"),
        pytest.param(0.0, SECONDS, "longer than 60 s, and stood still", id="stands still"),
    ],
)
def test_a_file_has_its_processor_time_however_busy_the_machine(share: float, at: float, why: str) -> None:
    seconds, said = stopped(share)
    assert at <= seconds <= at + SECONDS / 10
    assert said == why


@pytest.mark.parametrize("work", [0.0, 0.7, 5.0, 44.0, 50.0, 59.9])
def test_a_process_that_stops_computing_is_not_waited_for_as_if_it_went_on(work: float) -> None:
    seconds, said = stopped(1.0, work)
    assert SECONDS <= seconds <= max(SECONDS, work + SECONDS / 2)
    assert said == "longer than 60 s, and stood still"


@pytest.mark.parametrize(("share", "at"), [(1.0, SECONDS), (0.25, 4 * SECONDS), (0.0, SECONDS)])
def test_the_time_in_which_a_person_had_stopped_everything_is_nobodys(share: float, at: float) -> None:
    """Ctrl-Z and fg, or a container that was paused."""
    seconds, said = stopped(share, paused=3600)
    assert at <= seconds - 3600 <= at + SECONDS / 10
    assert "by the clock" not in said


def test_of_a_process_that_is_gone_nobody_waits_for_more() -> None:
    def gone() -> float:
        raise ProcessLookupError

    machine = Machine(0.0)
    allowance = Allowance(SECONDS, gone, lambda: machine.now)
    for _ in range(3):
        machine.run(SECONDS / 4)
        assert allowance.left() == SECONDS / 4, "its end is seen elsewhere"
    machine.run(SECONDS / 4)
    assert (allowance.left(), allowance.why) == (None, "longer than 60 s")


def test_an_examination_that_gets_a_tenth_of_a_core_is_answered_after_its_time_by_the_clock() -> None:
    with Confined(_open_slow, question=float, answer=str, timeout_s=1.5, memory_bytes=2**29) as confined:
        confined.warm()
        assert confined.ask(2.0) == "done"


def _open_slow(_registry: RegistryView | None) -> Callable[[float], str]:
    return _slow


def _slow(seconds: float) -> str:
    """A little work and more waiting, as on a machine where others work too."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        until = time.process_time() + 0.003
        while time.process_time() < until:
            pass
        time.sleep(0.02)
    return "done"
