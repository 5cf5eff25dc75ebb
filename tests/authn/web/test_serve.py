"""The real service: gunicorn, forked workers, fronts, confined examiners, a socket, signals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest

from authn.core.config import load_settings
from authn.home.enrolment import enrol_device
from signer.capture import sign_file
from signer.client import Client
from signer.device import DeviceIdentity
from signer.spool import Spool
from tests.conftest import ROOT
from tests.doubles.media import tiny_jpeg
from tests.doubles.slow_clients import (
    HALF_A_HEADER,
    answers_in,
    besieged,
    dripping_body,
    dripping_chunks,
)
from tests.programs import require_program
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.slow
ASSAY = (sys.executable, "-c", "from authn.cli import main; main()")
START_TIMEOUT_S = PATIENCE_S


def start(home: Path, *flags: str, **variables: str) -> subprocess.Popen[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {"ASSAY_HOME": str(home), "ASSAY_HEURISTICS": "false", "ASSAY_MAX_MEDIA_BYTES": "200000"}
    environ |= variables
    return subprocess.Popen(
        [*ASSAY, "serve", "--port", "0", "--workers", "2", *flags],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: subprocess.Popen[str]
    url: str
    home: Path

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=START_TIMEOUT_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read()

    def post(self, path: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return bytes(answer.read())


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Assay listens on http://127.0.0.1:"), line
    return line.split()[-1].rstrip("/")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("serve") / "home"
    with start(home) as process:
        service = Running(process=process, url=address(process), home=home)
        until(lambda: service.get("/readyz")[0] == 200, lambda: service.get("/readyz"))
        yield service
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def identity(running: Running, tmp_path_factory: pytest.TempPathFactory) -> DeviceIdentity:
    return enrolled_at(running, tmp_path_factory.mktemp("device"))


def enrolled_at(running: Running, home: Path) -> DeviceIdentity:
    """A device on another machine, as far as it can tell: another home, enrolled over HTTP."""
    token = (running.home / "enrolment-token").read_text().strip()
    settings = load_settings(environ={}, home=home, service_url=running.url, enrolment_token=token)
    return enrol_device(settings, "camera", now=datetime.now(UTC))


def test_a_photo_signed_and_stamped_by_an_enrolled_device_is_established_over_http(
    running: Running, identity: DeviceIdentity, tmp_path: Path
) -> None:
    photo, spool = tmp_path / "photo.jpg", Spool(tmp_path / "spool")
    photo.write_bytes(tiny_jpeg((640, 480)))
    sign_file(photo, identity, spool=spool)
    client = Client(service_url=running.url)
    spool.stamp_all(lambda query: client.stamp(identity.tsa_url, query), identity.tsa_roots)
    assert spool.pending() == ()
    report = json.loads(running.post("/v1/verifications", photo.read_bytes(), "image/jpeg"))
    schema = json.loads(running.get("/openapi.json")[1])
    jsonschema.Draft202012Validator({**schema, "$ref": "#/components/schemas/Report"}).validate(report)
    outcomes = {axis: found["outcome"] for axis, found in report["cryptographic"]["axes"].items()}
    for axis in ("credential", "integrity", "signer", "device", "time"):
        assert outcomes[axis] == "established", (axis, report["cryptographic"]["axes"][axis])
    page = running.get(f"/reports/{report['run']['report_id']}")
    assert page[0] == 200
    assert b"camera" in page[1]


def test_openssl_accepts_a_stamp(running: Running, tmp_path: Path) -> None:
    openssl = require_program("openssl")
    (tmp_path / "data").write_bytes(b"some bytes")
    subprocess.run(
        [openssl, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    query = (tmp_path / "query").read_bytes()
    (tmp_path / "reply").write_bytes(running.post("/tsa", query, "application/timestamp-query"))
    root = running.home / "pki" / "tsa-root.pem"
    command = [openssl, "ts", "-verify", "-in", "reply", "-queryfile", "query", "-CAfile", str(root)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_chunked_upload_over_the_limit_is_refused_while_it_arrives(running: Running) -> None:
    parts = urlsplit(running.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    connection.putrequest("POST", "/v1/verifications")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    sent = 0
    try:
        while sent < 50_000_000:
            connection.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            sent += 0x10000
        answer = connection.getresponse()
    except (BrokenPipeError, ConnectionResetError):
        answer = None  # the service hung up on us before we read: refused all the same
    finally:
        status = None if answer is None else (answer.status, json.loads(answer.read())["code"])
        connection.close()
    assert status in (None, (413, "assay.media.tooLarge"))
    assert sent < 50_000_000
    assert running.get("/healthz")[0] == 200


def test_a_device_that_stops_in_the_middle_of_an_upload_holds_nobody_else_up(running: Running) -> None:
    parts = urlsplit(running.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as stuck:
        stuck.sendall(b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n")
        stuck.sendall(b"Content-Length: 1000\r\n\r\n\xff\xd8\xff")
        assert running.get("/healthz")[0] == 200
        report = json.loads(running.post("/v1/verifications", tiny_jpeg(), "image/jpeg"))
        assert report["subject"]["media_type"] == "image/jpeg"


def test_an_upload_that_drips_for_ever_is_cut_off_and_told_so(tmp_path: Path) -> None:
    with start(tmp_path, ASSAY_MAX_REQUEST_SECONDS="1") as service:
        parts = urlsplit(address(service))
        try:
            with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as slow:
                head = b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
                slow.sendall(head + b"Content-Length: 100000\r\n\r\n\xff\xd8\xff")
                for _ in range(4):
                    slow.sendall(b"\0")
                    time.sleep(0.4)
                answer = slow.makefile("rb").read()  # its head and its content come one after the other
        finally:
            service.terminate()
            service.communicate(timeout=PATIENCE_S)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"assay.request.timeout" in answer


ROUTES = (
    ("POST", "/.well-known/est/simpleenroll", "application/pkcs10"),
    ("POST", "/.well-known/est/simplereenroll", "application/pkcs10"),
    ("POST", "/tsa", "application/timestamp-query"),
    ("POST", "/pki/ocsp", "application/ocsp-request"),
    ("POST", "/v1/verifications", "image/jpeg"),
    ("POST", "/v1/captures", "image/jpeg"),
    ("POST", "/reports", "multipart/form-data; boundary=x"),
    ("POST", "/v1/devices", "application/json"),
    ("POST", "/v1/enrolment", "application/json"),
    ("POST", "/v1/enrolment/challenge", "application/json"),
    ("DELETE", "/v1/verifications/none", "text/plain"),
    ("GET", "/log/checkpoint", "text/plain"),
    ("GET", "/healthz", "text/plain"),
    ("GET", "/nowhere", "text/plain"),
)


@pytest.mark.timeless
@pytest.mark.parametrize(
    "begins",
    [
        *([dripping_body(*route)] * 100 for route in ROUTES[1:6]),
        [dripping_body(*route) for route in ROUTES] * 8,
        [dripping_chunks("/tsa", "application/timestamp-query")] * 100,
        [HALF_A_HEADER] * 100,
        [b""] * 2000,
    ],
    ids=["renewing", "stamps", "status", "files", "captures", "every route", "chunks", "headers", "idle"],
)
def test_whoever_is_slow_holds_nobody_up(
    running: Running, begins: list[bytes], record_property: pytest.RecordProperty
) -> None:
    """Goal: a second. Who waited for one that is slow would wait for its whole time, a minute."""
    with besieged(running.url, begins):
        took = max(answers_in(f"{running.url}/healthz"))
        record_property("healthz_s", took)
        assert took < 30
        assert running.get("/log/checkpoint")[0] == 200


def test_a_port_that_is_taken_is_one_sentence_and_exit_4(running: Running, tmp_path: Path) -> None:
    port = str(urlsplit(running.url).port)
    with start(tmp_path / "other", "--port", port) as second:
        _, error = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 4
    assert "cannot be listened on" in error
    assert "Traceback" not in error


def test_roots_that_cannot_be_read_are_named_before_the_port_opens(tmp_path: Path) -> None:
    with start(tmp_path, ASSAY_SIGNER_ROOTS=str(tmp_path / "none.pem")) as service:
        out, error = service.communicate(timeout=PATIENCE_S)
    assert (service.returncode, out) == (4, "")
    assert "root certificates cannot be read" in error


def test_an_incomplete_home_is_refused_before_the_port_opens(running: Running, tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    with start(tmp_path) as service:
        out, error = service.communicate(timeout=PATIENCE_S)
    assert service.returncode == 4
    assert "is incomplete" in error
    assert out == ""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_with_exit_0_and_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    with start(tmp_path) as service:
        url = address(service)
        assert Running(process=service, url=url, home=tmp_path).get("/healthz")[0] == 200
        os.killpg(service.pid, how)  # as a terminal or a supervisor does: the whole group
        _, error = service.communicate(timeout=PATIENCE_S)
        assert service.returncode == 0
        assert "Traceback" not in error
    until(lambda: not _group_lives(service.pid), "a process is left")


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
