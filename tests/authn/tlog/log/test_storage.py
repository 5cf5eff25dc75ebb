"""The tables refuse to be rewritten, and readers get what was stored; the same on both databases."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from authn.core.errors import NotFound, Unavailable
from authn.store.engine import open_engine, writing
from authn.store.schema import metadata
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.reader import LogReader, add_cosignature, destroy_salt
from tests.doubles.logs import KEY, entry, open_log
from tests.doubles.postgres import new_database


def test_migrations_make_exactly_the_tables_of_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_opening_a_second_time_changes_nothing(engine: Engine) -> None:
    open_log(engine).append((entry(1),))
    again = open_engine(engine.url.render_as_string(hide_password=False))
    assert check_log(again, KEY.verifier).size == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log_entry WHERE idx = 1",
        "DELETE FROM log_entry",
        "UPDATE log_entry SET leaf = leaf_hash WHERE idx = 1",
        "UPDATE log_entry SET idx = 9 WHERE idx = 1",
        "DELETE FROM log_checkpoint",
        "UPDATE log_checkpoint SET note = ''",
        "DELETE FROM log_state",
        "UPDATE log_state SET size = 1",
        "UPDATE log_state SET root = root",
        "UPDATE log_state SET size = 9, origin = 'other'",
        "INSERT INTO log_state SELECT 2, origin, size, root, note FROM log_state",
        "DELETE FROM log_tile",
        "UPDATE log_tile SET hashes = (SELECT leaf_hash FROM log_entry WHERE idx = 0)",
    ],
)
def test_the_database_itself_refuses_to_rewrite_the_log(engine: Engine, statement: str) -> None:
    open_log(engine).append((entry(0), entry(1)))
    with pytest.raises(Unavailable), writing(engine) as connection:
        connection.execute(text(statement))
    assert check_log(engine, KEY.verifier).size == 2


@pytest.mark.parametrize("table", ["log_entry", "log_checkpoint", "log_state", "log_tile"])
def test_postgresql_refuses_to_empty_a_table_at_once(postgresql: str, table: str) -> None:
    engine = open_engine(new_database(postgresql))
    open_log(engine).append((entry(0),))
    with pytest.raises(Unavailable), writing(engine) as connection:
        connection.execute(text(f"TRUNCATE {table}"))


def test_a_log_that_was_never_started_is_not_found(engine: Engine) -> None:
    reader = LogReader(engine)
    with pytest.raises(NotFound):
        reader.head()
    with pytest.raises(NotFound):
        reader.note(0)
    with pytest.raises(NotFound):
        check_log(engine, KEY.verifier)
    assert (reader.tile(0, 0), reader.leaves(0, 9), reader.witnessed_size(bool)) == (b"", (), None)


def test_cosignatures_follow_the_logs_own_signature(engine: Engine) -> None:
    one = entry(0)
    log, reader = open_log(engine), LogReader(engine)
    (receipt,) = log.append((one,))
    add_cosignature(engine, 1, "w2.test/w", "\u2014 w2.test/w AAAAAAAA\n")
    add_cosignature(engine, 1, "w1.test/w", "\u2014 w1.test/w AAAAAAAA\n")
    add_cosignature(engine, 1, "w1.test/w", "\u2014 w1.test/w AAAAAAAB\n")
    note = reader.note(1)
    assert note == receipt.note + "\u2014 w1.test/w AAAAAAAB\n\u2014 w2.test/w AAAAAAAA\n"
    assert reader.witnessed_size(lambda names: names == {"w1.test/w", "w2.test/w"}) == 1
    assert reader.witnessed_size(lambda names: len(names) == 3) is None
    assert verify_receipt(receipt, one.leaf, KEY.verifier).witnessed_by == ()


def test_a_salt_can_be_destroyed_once(engine: Engine) -> None:
    open_log(engine).append((entry(0),))
    destroy_salt(engine, 0)
    with pytest.raises(NotFound):
        destroy_salt(engine, 0)
    with pytest.raises(NotFound):
        LogReader(engine).opening(0)
