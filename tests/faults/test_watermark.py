"""A key never signs less than it has signed, whatever becomes of the database it signs for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from authn.cli import cli
from authn.core.config import load_settings
from authn.core.errors import LogHalted, LogInconsistent, Unavailable
from authn.service.wiring import check_services
from authn.store.engine import open_engine, writing
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.log import log as tlog
from authn.tlog.log.check import check_log
from authn.tlog.log.log import Log
from authn.tlog.log.sequencer import Sequencer
from authn.tlog.log.storage import SqlStorage
from authn.tlog.log.watermark import MARK_FILE, Watermark
from tests.doubles.logs import KEY, ORIGIN, FaultyStorage, FaultyWatermark, entry, open_log, signing

NAME = "log.test/receipts"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    (tmp_path / "pki").mkdir()
    return tmp_path / "pki" / "log.key.pem"


@pytest.fixture
def mark(key_file: Path) -> Path:
    return key_file.with_name(MARK_FILE)


def opened(engine: Engine, key_file: Path) -> Log:
    return tlog.open_log(engine, key_file, NAME)


def sqlite(path: Path) -> Engine:
    return open_engine(f"sqlite:///{path}")


def copied(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())
    for rest in target.parent.glob(f"{target.name}-*"):
        rest.unlink()


def test_the_mark_follows_the_log(engine: Engine, key_file: Path, mark: Path) -> None:
    with closing(opened(engine, key_file)) as log:
        for number in range(3):
            log.append((entry(number),))
            head = log.reader.head()
            assert Watermark(mark).read() == Checkpoint(NAME, number + 1, head.root)
        log.append((entry(7), entry(8)))
    assert mark.stat().st_mode & 0o077 == 0
    opened(engine, key_file).close()


def test_another_database_gets_no_second_log_of_the_same_key(
    engine: Engine, key_file: Path, mark: Path, tmp_path: Path
) -> None:
    """The database was deleted, or another one is named."""
    with closing(opened(engine, key_file)) as log:
        log.append((entry(1),))
    for _ in range(2):
        with pytest.raises(LogInconsistent, match=r"signed 1 entries.*holds no log.*operating\.md"):
            opened(sqlite(tmp_path / "new.db"), key_file)
    with closing(opened(engine, key_file)) as log:
        assert log.reader.head().size == 1


def test_a_log_that_signed_nothing_may_begin_again(engine: Engine, key_file: Path, tmp_path: Path) -> None:
    opened(engine, key_file).close()
    opened(sqlite(tmp_path / "new.db"), key_file).close()


def test_a_key_that_was_published_and_has_no_mark_begins_no_log(key_file: Path, tmp_path: Path) -> None:
    """A home of a version that kept no mark, whose database is gone."""
    with closing(opened(sqlite(tmp_path / "a.db"), key_file)) as log:
        key_file.with_name("log.vkey").write_text(f"{log.verifier}\n")
    key_file.with_name(MARK_FILE).unlink()
    with pytest.raises(LogInconsistent, match="has signed a log that is not in the database"):
        opened(sqlite(tmp_path / "b.db"), key_file)
    opened(sqlite(tmp_path / "a.db"), key_file).close()
    assert key_file.with_name(MARK_FILE).exists()


@pytest.mark.parametrize("then", [0, 1, 2, 5], ids=lambda n: f"{n} written after it")
def test_an_older_copy_is_refused_also_after_it_was_written_to(
    key_file: Path, mark: Path, tmp_path: Path, then: int
) -> None:
    file = tmp_path / "assay.db"
    with closing(opened(sqlite(file), key_file)) as log:
        log.append((entry(1),))
    copied(file, tmp_path / "backup")
    with closing(opened(sqlite(file), key_file)) as log:
        log.append((entry(2),))
        log.append((entry(3),))
    copied(tmp_path / "backup", file)
    key = tlog._load_key(key_file, NAME)
    if then:  # as a program that knows of no mark would
        with closing(open_log(sqlite(file), key)) as other:
            other.append(tuple(entry(10 + i) for i in range(then)))
    with pytest.raises(LogInconsistent, match=r"an older copy|another history"):
        opened(sqlite(file), key_file)
    marked = Watermark(mark).read()
    assert marked is not None
    assert marked.size == 3


def test_an_older_copy_is_refused_by_a_writer_that_runs(key_file: Path, tmp_path: Path) -> None:
    """Another process marked it: this one never saw the larger log."""
    file = tmp_path / "assay.db"
    with closing(opened(sqlite(file), key_file)) as running:
        running.append((entry(1),))
        copied(file, tmp_path / "backup")
        Watermark(key_file.with_name(MARK_FILE)).keep(Checkpoint(NAME, 9, bytes(32)))
        with pytest.raises(LogHalted, match="older copy"):
            running.append((entry(2),))
        assert running.halted


def test_a_key_marked_for_another_log_signs_nothing_here(engine: Engine, key_file: Path, mark: Path) -> None:
    opened(engine, key_file).close()
    mark.write_text(Checkpoint("elsewhere.example/log", 0, Watermark(mark).read().root).text())  # type: ignore[union-attr]
    with pytest.raises(LogInconsistent, match="has signed the log elsewhere"):
        opened(engine, key_file)


@pytest.mark.parametrize("damage", [b"", b"\xff", b"nonsense\n", b"a\n1\nAAAA\n", b"log.test/receipts\n-1\n"])
def test_a_damaged_mark_is_refused_in_words(
    engine: Engine, key_file: Path, mark: Path, damage: bytes
) -> None:
    opened(engine, key_file).close()
    mark.write_bytes(damage)
    with pytest.raises(LogInconsistent, match="is no mark of a log"):
        opened(engine, key_file)


# crashes


class Crash(BaseException):
    pass


@pytest.mark.parametrize(
    ("step", "after", "size"),
    [("advance", True, 1), ("commit", False, 1), ("commit", True, 2), ("mark", False, 2), ("mark", True, 2)],
)
def test_a_crash_at_any_step_is_not_held_against_the_log(
    engine: Engine, mark: Path, step: str, after: bool, size: int
) -> None:
    armed: list[bool] = []

    def fault() -> None:
        if armed:
            armed.clear()
            raise Crash

    watermark = FaultyWatermark(mark, after, fault) if step == "mark" else Watermark(mark)
    log = Sequencer(FaultyStorage(engine, step, after, fault), ORIGIN, signing(KEY), watermark)
    log.start()
    log.append((entry(1),))
    armed.append(True)
    two = entry(2)
    with pytest.raises(Crash):
        log.append((two,))
    log.close()
    with closing(open_log(engine, watermark=Watermark(mark))) as again:
        marked = Watermark(mark).read()
        assert marked is not None
        assert marked.size == size == check_log(engine, KEY.verifier).size
        assert again.append((two,))[0].index == 1


def test_a_mark_that_cannot_be_written_gives_no_receipt_and_asking_again_does(
    engine: Engine, key_file: Path, mark: Path
) -> None:
    with closing(opened(engine, key_file)) as log:
        log.append((entry(1),))
        one = entry(2)
        lock = mark.with_name(f"{MARK_FILE}.lock")
        lock.unlink()
        lock.mkdir()
        with pytest.raises(Unavailable):
            log.append((one,))
        with pytest.raises(Unavailable):
            log.checkpoint()
        lock.rmdir()
        assert not log.halted
        assert log.append((one,))[0].index == 1


def test_who_only_reads_marks_before_it_shows(engine: Engine, key_file: Path, mark: Path) -> None:
    """Another process has committed and is killed before it marks."""

    def fault() -> None:
        if armed:
            raise Crash

    armed: list[bool] = []
    with closing(opened(engine, key_file)) as reading:
        key = tlog._load_key(key_file, NAME)
        watermark = FaultyWatermark(mark, False, fault)
        writing_log = Sequencer(SqlStorage(engine), NAME, signing(key), watermark)
        writing_log.start()
        armed.append(True)
        with pytest.raises(Crash):
            writing_log.append((entry(1),))
        writing_log.close()
        assert Watermark(mark).read().size == 0  # type: ignore[union-attr]
        assert reading.checkpoint().splitlines()[1] == "1"
        assert Watermark(mark).read().size == 1  # type: ignore[union-attr]


def test_the_mark_never_shrinks_whoever_comes_last(mark: Path) -> None:
    def keep(size: int) -> Callable[[], None]:
        return lambda: Watermark(mark).keep(Checkpoint(NAME, size, bytes([size]) * 32))

    threads = [threading.Thread(target=keep(size)) for size in (5, 3, 9, 1, 8, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Watermark(mark).read() == Checkpoint(NAME, 9, bytes([9]) * 32)


# the service


def test_a_service_whose_database_was_deleted_does_not_start(tmp_path: Path) -> None:
    settings = load_settings(environ={}, home=tmp_path / "home")
    check_services(settings)
    for file in settings.home.glob("assay.db*"):
        file.unlink()
    for _ in range(2):
        with pytest.raises(LogInconsistent, match="was it lost"):
            check_services(settings)
    done = CliRunner().invoke(cli, ["log", "show"], env={"ASSAY_HOME": str(settings.home)})
    assert isinstance(done.exception, LogInconsistent)


def test_a_service_on_postgresql_whose_database_was_replaced_does_not_start(
    postgresql: str, tmp_path: Path
) -> None:
    from tests.doubles.postgres import new_database

    def settings(url: str) -> object:
        return load_settings(environ={}, home=tmp_path / "home", database_url=url)

    first, second = new_database(postgresql), new_database(postgresql)
    check_services(settings(first))  # type: ignore[arg-type]
    with pytest.raises(LogInconsistent, match="was it lost"):
        check_services(settings(second))  # type: ignore[arg-type]
    check_services(settings(first))  # type: ignore[arg-type]


def test_the_documented_way_out_begins_another_log(tmp_path: Path) -> None:
    settings = load_settings(environ={}, home=tmp_path / "home")
    check_services(settings)
    before = (settings.home / "pki" / "log.vkey").read_text()
    for file in settings.home.glob("assay.db*"):
        file.unlink()
    aside = settings.home / "lost-log"
    aside.mkdir()
    for name in ("log.key.pem", "log.vkey", "log.signed"):
        (settings.home / "pki" / name).rename(aside / name)
    renamed = load_settings(environ={}, home=settings.home, public_url="https://new.example")
    check_services(renamed)
    after = (settings.home / "pki" / "log.vkey").read_text()
    assert after != before
    assert after.startswith("new.example/log+")


def test_what_guards_the_head_in_the_database_is_no_guard_without_it(engine: Engine) -> None:
    """Why the mark lies outside: a database that is replaced brings its own triggers and no memory."""
    open_log(engine).close()
    with pytest.raises(Unavailable), writing(engine) as connection:
        connection.execute(text("UPDATE log_state SET size = -1"))
