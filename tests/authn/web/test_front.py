"""Whole requests or none: what is slow, large or too much is refused in words, and holds up nobody else."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import islice
from urllib.error import HTTPError

import pytest
from flask import Flask, Response, request

from authn.core.views import NAMES
from authn.service.services import Services
from authn.web import create_app, front
from authn.web.front import Parser
from authn.web.lanes import Held, Limits
from authn.web.openapi import openapi_document
from authn.web.server import HEALTH, UPLOADS
from tests.doubles.fronts import exchange, fronted
from tests.doubles.media import tiny_jpeg
from tests.doubles.slow_clients import (
    HALF_A_HEADER,
    answers_in,
    besieged,
    dripping_body,
    dripping_chunks,
    head,
)
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.timeless

LIMITS = Limits(
    uploads=UPLOADS,
    media_bytes=90_000,
    upload_bytes=100_000,
    small_bytes=4_000,
    request_seconds=30,
    uploads_at_once=1,
    uploads_waiting=1,
    health=HEALTH,
    threads={"health": 1, "read": 2, "act": 2},
)
QUICK = replace(LIMITS, request_seconds=0.5)
HELD_UP_S = 20  # who waited for one that drips would wait for 30 s
CLOSE = "Connection: close"


@pytest.fixture
def service(services: Services) -> Iterator[str]:
    with fronted(create_app(services), LIMITS) as url:
        yield url


def problem(answer: bytes) -> tuple[int, str]:
    status, _, body = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), str(json.loads(body)["code"])


def test_a_request_that_came_whole_is_answered(service: str) -> None:
    answer = exchange(service, head("GET", "/healthz", CLOSE))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"status":"ok"}')


def test_what_came_in_pieces_and_chunks_is_one_body(service: str) -> None:
    data = tiny_jpeg()
    begin = head("POST", "/v1/verifications", "Content-Type: image/jpeg", "Transfer-Encoding: chunked", CLOSE)
    chunks = [f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (data[:100], data[100:])]
    answer = exchange(service, begin[:30], begin[30:], *chunks, b"0\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["subject"]["bytes"] == len(data)


def test_every_route_that_takes_a_file_takes_one_as_large_as_may_be(services: Services) -> None:
    rules = list(create_app(services).url_map.iter_rules())
    forms = {r.rule for r in rules if r.endpoint.startswith(("pages.", "beside.")) and "POST" in r.methods}
    files = {"multipart/form-data", "image/*", "*/*"}
    described = {
        path.replace("{name}", NAMES[0])
        for path, item in openapi_document()["paths"].items()
        for operation in item.values()
        if files & operation.get("requestBody", {}).get("content", {}).keys()
    }
    assert forms | described == UPLOADS - {f"/v1/views/{name}" for name in NAMES[1:]}
    assert {f"/v1/views/{name}" for name in NAMES} <= UPLOADS


@pytest.mark.parametrize("hosts", ["", "Host:\r\n", "Host: localhost\r\nHost: example.org\r\n"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_request_of_http_1_1_names_one_host(service: str, hosts: str, accept: str) -> None:
    sent = f"GET /healthz HTTP/1.1\r\n{hosts}Accept: {accept}\r\n\r\n"
    answer = exchange(service, sent.encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"does not name one host" in answer
    assert b"waitress" not in answer


@pytest.mark.parametrize("hosts", ["", "Host:\r\n"])
def test_one_of_http_1_0_without_a_host_is_for_the_address_it_came_to(hosts: str) -> None:
    named = Flask("named")
    named.get("/")(lambda: request.host_url)
    with fronted(named, LIMITS) as url:
        answer = exchange(url, f"GET / HTTP/1.0\r\n{hosts}\r\n".encode())
    assert answer.endswith(f"\r\n\r\n{url}/".encode())


def test_a_service_on_this_machine_answers_one_of_http_1_0_without_a_host(service: str) -> None:
    assert exchange(service, b"GET /healthz HTTP/1.0\r\n\r\n").endswith(b'{"status":"ok"}')


def test_an_empty_key_of_a_repeated_request_is_none_that_counts_as_absent(service: str) -> None:
    data = tiny_jpeg()
    fields = ("Content-Type: image/jpeg", f"Content-Length: {len(data)}", "Idempotency-Key:", CLOSE)
    assert problem(exchange(service, head("POST", "/v1/verifications", *fields), data)) == (
        400,
        "assay.request.bad",
    )


@pytest.mark.parametrize("coding", ["Content-Length: 90000", "Transfer-Encoding: chunked"])
def test_an_upload_never_touches_a_disk(coding: str) -> None:
    kept = Flask("kept")
    kept.post("/v1/verifications")(lambda: type(request.environ["wsgi.input"]).__name__)
    data = bytes(90_000)
    body = data if coding.startswith("Content") else b"15f90\r\n" + data + b"\r\n0\r\n\r\n"
    with fronted(kept, LIMITS) as url:
        answer = exchange(url, head("POST", "/v1/verifications", coding, CLOSE), body)
    assert answer.endswith(b"\r\n\r\nBytesIO")


@pytest.mark.parametrize(
    "begin",
    [
        dripping_body("POST", "/.well-known/est/simplereenroll", "application/pkcs10"),
        dripping_body("POST", "/tsa", "application/timestamp-query"),
        dripping_body("POST", "/v1/verifications", "image/jpeg"),
        dripping_body("POST", "/nowhere", "text/plain"),
        dripping_body("GET", "/healthz", "text/plain"),
        dripping_chunks("/pki/ocsp", "application/ocsp-request"),
        dripping_chunks("/v1/captures", "image/jpeg"),
        HALF_A_HEADER,
        b"G",
    ],
)
def test_whatever_drips_is_told_that_it_took_too_long(services: Services, begin: bytes) -> None:
    with fronted(create_app(services), QUICK) as url:
        answer = exchange(url, begin, *[b"0"] * 3, before_each=lambda: time.sleep(0.1))
        assert problem(answer) == (408, "assay.request.timeout")


def test_time_is_given_for_what_arrives_and_never_more_than_the_setting() -> None:
    parser = Parser(LIMITS, None, None)
    assert parser.late_at - parser.begun == front.FIRST_SECONDS
    parser.bytes = 5 * front.MIN_BYTES_PER_SECOND
    assert parser.late_at - parser.begun == front.FIRST_SECONDS + 5
    parser.bytes = 10**9
    assert parser.late_at - parser.begun == LIMITS.request_seconds


def test_an_upload_that_comes_fast_enough_for_its_size_may_take_longer_than_the_setting() -> None:
    parser = Parser(LIMITS, None, None)
    parser.upload = True
    parser.bytes = 60 * front.UPLOAD_BYTES_PER_SECOND
    assert parser.late_at - parser.begun == 60 > LIMITS.request_seconds
    parser.bytes = front.UPLOAD_BYTES_PER_SECOND
    assert parser.late_at - parser.begun == LIMITS.request_seconds


def test_a_hundred_that_drip_hold_nobody_up(service: str) -> None:
    begins = [dripping_body("POST", "/tsa", "application/timestamp-query"), HALF_A_HEADER, b""] * 34
    with besieged(service, begins):
        assert max(answers_in(f"{service}/healthz")) < HELD_UP_S
        assert max(answers_in(f"{service}/log/checkpoint")) < HELD_UP_S


@pytest.mark.parametrize(
    ("path", "kind", "code", "most"),
    [
        ("/v1/verifications", "image/jpeg", "assay.media.tooLarge", LIMITS.media_bytes),
        ("/tsa", "application/timestamp-query", "assay.request.tooLarge", LIMITS.small_bytes),
        ("/nowhere", "text/plain", "assay.request.tooLarge", LIMITS.small_bytes),
    ],
)
def test_what_is_too_large_is_told_so_although_it_is_still_being_sent(
    service: str, path: str, kind: str, code: str, most: int
) -> None:
    size = 3_000_000
    whole = exchange(service, dripping_body("POST", path, kind, size), bytes(size))
    assert problem(whole) == (413, code)
    assert f"more than {most} bytes".encode() in whole
    begin = head("POST", path, f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    assert problem(exchange(service, begin, *[chunk] * 40)) == (413, code)


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        head("POST", "/tsa", "Content-Length: 3, 3") + b"abc",
        head("POST", "/tsa", "Content-Length: -1"),
        head("POST", "/tsa", "Transfer-Encoding: chunked") + b"zz\r\n",
        head("POST", "/v1/verifications", "Transfer-Encoding: chunked") + b"1" * 10_000,
        head("POST", "/v1/verifications", "Transfer-Encoding: chunked") + b"0\r\n" + b"a: b\r\n" * 5_000,
    ],
)
def test_what_is_no_http_is_refused_in_words(service: str, sent: bytes) -> None:
    status, code = problem(exchange(service, sent))
    assert (status, code) == (400, "assay.request.bad")


def test_a_header_without_end_is_refused(service: str) -> None:
    status, _ = problem(exchange(service, HALF_A_HEADER + b"x" * 100_000))
    assert status == 431


def test_a_refusal_is_a_page_for_a_browser(service: str) -> None:
    begin = head(
        "POST", "/reports", "Accept: text/html", "Content-Type: image/jpeg", "Content-Length: 999999"
    )
    answer = exchange(service, begin)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"This file is too large" in answer


def test_no_header_of_a_request_names_where_the_service_lives(service: str) -> None:
    for name in ("SCRIPT_NAME", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix", "X-Forwarded-Host"):
        answer = exchange(service, head("GET", "/", f"{name}: /evil", CLOSE))
        assert answer.startswith(b"HTTP/1.1 200"), name
        assert b"evil" not in answer, name


class Slow:
    """An application whose uploads wait until they are let go."""

    def __init__(self) -> None:
        self.go, self.begun = threading.Event(), threading.Semaphore(0)
        self.app = Flask("slow")
        self.app.add_url_rule("/v1/verifications", "upload", self._upload, methods=["POST"])
        self.app.add_url_rule("/log/checkpoint", "read", lambda: "read")
        self.app.add_url_rule("/healthz", "health", lambda: "well")
        self.app.before_request(self._refuse)

    def _upload(self) -> Response:
        self.begun.release()
        self.go.wait(PATIENCE_S)
        return Response(f"{len(request.get_data())}")

    def _refuse(self) -> Response | None:
        return Response("refused", 503) if request.environ.get("assay.refusal") else None


def post(url: str, body: bytes) -> int:
    asked = urllib.request.Request(f"{url}/v1/verifications", data=body, method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as e:
        with e:
            return e.code


def test_uploads_wait_in_a_short_line_of_their_own_and_readers_do_not() -> None:
    slow = Slow()
    with fronted(slow.app, LIMITS) as url, ThreadPoolExecutor(9) as pool:
        first = pool.submit(post, url, b"x")
        assert slow.begun.acquire(timeout=PATIENCE_S)
        rest = [pool.submit(post, url, b"x") for _ in range(8)]
        for path in ("/log/checkpoint", "/healthz"):
            assert max(answers_in(url + path, timeout_s=PATIENCE_S)) < HELD_UP_S
        refused = [r.result(PATIENCE_S) for r in islice(as_completed(rest, timeout=PATIENCE_S), 7)]
        slow.go.set()
        assert refused == [503] * 7
        assert first.result(PATIENCE_S) == 200
        assert sorted(r.result(PATIENCE_S) for r in rest) == [200] + [503] * 7


def test_a_service_whose_memory_is_full_says_when_to_come_back(services: Services) -> None:
    with fronted(create_app(services), replace(LIMITS, upload_bytes=50_000)) as url:
        begin = dripping_body("POST", "/v1/verifications", "image/jpeg", 49_000)
        with besieged(url, [begin + bytes(45_000)]):  # what lies in memory already
            answers: list[bytes] = []

            def is_full() -> bool:
                answers.append(exchange(url, begin, bytes(49_000)))
                return answers[-1].startswith(b"HTTP/1.1 503")

            until(is_full)
    assert problem(answers[-1]) == (503, "assay.unavailable")
    assert b"\r\nRetry-After: " in answers[-1]


def test_memory_is_counted_and_given_back() -> None:
    held = Held(100, 10)
    assert held.set(1, 60, upload=True)
    assert not held.set(2, 50, upload=True)
    assert held.set(2, 40, upload=True)
    assert held.set(3, 10)
    assert not held.set(4, 1)
    assert held.set(1, 0)
    assert held.set(4, 1)


def test_of_too_many_connections_the_one_that_waited_longest_is_given_up(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "most_connections", lambda: 20)
    with fronted(create_app(services), LIMITS) as url, besieged(url, [b""] * 60, renew=False):
        assert max(answers_in(f"{url}/healthz")) < HELD_UP_S
