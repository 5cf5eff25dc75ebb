"""What is measured is true of all processes, says nothing about anybody, and is for who may read it."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.test import Client

from authn.core.errors import AuthnError
from authn.service.access.keys import ApiKeys
from authn.web import metrics
from authn.web.board import Board, Family, Kind, exposition
from authn.web.logs import JsonFormatter, TextFormatter
from tests.doubles.homes import Home, open_home, signed_by

LINE = re.compile(r'[a-z_:]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? -?[0-9.e+-]+')
HITS = Family(name="hits_total", kind=Kind.COUNTER, help="h", labels=("what",), series=[("a",), ("b",)])
NOW = Family(name="now", kind=Kind.GAUGE, help="h")
TOOK = Family(name="took_seconds", kind=Kind.HISTOGRAM, help="h", bounds=(0.1, 1.0))


def values(board: Board) -> dict[tuple[str, tuple[str, ...]], tuple[float, ...]]:
    return {(s.family.name, s.labels): s.values for s in board.samples()}


def test_what_a_killed_process_counted_stays_and_what_was_so_with_it_is_gone() -> None:
    board = Board((HITS, NOW), 2)
    board.add("hits_total", "a", by=2)
    board.set("now", to=1)
    if not (child := os.fork()):
        board.take(1)
        board.add("hits_total", "a", by=3)
        board.set("now", to=1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert values(board) == {("hits_total", ("a",)): (5.0,), ("now", ()): (2.0,)}
    board.vacate(1)
    assert values(board) == {("hits_total", ("a",)): (5.0,), ("now", ()): (1.0,)}
    board.take(1)
    board.add("hits_total", "a")
    assert values(board)["hits_total", ("a",)] == (6.0,)


def test_a_series_that_nobody_named_before_is_not_made_by_a_request() -> None:
    board = Board((HITS, TOOK), 1)
    board.add("hits_total", "chosen by a stranger")
    board.observe("absent", value=1)
    assert set(values(board)) == {("took_seconds", ())}


def test_a_histogram_is_written_as_prometheus_reads_it() -> None:
    board = Board((TOOK, HITS), 1)
    for value in (0.05, 0.1, 0.5, 7):
        board.observe("took_seconds", value=value)
    board.add("hits_total", "b")
    text = exposition(board.samples(), iter(()))
    assert text.splitlines() == [
        "# HELP took_seconds h",
        "# TYPE took_seconds histogram",
        'took_seconds_bucket{le="0.1"} 2',
        'took_seconds_bucket{le="1"} 3',
        'took_seconds_bucket{le="+Inf"} 4',
        "took_seconds_sum 7.65",
        "took_seconds_count 4",
        "# HELP hits_total h",
        "# TYPE hits_total counter",
        'hits_total{what="b"} 1',
    ]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = open_home(tmp_path / "home")
    with closing(opened.services):
        yield opened


def reader(home: Home, scope: str = "metrics:read") -> dict[str, str]:
    key = ApiKeys(home.services.engine).create("prometheus", frozenset({scope}), datetime.now(UTC))
    return {"Authorization": f"Bearer {key.text}"}


def test_metrics_need_their_scope_under_every_setting(home: Home) -> None:
    assert home.client.get("/metrics").status_code == 401
    assert home.client.get("/metrics", headers=reader(home, "devices:read")).status_code == 403
    answer = home.client.get("/metrics", headers=reader(home))
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_they_say_what_happened_and_how_the_home_is_and_nothing_about_anybody(home: Home) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signed = signed_by(key, home.enrol("front-desk", key), datetime.now(UTC))
    assert home.upload(home.stamp(signed)).status_code == 201
    report = home.client.post("/v1/verifications", data=signed, content_type="image/jpeg")
    assert home.client.get(report.headers["Location"]).status_code == 200
    assert home.client.get("/v1/verifications/absent").status_code == 404
    text = home.client.get("/metrics", headers=reader(home)).get_data(as_text=True)
    lines = set(text.splitlines())
    assert lines >= {
        'assay_http_requests_total{route="captures.take",code="201"} 1',
        'assay_http_requests_total{route="api.verification",code="404"} 1',
        'assay_refusals_total{code="assay.request.notFound"} 1',
        f"assay_log_entries {home.services.log.reader.head().size}",
        "assay_database_up 1",
        "assay_devices 1",
        "assay_reports_stored 1",
        "assay_log_halted 0",
    }
    assert [line for line in lines if not line.startswith("#") and not LINE.fullmatch(line)] == []
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    id_ = report.headers["Location"].rpartition("/")[2]
    for told in (id_, "front-desk", "absent", "127.0.0.1"):
        assert told not in text


def test_a_listener_of_its_own_has_metrics_and_nothing_else(home: Home) -> None:
    client = Client(metrics.alone(home.services, Board(metrics.families(), 1)))
    assert "assay_ready 1" in client.get("/metrics").get_data(as_text=True)
    for path in ("/", "/v1/devices", "/metrics/", "/log/checkpoint"):
        assert client.get(path).status_code == 404
    assert client.post("/metrics").status_code == 404


def test_a_database_that_is_away_costs_its_own_numbers_alone(home: Home, tmp_path: Path) -> None:
    (tmp_path / "home" / "assay.db").rename(tmp_path / "away")
    (tmp_path / "home" / "assay.db").mkdir()
    text = metrics.text(home.services, Board(metrics.families(), 1))
    assert "assay_database_up 0" in text
    assert "assay_ready 0" in text
    (tmp_path / "home" / "assay.db").rmdir()
    (tmp_path / "away").rename(tmp_path / "home" / "assay.db")


# lines


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger, handler = logging.getLogger("assay.requests"), Lines()
    before, handler.level = logger.level, logging.INFO
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_a_request_is_a_line_with_its_route_and_without_what_was_asked(home: Home, lines: Lines) -> None:
    home.client.post(
        "/v1/verifications?as_of=2020-01-01T00:00:00Z",
        data=b"no picture",
        content_type="image/jpeg",
        headers={"Authorization": "Bearer secret-secret-secret", "X-Request-ID": "chosen-by-the-client"},
    )
    refused = home.client.get("/v1/verifications/0123456789abcdef0123456789abcdef")
    said: list[dict[str, Any]] = [json.loads(JsonFormatter().format(r)) for r in lines.records]
    assert [(s["route"], s["method"]) for s in said] == [("api.verify", "POST"), ("api.verification", "GET")]
    assert said[1]["request_id"] == refused.headers["X-Request-ID"] == refused.get_json()["request_id"]
    assert said[1]["status"] == 404
    for record in lines.records:
        for text in (JsonFormatter().format(record), TextFormatter().format(record)):
            for told in ("0123456789abcdef0", "secret-secret", "2020-01-01", "chosen-by", "127.0.0.1"):
                assert told not in text
            assert "\n" not in text


def test_a_line_stays_one_line_whatever_is_in_it() -> None:
    evil = "a\nb\x1b[31m\u2028"
    record = logging.LogRecord("assay", logging.ERROR, "f", 1, "%s", (evil,), None)
    for form in (JsonFormatter(), TextFormatter()):
        text = form.format(record)
        assert text.isprintable()
        assert text.isascii() or isinstance(form, TextFormatter)
    try:
        int("broken")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: invalid literal" in json.loads(JsonFormatter().format(record))["traceback"]


def test_every_status_that_an_error_can_have_is_counted() -> None:
    def all_of(error: type[AuthnError]) -> Iterator[type[AuthnError]]:
        yield error
        for below in error.__subclasses__():
            yield from all_of(below)

    assert {str(e.http_status) for e in all_of(AuthnError)} <= set(metrics.STATUSES)
