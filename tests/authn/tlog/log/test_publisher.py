"""The service's own gathering: witnesses that sign, are away, come back, or have seen another history."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine

from authn.core.errors import LogHalted, SplitView
from authn.store.engine import open_engine
from authn.tlog.format.cosignature import Cosigner, signed_at
from authn.tlog.format.entry import LogEntry
from authn.tlog.format.note import verify
from authn.tlog.format.policy import WitnessPolicy, parse_policy
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.feeder import NoCosignature, exchange_capped
from authn.tlog.log.log import Log, open_log
from authn.tlog.log.publisher import MAX_WAIT_S, SHOW_AGAIN_S, Publisher
from authn.tlog.witness.witness import Answer
from tests.doubles.logs import ORIGIN, entry
from tests.doubles.witnesses import cosigner, policy_text, witness_process, witnessing
from tests.waiting import until

A, B = cosigner("a"), cosigner("b")
DOWN = "http://127.0.0.1:9"  # the port of discard, where nobody listens


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(engine: Engine, tmp_path: Path) -> Iterator[Log]:
    with closing(open_log(engine, tmp_path / "log.key.pem", ORIGIN)) as opened:
        yield opened


def policy(*witnesses: tuple[Cosigner, str], quorum: int = 1) -> WitnessPolicy:
    named = [(w.name.partition(".")[0], w.verifier, url) for w, url in witnesses]
    return parse_policy(policy_text(*named, quorum=quorum))


Publishes = Callable[..., Publisher]


@pytest.fixture
def publishing(log: Log, tmp_path: Path) -> Iterator[Publishes]:
    opened: list[Publisher] = []

    def make(asked: WitnessPolicy, **options: object) -> Publisher:
        lock = tmp_path / f"{len(opened)}.lock"
        opened.append(Publisher(log, asked, lock, interval_s=10, **options))
        return opened[-1]

    yield make
    for publisher in opened:
        publisher.close()


def test_receipts_become_witnessed_while_the_service_runs(engine: Engine, log: Log, tmp_path: Path) -> None:
    one = entry(1)
    (receipt,) = log.append((one,))
    assert verify_receipt(receipt, one.leaf, log.verifier, (A.verifier, B.verifier)).witnessed_by == ()
    with (
        witnessing(tmp_path / "a.db", (log.verifier,), A) as a,
        witnessing(tmp_path / "b.db", (log.verifier,), B) as b,
    ):
        publisher = Publisher(log, policy((A, a), (B, b), quorum=2), tmp_path / "lock", interval_s=0.05)
        publisher.start()
        try:
            for number in range(2, 5):
                log.append((entry(number),))
                until(lambda size=number: _witnessed(log) == size)
            # one of them has signed it by then; the other may be about to
            until(lambda: _witnesses_of(log, one) == (4, (A.name, B.name)))
        finally:
            publisher.close()
    assert _witnesses_of(log, one) == (4, (A.name, B.name))
    assert check_log(engine, log.verifier).size == 4


def test_a_witness_that_is_away_is_asked_later_and_later_and_signs_when_it_is_back(
    log: Log, publishing: Publishes, tmp_path: Path
) -> None:
    log.append((entry(1),))
    clock, asked = Time(), []

    def exchange(url: str, body: bytes | None) -> Answer:
        asked.append(clock.now)
        return exchange_capped(url, body)

    publisher = publishing(policy((A, DOWN)), exchange=exchange, clock=clock)
    while clock.now < 12_000:
        publisher.publish()
        clock.now += 10
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps[:4] == [10, 20, 40, 80]
    assert gaps[-1] == MAX_WAIT_S
    assert log.halted is None
    with witnessing(tmp_path / "a.db", (log.verifier,), A) as url:
        back = publishing(policy((A, url)))
        back.publish()
    assert _witnessed(log) == 1


def test_one_witness_that_is_away_does_not_keep_the_others_from_signing(
    log: Log, publishing: Publishes, tmp_path: Path
) -> None:
    log.append((entry(1),))
    with witnessing(tmp_path / "a.db", (log.verifier,), A) as url:
        publishing(policy((B, DOWN), (A, url), quorum=1)).publish()
    assert log.witnessed_checkpoint() == log.checkpoint()
    assert A.name in log.checkpoint()


def test_a_checkpoint_that_stays_the_newest_gets_a_newer_time(
    log: Log, publishing: Publishes, tmp_path: Path
) -> None:
    clock, at = Time(), [1_795_000_000]
    signer = Cosigner(name=A.name, key=A.key, clock=lambda: at[0])
    log.append((entry(1),))
    with witnessing(tmp_path / "a.db", (log.verifier,), signer) as url:
        publisher = publishing(policy((A, url)), clock=clock)
        publisher.publish()
        at[0] += 700
        publisher.publish()
        assert _times(log) == [1_795_000_000]
        clock.now += SHOW_AGAIN_S
        publisher.publish()
    assert _times(log) == [1_795_000_700]


def test_only_one_of_two_processes_asks(log: Log, tmp_path: Path) -> None:
    log.append((entry(1),))
    asked: list[str] = []

    def exchange(url: str, body: bytes | None) -> Answer:
        asked.append(url)
        raise NoCosignature("no")

    publishers = [
        Publisher(log, policy((A, DOWN)), tmp_path / "lock", interval_s=1, exchange=exchange) for _ in "12"
    ]
    for publisher in publishers:
        publisher.publish()
    assert len(asked) == 1
    publishers[0].close()
    publishers[1].publish()
    assert len(asked) == 2
    publishers[1].close()


@pytest.mark.parametrize("grown_again", [False, True], ids=["shrunk", "another history"])
def test_a_restored_backup_halts_the_log_and_keeps_both_notes(tmp_path: Path, grown_again: bool) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    home.mkdir()
    with closing(_open(home)) as log:
        log.append((entry(0), entry(1)))
        key = log.verifier
    shutil.copytree(home, backup)
    with witnessing(tmp_path / "a.db", (key,), A) as url:
        with closing(_open(home)) as log:
            log.append(tuple(map(entry, range(2, 7))))
            _published(log, policy((A, url)), home)
            held = log.checkpoint()
        shutil.rmtree(home)
        shutil.copytree(backup, home)
        with closing(_open(home)) as log:
            if grown_again:
                log.append(tuple(map(entry, range(10, 20))))
            shown = log.checkpoint()
            with pytest.raises(SplitView):
                _published(log, policy((A, url)), home)
            with pytest.raises(LogHalted):
                log.append((entry(99),))
    kept = (home / "log.halted").read_text()
    assert shown in kept
    assert held.partition("\n\n")[0] in kept
    for note in (shown, held):
        assert verify(note, (key,)).text


def test_a_halted_log_is_not_shown_to_anybody(log: Log, publishing: Publishes) -> None:
    asked: list[str] = []

    def exchange(url: str, body: bytes | None) -> Answer:
        asked.append(url)
        raise NoCosignature("no")

    log.halt("for a test", "")
    publishing(policy((A, DOWN)), exchange=exchange).publish()
    assert asked == []


@pytest.mark.slow
def test_the_command_s_witnesses_sign_too(log: Log, publishing: Publishes, tmp_path: Path) -> None:
    one = entry(1)
    log.append((one,))
    with witness_process(tmp_path / "w", "w.example/real", str(log.verifier)) as witness:
        asked = parse_policy(policy_text(("w", witness.key, witness.url), quorum=1))
        publishing(asked).publish()
    keys = tuple(w.key for w in asked.witnesses)
    assert verify_receipt(log.receipt(0), one.leaf, log.verifier, keys).witnessed_by == ("w.example/real",)


def _open(home: Path) -> Log:
    return open_log(open_engine(f"sqlite:///{home / 'assay.db'}"), home / "log.key.pem", ORIGIN)


def _published(log: Log, asked: WitnessPolicy, home: Path) -> None:
    with closing(Publisher(log, asked, home / "lock", interval_s=1)) as publisher:
        publisher.publish()


def _witnessed(log: Log) -> int:
    note = log.witnessed_checkpoint()
    return 0 if note is None else int(note.split("\n")[1])


def _witnesses_of(log: Log, first: LogEntry) -> tuple[int, tuple[str, ...]]:
    verified = verify_receipt(log.receipt(0), first.leaf, log.verifier, (A.verifier, B.verifier))
    return verified.size, verified.witnessed_by


def _times(log: Log) -> list[int | None]:
    note = log.witnessed_checkpoint()
    assert note is not None
    return [signed_at(s.signature) for s in verify(note, (A.verifier,)).signatures]
