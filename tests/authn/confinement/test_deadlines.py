"""One thread keeps the deadlines of many: each acts once its time is over, and never after its block."""

from __future__ import annotations

import threading

from authn.confinement.deadlines import within
from tests.waiting import PATIENCE_S


def test_a_block_that_takes_too_long_is_told_so_while_it_runs() -> None:
    expired = threading.Event()
    with within(0.01, expired.set):
        assert expired.wait(PATIENCE_S)


def test_a_block_that_ends_in_time_is_left_alone_and_others_keep_their_own_deadline() -> None:
    early, late, short = threading.Event(), threading.Event(), threading.Event()
    with within(60, late.set):
        with within(60, early.set):
            pass
        with within(0.01, short.set):
            assert short.wait(PATIENCE_S)
    assert not early.is_set()
    assert not late.is_set()


def test_all_deadlines_of_a_process_are_kept_by_one_thread() -> None:
    def keepers() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "assay-deadlines"]

    with within(60, print):
        assert len(keepers()) == 1
        with within(50, print), within(70, print):
            assert len(keepers()) == 1
