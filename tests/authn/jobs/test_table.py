"""The table of jobs, on both databases: one worker at a time, and no job is lost or done twice."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, insert, select

from authn.core.errors import JobUnknown, QueueFull
from authn.jobs.table import Job, Jobs, State, new_job
from authn.store.engine import reading
from authn.store.schema import jobs as rows
from authn.store.schema import log_start_entries
from tests.databases import database_url, engine, postgresql

__all__ = ["database_url", "engine", "postgresql"]
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
LEASE, DAY = timedelta(seconds=30), timedelta(days=1)


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine)


def job(age_s: int = 0, **given: object) -> Job:
    return new_job("check", "{}", NOW - timedelta(seconds=age_s), DAY, **given)  # type: ignore[arg-type]


def add(jobs: Jobs, *new: Job, most: int = 100, most_bytes: int = 1000) -> None:
    jobs.add(new, most=most, most_bytes=most_bytes)


def claim(jobs: Jobs, after: timedelta = timedelta(0)) -> Job | None:
    return jobs.claim("check", NOW + after, LEASE)


def test_the_oldest_comes_first_a_batch_after_single_ones_and_none_comes_twice(jobs: Jobs) -> None:
    batch, young, old = job(age_s=9, batch_id="b"), job(age_s=1), job(age_s=5)
    add(jobs, batch, young, old)
    assert [jobs.before(j) for j in (old, young, batch)] == [0, 1, 0]
    taken = [claim(jobs) for _ in range(4)]
    assert [t and t.id for t in taken] == [old.id, young.id, batch.id, None]
    assert {(t.state, t.attempts) for t in taken if t} == {(State.RUNNING, 1)}


def test_workers_side_by_side_take_each_job_once(jobs: Jobs) -> None:
    add(jobs, *(job() for _ in range(24)))

    def work(_: int) -> list[str]:
        taken = []
        while found := claim(jobs):
            taken.append(found.id)
        return taken

    with ThreadPoolExecutor(6) as workers:
        counted = Counter(id_ for taken in workers.map(work, range(6)) for id_ in taken)
    assert (len(counted), set(counted.values())) == (24, {1})


def test_a_job_whose_worker_was_killed_is_taken_up_again_when_its_lease_has_ended(jobs: Jobs) -> None:
    add(jobs, job())
    first = claim(jobs)
    assert first is not None
    assert claim(jobs, after=LEASE / 2) is None
    assert jobs.extend(first, NOW + 2 * LEASE)  # its heartbeat
    assert claim(jobs, after=1.5 * LEASE) is None
    second = claim(jobs, after=2 * LEASE)
    assert second is not None
    assert (second.id, second.attempts, second.started_at) == (first.id, 2, NOW)
    assert not jobs.extend(first, NOW + DAY)
    assert not jobs.finish(first, NOW, NOW + DAY, also=lambda _: pytest.fail("it wrote without a lease"))
    assert jobs.finish(second, NOW, NOW + DAY)
    assert jobs.get(first.id, "check", None).state == State.DONE
    assert claim(jobs, after=DAY) is None


def test_what_comes_of_a_job_is_written_together_with_its_end_or_not_at_all(
    jobs: Jobs, engine: Engine
) -> None:
    add(jobs, job())
    mine = claim(jobs)
    assert mine is not None

    def write(connection: object) -> None:
        connection.execute(insert(log_start_entries).values(subject="s", record_sha256="0"))  # type: ignore[attr-defined]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        jobs.finish(mine, NOW, NOW + DAY, also=write)
    assert jobs.get(mine.id, "check", None).open
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(log_start_entries)).scalar() == 0


def test_a_pause_is_kept_and_a_stop_in_order_costs_no_attempt(jobs: Jobs) -> None:
    add(jobs, job())
    first = claim(jobs)
    assert first is not None
    assert jobs.postpone(first, NOW + LEASE)
    assert claim(jobs, after=LEASE / 2) is None
    second = claim(jobs, after=LEASE)
    assert second is not None
    assert jobs.release(second, NOW)
    third = claim(jobs)
    assert third is not None
    assert (second.attempts, third.attempts) == (2, 2)


def test_of_one_lane_one_runs_at_a_time(jobs: Jobs) -> None:
    slow, held, other = job(3, lane="a"), job(2, lane="a"), job(1, lane="b")
    add(jobs, slow, held, other)
    assert [t and t.id for t in (claim(jobs), claim(jobs), claim(jobs))] == [slow.id, other.id, None]
    freed = claim(jobs, after=LEASE)  # its worker is gone, and so is its hold on the lane
    assert freed is not None
    assert freed.lane in ("a", "b")


def test_of_one_lane_one_runs_at_a_time_whoever_comes_together(jobs: Jobs) -> None:
    for n in range(10):
        add(jobs, *(job(lane=f"lane {n}") for _ in range(4)))
        with ThreadPoolExecutor(4) as pool:
            claimed = list(pool.map(lambda _: claim(jobs), range(4)))
        assert len([c for c in claimed if c is not None and c.lane == f"lane {n}"]) <= 1


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 1000), (100, 25)])
def test_more_than_may_wait_is_refused_whole(jobs: Jobs, most: int, most_bytes: int) -> None:
    add(jobs, job(size_bytes=10))
    with pytest.raises(QueueFull):
        add(jobs, job(size_bytes=10), job(size_bytes=10), most=most, most_bytes=most_bytes)
    mine = claim(jobs)
    assert mine is not None
    assert claim(jobs) is None
    assert jobs.fail(mine, '{"code":"x"}', NOW, NOW + DAY)
    add(jobs, job(size_bytes=10), job(size_bytes=10), most=most, most_bytes=most_bytes)


def test_somebody_else_s_job_is_as_unknown_as_none(jobs: Jobs) -> None:
    mine, nobodys = job(owner="machine:a"), job()
    add(jobs, mine, nobodys)
    assert jobs.get(mine.id, "check", "machine:a") == mine
    assert jobs.get(nobodys.id, "check", "machine:b") == nobodys
    for id_, kind, owner in ((mine.id, "check", None), (mine.id, "check", "machine:b"), (mine.id, "x", None)):
        with pytest.raises(JobUnknown):
            jobs.get(id_, kind, owner)


def test_a_deleted_job_can_no_longer_be_ended(jobs: Jobs) -> None:
    add(jobs, job())
    mine = claim(jobs)
    assert mine is not None
    jobs.delete(mine)
    assert not jobs.finish(mine, NOW, NOW + DAY)
    with pytest.raises(JobUnknown):
        jobs.delete(mine)


def test_what_has_waited_too_long_is_handed_out_to_be_given_up_and_forgotten_later(
    jobs: Jobs, engine: Engine
) -> None:
    add(jobs, job())
    assert jobs.overdue("check", NOW, 10) == ()
    (late,) = jobs.overdue("check", NOW + DAY, 10)
    assert jobs.open_ids((late.id, "other")) == {late.id}
    assert jobs.fail(late, "{}", NOW + DAY, NOW + 2 * DAY)
    assert (jobs.purge(NOW + DAY), jobs.purge(NOW + 2 * DAY)) == (0, 1)
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(rows)).scalar() == 0
