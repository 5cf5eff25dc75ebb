"""The log of access decisions: in order, complete as far as it goes, and refusing to be rewritten."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from authn.cli import cli
from authn.core.errors import JournalBroken, Unavailable
from authn.service.access import Kind, Principal
from authn.service.access.journal import GRANTED, Journal, Row
from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from authn.store.engine import open_engine, writing
from authn.web import create_app
from tests.authn.web.conftest import examiners, services

__all__ = ["examiners", "services"]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MACHINE = Principal(kind=Kind.MACHINE, id="0123456789abcdef", scopes=frozenset())


def noted(engine: Engine, count: int = 3) -> tuple[Row, ...]:
    journal = Journal(engine)
    for number in range(count):
        journal.note(MACHINE, "api.devices", "GET", GRANTED, NOON + timedelta(seconds=number))
    return tuple(journal.verify())


def test_decisions_are_kept_in_order_with_who_where_and_when(engine: Engine) -> None:
    rows = noted(engine)
    assert [row.seq for row in rows] == [1, 2, 3]
    first = rows[0].decision
    assert (first.who, first.route, first.method) == ("machine:0123456789abcdef", "api.devices", "GET")
    assert (first.outcome, first.at) == ("granted", "2026-11-24T12:00:00.000Z")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE access_log SET record = '{}'", "DELETE FROM access_log WHERE seq = 2", "DELETE FROM access_log"],
)
def test_the_database_refuses_to_change_what_was_noted(engine: Engine, statement: str) -> None:
    rows = noted(engine)
    with pytest.raises(Unavailable), writing(engine) as connection:
        connection.execute(text(statement))
    assert tuple(Journal(engine).verify()) == rows


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ("UPDATE access_log SET record = replace(record, 'GET', 'PUT') WHERE seq = 2", 2),
        ("UPDATE access_log SET sha256 = '0' WHERE seq = 3", 3),
        ("DELETE FROM access_log WHERE seq = 2", 3),
        ("DELETE FROM access_log WHERE seq = 1", 2),
        ("INSERT INTO access_log VALUES (4, '{}', '0')", 4),
    ],
    ids=["record", "hash", "left out", "beginning cut", "put in"],
)
def test_what_was_changed_behind_the_triggers_shows_in_the_chain(
    tmp_path: Path, change: str, row: int
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    noted(engine)
    with writing(engine) as connection:
        for trigger in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER access_log_{trigger}"))
        connection.execute(text(change))
    with pytest.raises(JournalBroken, match=f"row {row} of the access log"):
        list(Journal(engine).verify())


def test_several_writers_make_one_chain(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: noted(engine, 5), range(4)))
    assert [row.seq for row in Journal(engine).verify()] == list(range(1, 21))


def test_a_stranger_who_guesses_fills_one_row_a_minute(tmp_path: Path) -> None:
    journal = Journal(open_engine(f"sqlite:///{tmp_path / 'assay.db'}"))
    for seconds in (0, 1, 59, 60, 61):
        journal.note(
            None, "api.devices", "GET", "assay.access.credentialsRefused", NOON + timedelta(seconds=seconds)
        )
    journal.note(None, "api.device", "GET", "assay.access.credentialsRefused", NOON)
    assert [row.decision.route for row in journal.verify()] == ["api.devices", "api.devices", "api.device"]


def test_the_gate_notes_whom_it_lets_in_and_whom_not_and_no_secret(services: Services) -> None:
    strict = create_app(
        replace(services, settings=replace(services.settings, access="required"))
    ).test_client()
    key = ApiKeys(services.engine).create("ci", frozenset({"devices:read"}), datetime.now(UTC))
    bearer = {"Authorization": f"Bearer {key.text}"}
    assert strict.get("/v1/devices", headers=bearer).status_code == 200
    assert strict.delete("/v1/verifications/x", headers=bearer).status_code == 403
    assert strict.get("/v1/devices", headers={"Authorization": "Bearer mk_guess"}).status_code == 401
    assert strict.get("/v1/devices").status_code == 401
    assert strict.get("/healthz").status_code == 200
    rows = [row.decision for row in Journal(services.engine).verify()]
    assert [(d.who, d.route, d.outcome) for d in rows] == [
        (f"machine:{key.id}", "api.devices", "granted"),
        (f"machine:{key.id}", "api.forget", "assay.access.denied"),
        ("", "api.devices", "assay.access.credentialsRefused"),
        ("", "api.devices", "assay.request.unauthenticated"),
    ]
    with services.engine.connect() as connection:
        kept = "".join(connection.execute(text("SELECT record FROM access_log")).scalars())
    assert key.text.rpartition("_")[2] not in kept
    assert "127.0.0.1" not in kept


def test_an_open_service_notes_nothing_about_those_who_say_nothing(services: Services) -> None:
    create_app(services).test_client().get("/v1/devices")
    assert list(Journal(services.engine).verify()) == []


def test_the_command_prints_checks_and_compares_with_what_was_noted_elsewhere(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    rows = noted(engine)
    runner = CliRunner(env={"ASSAY_HOME": str(tmp_path)})
    shown = runner.invoke(cli, ["access", "log"])
    assert shown.exit_code == 0
    assert shown.stdout.count("machine:0123456789abcdef") == 3
    head = f"3:{rows[2].sha256}"
    assert f"all in order up to {head}" in shown.stderr
    as_json = [
        json.loads(line) for line in runner.invoke(cli, ["access", "log", "--json"]).stdout.splitlines()
    ]
    assert [row["outcome"] for row in as_json] == ["granted"] * 3
    assert runner.invoke(cli, ["access", "log", "--holds", f"2:{rows[1].sha256}"]).exit_code == 0
    for other in (f"2:{rows[2].sha256}", f"4:{rows[2].sha256}", "nonsense"):
        assert runner.invoke(cli, ["access", "log", "--holds", other]).exit_code == 1
