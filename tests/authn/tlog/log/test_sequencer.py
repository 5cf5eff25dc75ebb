"""The writer: answers after the commit, batches who wait, keeps one history, halts when in doubt."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from authn.core.errors import LogHalted, LogInconsistent, ReceiptRefused, Unavailable
from authn.store.engine import open_engine, writing
from authn.tlog.format.entry import EntryKind, canonical, new_entry
from authn.tlog.format.merkle import EMPTY_ROOT
from authn.tlog.format.note import SigningKey
from authn.tlog.format.proof import proves_consistency
from authn.tlog.format.receipt import Receipt, parse_receipt, verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.queue import enqueue
from authn.tlog.log.reader import LogReader, destroy_salt
from authn.tlog.log.sequencer import Sequencer
from authn.tlog.log.storage import SqlStorage
from tests.doubles.logs import KEY, ORIGIN, FaultyStorage, entry, open_log, signing
from tests.waiting import PATIENCE_S, until


def test_a_new_log_signs_the_empty_tree(engine: Engine) -> None:
    open_log(engine)
    checked = check_log(engine, KEY.verifier)
    assert (checked.origin, checked.size, checked.root) == (ORIGIN, 0, EMPTY_ROOT)
    assert checked.checkpoints == 1


def test_a_receipt_proves_its_entry_and_no_other(engine: Engine) -> None:
    log = open_log(engine)
    for size in (1, 2, 254, 300):
        entries = tuple(entry(i) for i in range(size))
        receipts = log.append(entries)
        for one, receipt in zip(entries, receipts, strict=True):
            again = parse_receipt(receipt.text())
            assert again == receipt
            assert again.leaf(one.record) == one.leaf
            assert verify_receipt(again, one.leaf, KEY.verifier).witnessed_by == ()
        with pytest.raises(ReceiptRefused, match="does not prove"):
            verify_receipt(receipts[0], entries[0].leaf + b" ", KEY.verifier)
    checked = check_log(engine, KEY.verifier)
    assert (checked.size, checked.checkpoints, checked.openings) == (557, 5, 557)


def test_a_receipt_by_another_log_or_key_proves_nothing(engine: Engine) -> None:
    one = entry(0)
    (receipt,) = open_log(engine).append((one,))
    with pytest.raises(ReceiptRefused, match="nobody who is known"):
        verify_receipt(receipt, one.leaf, SigningKey.generate(ORIGIN).verifier)
    tampered = replace(receipt, note=receipt.note.replace("\n1\n", "\n2\n"))
    with pytest.raises(ReceiptRefused, match="not valid"):
        verify_receipt(tampered, one.leaf, KEY.verifier)


def test_what_is_logged_already_stays_where_it_is(engine: Engine) -> None:
    log = open_log(engine)
    one, two = entry(1), entry(2)
    log.append((one, two))
    log.append((entry(3),))
    again, new, twice = log.append((two, one4 := entry(4), one4))
    assert [again.index, new.index, twice.index] == [1, 3, 3]
    assert verify_receipt(again, two.leaf, KEY.verifier).size == 4
    assert log.append((one,))[0].index == 0
    assert check_log(engine, KEY.verifier).size == 4


def test_nothing_to_append_is_no_new_checkpoint(engine: Engine) -> None:
    log = open_log(engine)
    assert log.append(()) == ()
    assert check_log(engine, KEY.verifier).checkpoints == 1


def test_many_who_append_at_once_share_commits_and_none_is_forgotten(engine: Engine) -> None:
    log = open_log(engine)
    entries = [entry(i) for i in range(200)]
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(lambda e: log.append((e,))[0], entries))
    for one, receipt in zip(entries, receipts, strict=True):
        verify_receipt(receipt, one.leaf, KEY.verifier)
    checked = check_log(engine, KEY.verifier)
    assert checked.size == 200
    assert checked.checkpoints < 150, "no commit was shared"


def test_two_writers_keep_one_history(engine: Engine) -> None:
    """Two processes with a sequencer each: the database puts their batches in one order."""
    logs = open_log(engine), open_log(open_engine(engine.url.render_as_string(hide_password=False)))
    receipts: list[Receipt] = []

    def write(log: Sequencer) -> None:
        for i in range(30):
            receipts.extend(log.append((entry(i), entry(i))))

    writers = [threading.Thread(target=write, args=(log,)) for log in logs]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(r.index for r in receipts) == list(range(120))
    assert check_log(engine, KEY.verifier).size == 120


def test_every_two_checkpoints_are_consistent(engine: Engine) -> None:
    log, reader = open_log(engine), LogReader(engine)
    heads = [reader.head()]
    for batch in (1, 2, 300, 5):
        log.append(tuple(entry(i) for i in range(batch)))
        heads.append(reader.head())
    for i, old in enumerate(heads):
        for new in heads[i:]:
            proof = reader.consistency(old.size, new.size)
            assert proves_consistency(old.size, new.size, proof, old.root, new.root)


def test_what_was_queued_in_a_transaction_is_logged_once(engine: Engine) -> None:
    log = open_log(engine)
    with writing(engine) as connection:
        for i in range(300):
            enqueue(connection, entry(i))
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        enqueue(connection, entry(999))
        raise ZeroDivisionError
    assert log.append_queued() == 300
    assert log.append_queued() == 0
    assert check_log(engine, KEY.verifier).size == 300
    assert LogReader(engine).opening(299).record == canonical({"number": 299})


def test_a_destroyed_salt_leaves_the_log_as_it_is(engine: Engine) -> None:
    log = open_log(engine)
    log.append(tuple(entry(i) for i in range(3)))
    before = LogReader(engine).leaves(0, 3)
    destroy_salt(engine, 1)
    assert LogReader(engine).leaves(0, 3) == before
    assert check_log(engine, KEY.verifier).openings == 2


def test_a_leaf_says_nothing_about_its_record() -> None:
    one, two = (new_entry(EntryKind.REVOCATION, {"device": "abc"}) for _ in range(2))
    assert one.leaf != two.leaf
    assert b"abc" not in one.leaf
    assert len(one.leaf) == len(two.leaf)


def test_a_database_of_another_log_is_refused(engine: Engine) -> None:
    open_log(engine)
    with pytest.raises(LogHalted, match="holds the log"):
        open_log(engine, origin="other.test/log")


def _raise_unavailable() -> None:
    raise Unavailable("no space")


def test_an_error_before_the_commit_concerns_its_batch_alone(engine: Engine) -> None:
    open_log(engine)
    failing = [True]

    def fault() -> None:
        if failing:
            failing.pop()
            raise Unavailable("no space")

    log = Sequencer(FaultyStorage(engine, "put_tiles", False, fault), ORIGIN, signing(KEY))
    log.start()
    one = entry(1)
    with pytest.raises(Unavailable, match="no space") as refused:
        log.append((one,))
    assert not isinstance(refused.value, LogHalted)
    assert check_log(engine, KEY.verifier).size == 0
    assert log.append((one,))[0].index == 0
    assert check_log(engine, KEY.verifier).size == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_commit_that_does_not_return_halts_the_log(engine: Engine, after: bool) -> None:
    open_log(engine).close()
    log = Sequencer(FaultyStorage(engine, "commit", after, _raise_unavailable), ORIGIN, signing(KEY))
    log.start()
    one = entry(1)
    for _ in range(2):
        with pytest.raises(LogHalted):
            log.append((one,))
        with pytest.raises(LogHalted), writing(engine) as connection:
            enqueue(connection, entry(2))
            connection.commit()
            log.append_queued()
    assert log.halted is not None
    log.close()
    assert check_log(engine, KEY.verifier).size == after
    assert open_log(engine).append((one,))[0].index == 0, "asking again after a restart is safe"


def test_tiles_that_contradict_the_head_halt_the_log(engine: Engine) -> None:
    log = open_log(engine)
    log.append((entry(0), entry(1)))
    log.close()
    _unguarded(engine, "UPDATE log_tile SET hashes = :hashes", hashes=bytes(64))
    with pytest.raises(LogInconsistent, match="do not have the root"):
        log.append((entry(2),))
    with pytest.raises(LogHalted):
        log.append((entry(3),))
    with pytest.raises(LogInconsistent):
        open_log(engine)
    with pytest.raises(LogInconsistent, match="tile 0/0"):
        check_log(engine, KEY.verifier)


def _unguarded(engine: Engine, statement: str, **values: bytes) -> None:
    """What somebody does who may do anything to the database."""
    with writing(engine) as connection:
        for table in ("log_tile", "log_entry", "log_checkpoint", "log_state"):
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            else:
                connection.execute(text(f"DROP TRIGGER {table}_update"))
                connection.execute(text(f"DROP TRIGGER {table}_delete"))
        connection.execute(text(statement), values)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("DELETE FROM log_entry WHERE idx = 1", "entry 1 is missing"),
        ("DELETE FROM log_entry WHERE idx = 2", "beyond the tree"),
        ("UPDATE log_entry SET leaf = leaf_hash WHERE idx = 1", "entry 1 does not have the hash"),
        ("DELETE FROM log_tile", "tile 0/0"),
        ("INSERT INTO log_tile SELECT 1, 0, hashes FROM log_tile", "a tile that the tree does not have"),
        ("UPDATE log_checkpoint SET root = (SELECT leaf_hash FROM log_entry WHERE idx = 0)", "another root"),
        ("DELETE FROM log_checkpoint WHERE size = 3", "newest checkpoint"),
        ("UPDATE log_state SET size = 2", "checkpoint 2 says something else"),
        ("UPDATE log_opening SET record = salt WHERE idx = 2", "salt of entry 2 does not open"),
        ("UPDATE log_opening SET idx = 7 WHERE idx = 2", "entry 7, which does not exist"),
    ],
)
def test_the_check_names_what_was_changed(engine: Engine, damage: str, found: str) -> None:
    log = open_log(engine)
    log.append((entry(0), entry(1)))
    log.append((entry(2),))
    log.close()
    assert check_log(engine, KEY.verifier).size == 3
    _unguarded(engine, damage)
    with pytest.raises(LogInconsistent, match=found):
        check_log(engine, KEY.verifier)


def test_the_check_wants_the_logs_own_key(engine: Engine) -> None:
    log = Sequencer(SqlStorage(engine), ORIGIN, signing(SigningKey.generate(ORIGIN)))
    log.start()
    with pytest.raises(LogInconsistent, match="not signed by the log's key"):
        check_log(engine, KEY.verifier)


def test_those_who_come_while_a_batch_is_written_share_the_next_one(engine: Engine) -> None:
    open_log(engine).close()
    begun, go_on, commits = threading.Event(), threading.Event(), []

    def at_commit() -> None:
        commits.append(1)
        begun.set()
        assert go_on.wait(PATIENCE_S)

    log = Sequencer(FaultyStorage(engine, "commit", False, at_commit), ORIGIN, signing(KEY))
    found: dict[int, int] = {}

    def append(number: int) -> None:
        found[number] = log.append((entry(number),))[0].index

    first = threading.Thread(target=append, args=(0,))
    first.start()
    assert begun.wait(PATIENCE_S)
    others = [threading.Thread(target=append, args=(number,)) for number in range(1, 21)]
    for thread in others:
        thread.start()
    until(lambda: len(log._line) == len(others))
    go_on.set()
    for thread in (first, *others):
        thread.join(PATIENCE_S)
    assert sorted(found.values()) == list(range(21))
    assert len(commits) == 2
    log.close()


def test_a_failed_batch_is_told_to_all_in_it_and_the_next_in_line_leads_on(engine: Engine) -> None:
    open_log(engine).close()
    entered, go_on, left = threading.Event(), threading.Event(), [1, 1]

    def at_head() -> None:
        entered.set()
        assert go_on.wait(PATIENCE_S)
        if left:
            left.pop()
            raise Unavailable("no")

    log = Sequencer(FaultyStorage(engine, "head", False, at_head), ORIGIN, signing(KEY))
    told: list[str] = []

    def append(number: int) -> None:
        try:
            log.append((entry(number),))
            told.append("logged")
        except Unavailable:
            told.append("refused")

    threads = [threading.Thread(target=append, args=(0,))]
    threads[0].start()
    assert entered.wait(PATIENCE_S)
    threads += [threading.Thread(target=append, args=(number,)) for number in range(1, 6)]
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(log._line) == 5)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert told.count("refused") == 6
    assert log.append((entry(9),))[0].index == 0
    log.close()
