"""Durable appends per second by batch size, and by how many callers append one entry each at the same time,
beside what the disk allows.

Usage: python -m tests.bench.log_append [SECONDS] [sqlite] [postgresql]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from authn.store.engine import open_engine
from authn.tlog.format.entry import LogEntry
from authn.tlog.log.check import check_log
from tests.doubles import postgres
from tests.doubles.logs import KEY, entry, open_log

BATCHES = (1, 16, 256)
CALLERS = (16, 64, 256)  # each waits for its receipt before it appends the next
PAGE_BYTES = 4096


def syncs_per_second(folder: Path, seconds: float) -> float:
    """How often one can append a page to a file and have it on the disk: the ceiling for batches of one."""
    path, count = folder / "sync", 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        os.write(fd, bytes(PAGE_BYTES))
        os.fdatasync(fd)
        count += 1
    rate = count / (time.perf_counter() - start)
    os.close(fd)
    path.unlink()
    return rate


def appends_per_second(url: str, batch: int, seconds: float) -> tuple[float, float]:
    """Entries with their receipts, per second, and per second of this process's processor time."""
    engine = open_engine(url)
    log = open_log(engine)
    log.append((entry(0),))
    prepared = [tuple(entry(i) for i in range(batch)) for _ in range(max(8, int(seconds * 40_000 / batch)))]
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    for entries in prepared:
        count += len(log.append(entries))
        if time.perf_counter() - start >= seconds:
            break
    wall, busy = time.perf_counter() - start, time.process_time() - cpu
    log.close()
    assert check_log(engine, KEY.verifier).size == count + 1
    return count / wall, count / busy


def concurrent_appends_per_second(url: str, callers: int, each: int) -> tuple[float, float]:
    """As ``appends_per_second``, by so many threads with one entry at a time."""
    engine = open_engine(url)
    log = open_log(engine)
    log.append((entry(0),))
    prepared = [[(entry(i),) for i in range(each)] for _ in range(callers)]

    def one(entries: list[tuple[LogEntry]]) -> int:
        return sum(len(log.append(single)) for single in entries)

    start, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(callers) as pool:
        count = sum(pool.map(one, prepared))
    wall, busy = time.perf_counter() - start, time.process_time() - cpu
    log.close()
    assert check_log(engine, KEY.verifier).size == count + 1
    return count / wall, count / busy


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'assay.db'}"
    else:
        with postgres.server() as first:
            yield postgres.new_database(first)


def main(seconds: float, kinds: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:
        rate = syncs_per_second(Path(name), seconds)
    print(f"load {os.getloadavg()[0]:.1f}; fdatasync of a page: {rate:,.0f}/s")
    for kind in kinds:
        for batch in BATCHES:
            with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
                wall, busy = appends_per_second(url, batch, seconds)
            print(
                f"{kind:10} batch {batch:4}: {wall:9,.0f} appends/s, {busy:9,.0f} per cpu-s of this process"
            )

        for callers in CALLERS:
            with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
                each = max(4, int(seconds * 1000 / callers))
                wall, busy = concurrent_appends_per_second(url, callers, each)
            print(f"{kind:10} {callers:3} callers: {wall:8,.0f} appends/s, {busy:9,.0f} per cpu-s")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(float(given[0]) if given else 3.0, tuple(given[1:]) or ("sqlite", "postgresql"))
