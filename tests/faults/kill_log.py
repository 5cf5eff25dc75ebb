"""Kill writers of the log, again and again, and look for anything that was promised and is not there.

Usage: python -m tests.faults.kill_log ROUNDS (sqlite | postgresql) [SEED]

Each round starts two writers as processes. One kills itself before or after a random step of a transaction,
the other is killed after a random time. What they print (a receipt, after the append returned) was promised.
At the end, and now and then, ``check_log`` derives the whole log again, every promised receipt has to verify
and to name the entry that is stored at its place, and its checkpoint has to be one that is stored and not be
larger than the mark beside the key; and the mark lets the log be opened.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, select

from authn.store.engine import open_engine, reading
from authn.store.schema import log_checkpoint, log_entry
from authn.tlog.format.merkle import leaf_hash
from authn.tlog.format.receipt import parse_receipt, verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.sequencer import Sequencer
from authn.tlog.log.watermark import MARK_FILE, Watermark
from tests.doubles import postgres
from tests.doubles.logs import (
    KEY,
    ORIGIN,
    STEPS,
    FaultyStorage,
    FaultyWatermark,
    entry,
    open_log,
    signing,
)

CHECK_EVERY = 100
PIPE_BYTES = 1 << 20
LONGEST_LIFE_S = 0.08
MARK = "mark"
KILLED_AT = (*(step for step in STEPS if step != "unqueue"), MARK)  # nothing is queued here
END = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    leaf: bytes
    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    rounds: int
    promised: int
    logged: int
    checkpoints: int


def main(rounds: int, kind: str, seed: int) -> Outcome:
    random.seed(seed)
    with ExitStack() as stack:
        if kind == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'assay.db'}"
        else:
            url = postgres.new_database(stack.enter_context(postgres.server()))
        marks = stack.enter_context(tempfile.TemporaryDirectory())
        return run(url, Path(marks) / MARK_FILE, rounds)


def run(url: str, mark: Path, rounds: int) -> Outcome:
    engine = open_engine(url)
    open_log(engine, watermark=Watermark(mark)).close()
    promises: list[Promise] = []
    for number in range(1, rounds + 1):
        promises += _round(url, mark)
        open_log(engine, watermark=Watermark(mark)).close()
        if number % CHECK_EVERY == 0:
            show(number, check(engine, mark, promises, number))
    return check(engine, mark, promises, rounds)


def show(number: int, outcome: Outcome) -> None:
    print(f"{number} rounds: {outcome}", file=sys.stderr, flush=True)


def check(engine: Engine, mark: Path, promises: list[Promise], rounds: int) -> Outcome:
    """Raises ``AssertionError``, ``LogInconsistent`` or ``ReceiptRefused`` when something is wrong."""
    checked = check_log(engine, KEY.verifier)
    marked = Watermark(mark).read()
    assert marked is not None
    assert marked.size <= checked.size
    with reading(engine) as connection:
        stored = {
            index: bytes(hash_)
            for index, hash_ in connection.execute(select(log_entry.c.idx, log_entry.c.leaf_hash))
        }
        notes = set(connection.execute(select(log_checkpoint.c.note)).scalars())
    for promise in promises:
        receipt = parse_receipt(promise.receipt)
        verified = verify_receipt(receipt, promise.leaf, KEY.verifier)
        assert verified.size <= marked.size, "a published checkpoint is not marked"
        assert stored.get(receipt.index) == leaf_hash(promise.leaf), "a promised entry is lost"
        assert receipt.note in notes, "a published checkpoint is not stored"
    return Outcome(
        rounds=rounds, promised=len(promises), logged=checked.size, checkpoints=checked.checkpoints
    )


def _round(url: str, mark: Path) -> list[Promise]:
    suicidal = _start(url, mark, step=random.choice(KILLED_AT), after=random.random() < 0.5)
    victim = _start(url, mark, step="", after=False)
    time.sleep(random.uniform(0.01, LONGEST_LIFE_S))
    os.kill(victim[0], signal.SIGKILL)
    return [*_end(*victim), *_end(*suicidal)]


def _start(url: str, mark: Path, step: str, after: bool) -> tuple[int, IO[bytes]]:
    reader, writer = os.pipe()
    # Nobody reads while it lives; in a small pipe it would soon be waiting for that instead of working.
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    lives = random.randrange(1, 12)
    pid = os.fork()  # a fresh interpreter would take longer than a round
    if pid == 0:
        os.close(reader)
        try:
            _write(url, mark, step, after, lives, writer)
        finally:
            os._exit(1)  # only reached when something is wrong
    os.close(writer)
    return pid, os.fdopen(reader, "rb")


def _write(url: str, mark: Path, step: str, after: bool, lives: int, writer: int) -> None:
    """Append until killed."""
    left = [lives]

    def die() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    storage = FaultyStorage(open_engine(url), step, after, die)
    watermark = FaultyWatermark(mark, after, die) if step == MARK else Watermark(mark)
    log = Sequencer(storage, ORIGIN, signing(KEY), watermark)
    for number in range(100_000):
        entries = tuple(entry(number) for _ in range(random.choice((1, 1, 3, 40))))
        for one, receipt in zip(entries, log.append(entries), strict=True):
            os.write(writer, f"{one.leaf.decode()}\n{receipt.text()}{END}".encode())


def _end(pid: int, reader: IO[bytes]) -> list[Promise]:
    with reader:
        written = reader.read().decode()
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "a writer failed instead of being killed"
    # What comes after the last mark was cut off in the middle: nobody got that receipt.
    told = (part.partition("\n") for part in written.split(END)[:-1])
    return [Promise(leaf=leaf.encode(), receipt=receipt) for leaf, _, receipt in told]


if __name__ == "__main__":
    print(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
