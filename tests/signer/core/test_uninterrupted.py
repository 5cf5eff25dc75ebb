"""Ctrl-C during a native call is answered after it, and every other signal too."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import pytest

from signer.core.uninterrupted import uninterrupted


def test_an_interrupt_is_raised_when_the_work_is_done() -> None:
    done = []

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("after the signal")

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work)
    assert done == ["after the signal"]


def test_signals_reach_their_own_handlers_in_the_order_in_which_they_came() -> None:
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {n: signal.signal(n, note) for n in (signal.SIGUSR1, signal.SIGTERM)}
    try:

        def work() -> list[int]:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR1)
            return list(came)

        assert uninterrupted(work) == []
        assert came == [signal.SIGTERM, signal.SIGUSR1]
        assert {signal.getsignal(n) for n in before} == {note}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_failure_of_the_work_is_raised_and_handlers_are_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 // 0)
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_have_no_handlers_to_wait_for() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(uninterrupted(lambda: 1)))
    thread.start()
    thread.join()
    assert found == [1]
