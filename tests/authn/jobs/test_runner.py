"""The threads that do jobs: whatever ends a piece of work, the job is done, tried again or given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authn.core.errors import AuthnError, ExaminationFailed, UnreadableMedia
from authn.jobs.runner import Pace, Runner
from authn.jobs.table import Job, Jobs, new_job
from authn.store.engine import open_engine
from tests.waiting import PATIENCE_S, until

DAY = timedelta(days=1)
LEASE_S = 0.3


def now() -> datetime:
    return datetime.now(UTC)


class Script:
    """Does what a test says, and notes what it was asked."""

    kind = "check"

    def __init__(self, jobs: Jobs, act: Callable[[Job], None]) -> None:
        self.jobs, self.act = jobs, act
        self.begun: list[int] = []
        self.given_up: list[str] = []
        self.ended = threading.Event()

    def run(self, job: Job) -> None:
        self.begun.append(job.attempts)
        self.act(job)
        if self.jobs.finish(job, now(), now() + DAY):
            self.ended.set()

    def give_up(self, job: Job, why: AuthnError) -> None:
        self.given_up.append(why.code)
        self.jobs.fail(job, "{}", now(), now() + DAY)
        self.ended.set()

    def pause(self, attempts: int) -> timedelta:
        return timedelta(0)

    def sweep(self) -> None:
        pass


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(open_engine(f"sqlite:///{tmp_path / 'assay.db'}"))


@contextmanager
def running(jobs: Jobs, work: Script, clock: Callable[[], datetime] = now) -> Iterator[Runner]:
    runner = Runner(jobs, work, Pace(threads=1, lease_s=LEASE_S, attempts=3, poll_s=0.02), clock)
    runner.start()
    runner.start()
    yield runner
    runner.close(patience_s=0.2)


def put(jobs: Jobs) -> Job:
    job = new_job("check", "{}", now(), DAY)
    jobs.add((job,), most=10, most_bytes=10)
    return job


def fails(times: int, error: AuthnError) -> Callable[[Job], None]:
    def act(job: Job) -> None:
        if job.attempts <= times:
            raise error

    return act


def test_what_passes_by_itself_is_tried_again(jobs: Jobs) -> None:
    work, job = Script(jobs, fails(2, ExaminationFailed("it died"))), put(jobs)
    with running(jobs, work):
        assert work.ended.wait(PATIENCE_S)
    assert (work.begun, work.given_up, jobs.get(job.id, "check", None).state) == ([1, 2, 3], [], "done")


@pytest.mark.parametrize(
    ("error", "begun"), [(ExaminationFailed("it died"), [1, 2, 3]), (UnreadableMedia("it is empty"), [1])]
)
def test_what_does_not_is_given_up_with_its_reason(jobs: Jobs, error: AuthnError, begun: list[int]) -> None:
    work = Script(jobs, fails(9, error))
    put(jobs)
    with running(jobs, work):
        assert work.ended.wait(PATIENCE_S)
    assert (work.begun, work.given_up) == (begun, [error.code])


def test_a_long_piece_of_work_keeps_its_lease_while_another_process_looks(jobs: Jobs) -> None:
    """For more than four leases by a clock that goes on only when the lease was extended: a heartbeat that a
    busy machine lets wait for longer than that is no fault of it."""
    put(jobs)
    clock, lease = [now()], timedelta(seconds=LEASE_S)

    def act(job: Job) -> None:
        for _ in range(5):
            clock[0] += 0.9 * lease
            until(lambda: jobs.get(job.id, "check", None).due_at >= clock[0] + lease)

    work, looks = Script(jobs, act), Script(jobs, lambda _: None)
    with running(jobs, work, lambda: clock[0]):
        until(lambda: work.begun)
        with running(jobs, looks, lambda: clock[0]):
            assert work.ended.wait(PATIENCE_S)
    assert (work.begun, looks.begun) == ([1], [])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_a_thread_and_not_the_work_and_is_counted(jobs: Jobs) -> None:
    def act(job: Job) -> None:
        raise ZeroDivisionError("a defect of ours")

    work = Script(jobs, act)
    put(jobs)
    with running(jobs, work):
        assert work.ended.wait(PATIENCE_S)
    assert (work.begun, work.given_up) == ([1, 2, 3], ["assay.job.abandoned"])


def test_who_stops_gives_back_what_it_has_begun(jobs: Jobs) -> None:
    began, go_on = threading.Event(), threading.Event()

    def act(job: Job) -> None:
        began.set()
        go_on.wait(PATIENCE_S)

    work, job = Script(jobs, act), put(jobs)
    with running(jobs, work):
        assert began.wait(PATIENCE_S)
    left = jobs.get(job.id, "check", None)
    assert (left.state, left.attempts) == ("queued", 0)
    go_on.set()  # too late: it may write nothing any more
    other = Script(jobs, lambda _: None)
    with running(jobs, other):
        assert other.ended.wait(PATIENCE_S)
    assert (other.begun, work.ended.is_set()) == ([1], False)
