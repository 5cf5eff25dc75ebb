"""Time-stamps, health, the description, and what every answer has in common."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authn.core.config import load_settings
from authn.core.errors import SystemLacking, Unavailable
from authn.core.holds import Hold
from authn.examine import detectors
from authn.service.services import Services
from authn.web import create_app, trusted_hosts
from authn.web.openapi import openapi_document
from authn.web.tsa import MAX_QUERY_BYTES
from detector.models.encoder_file import INSTALL
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from signer.proof.timestamp import build_request, parse_response, verify_token
from tests.authn.web.conftest import InlineExaminer

QUERY = "application/timestamp-query"


def test_a_stamp_verifies_under_the_roots_of_the_service(client: FlaskClient, services: Services) -> None:
    answer = client.post("/tsa", data=build_request(b"message", 99), content_type=QUERY)
    assert answer.status_code == 200
    assert answer.content_type == "application/timestamp-reply"
    assert answer.headers["Cache-Control"] == "no-store"
    verify_token(parse_response(answer.data), b"message", services.authority.tsa_roots, nonce=99)


def test_a_rejection_is_a_reply_too(client: FlaskClient) -> None:
    answer = client.post("/tsa", data=b"nonsense", content_type=QUERY)
    assert (answer.status_code, answer.content_type) == (200, "application/timestamp-reply")


@pytest.mark.parametrize("kind", ["", "application/json", "application/timestamp-reply", "text/plain"])
def test_another_media_type_is_no_query(client: FlaskClient, kind: str) -> None:
    answer = client.post("/tsa", data=build_request(b"message", 99), content_type=kind)
    assert (answer.status_code, answer.get_json()["code"]) == (415, "assay.request.unsupportedType")


def test_a_query_has_a_size(client: FlaskClient) -> None:
    answer = client.post("/tsa", data=bytes(MAX_QUERY_BYTES + 1), content_type=QUERY)
    assert (answer.status_code, answer.get_json()["code"]) == (413, "assay.request.tooLarge")


def test_alive_is_not_yet_ready(
    client: FlaskClient, examiners: dict[bool, InlineExaminer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detectors, "installed_encoder", lambda: None)
    assert client.get("/healthz").status_code == 200
    not_ready = client.get("/readyz")
    assert not_ready.status_code == 503
    assert not_ready.headers["Retry-After"]
    examiners[True].warm()
    examiners[True].holds = (Hold(name="landlock", active=False, detail="the kernel does not offer it"),)
    assert client.get("/readyz").get_json() == {
        "status": "ready",
        "confinement": {
            "process": True,
            "landlock": {"active": False, "detail": "the kernel does not offer it"},
        },
        "detectors": [
            {"id": DEFAULT_MODEL, "lacks": ""},
            {"id": SEMANTIC_MODEL, "lacks": f"its image encoder: not installed here ({INSTALL})"},
        ],
    }


def test_an_examiner_that_could_not_start_is_started_again_after_a_while(
    services: Services, examiners: dict[bool, InlineExaminer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot() -> None:
        raise SystemLacking("no memory is left")

    one, examinations = examiners[True], services.examinations
    with monkeypatch.context() as patch:
        patch.setattr(one, "warm", cannot)
        assert examinations.why_not_ready() == "the examiner is starting"
        assert examinations._warming is not None
        examinations._warming.join()
        first = examinations._warming
        assert examinations.why_not_ready() == "the examiner cannot start [assay.unavailable]"
        assert examinations._warming is first, "it is tried again at once"
    monkeypatch.setattr("authn.service.examinations.START_AGAIN_S", 0.0)
    assert examinations.why_not_ready() == "the examiner cannot start [assay.unavailable]"
    examinations._warming.join()
    assert examinations.why_not_ready() is None


def test_each_part_that_cannot_work_is_named(client: FlaskClient, services: Services, tmp_path: Path) -> None:
    database = tmp_path / "home" / "assay.db"
    for part in database.parent.glob("assay.db*"):  # else what was read or logged ahead would still be found
        part.unlink()
    database.write_bytes(b"something else" * 1000)
    late = replace(
        services,
        clock=lambda: services.authority.stamper.certificate.not_valid_after_utc,
        authority=replace(services.authority, clock_synchronised=lambda: False),
    )
    answer = create_app(late).test_client().get("/readyz")
    reasons = answer.get_json()["reasons"]
    assert answer.get_json()["code"] == "assay.unavailable"
    for part in ("database", "issuing authority", "time-stamp authority", "clock", "examiner"):
        assert any(part in reason for reason in reasons), part
    assert str(tmp_path) not in answer.text


@dataclass
class BrokenExaminer(InlineExaminer):
    def __init__(self) -> None:
        super().__init__(True)

    def warm(self) -> None:
        raise Unavailable("the model in /some/folder is gone")


def test_an_examiner_that_cannot_start_is_named_without_its_paths(services: Services) -> None:
    from authn.service.examinations import Examinations

    broken = Examinations(
        with_heuristics=BrokenExaminer(),
        without_heuristics=InlineExaminer(False),
        heuristics=True,
        store=services.verifications,
        clock=services.clock,
    )
    client = create_app(replace(services, examinations=broken)).test_client()
    client.get("/readyz")
    broken.close()
    answer = client.get("/readyz")
    assert answer.get_json()["reasons"] == ["the examiner cannot start [assay.unavailable]"]


def routes(app: Flask) -> set[tuple[str, str]]:
    """Path and method of everything but pages and static files, spelled as OpenAPI does."""
    found = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in ("pages", "beside", "static"):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        found |= {(path, method.lower()) for method in rule.methods - {"HEAD", "OPTIONS"}}
    return found


def test_the_description_names_exactly_the_routes_there_are(services: Services) -> None:
    described = {(path, method) for path, item in openapi_document()["paths"].items() for method in item}
    assert described == routes(create_app(services))


def test_every_reference_in_the_description_leads_somewhere() -> None:
    document = openapi_document()

    def references(value: object):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for child in value.values():
                yield from references(child)
        elif isinstance(value, list):
            for child in value:
                yield from references(child)

    found = set(references(document))
    assert len(found) >= 15
    for reference in found:
        target: object = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in target, reference  # type: ignore[operator]
            target = target[step]  # type: ignore[index]


def test_operation_ids_are_unique_and_every_parameter_in_a_path_is_described() -> None:
    document = openapi_document()
    operations = [(p, o) for p, item in document["paths"].items() for o in item.values()]
    ids = [o["operationId"] for _, o in operations]
    assert len(ids) == len(set(ids))
    for path, operation in operations:
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_the_description_is_served(client: FlaskClient) -> None:
    answer = client.get("/openapi.json")
    assert answer.get_json()["openapi"] == "3.1.0"
    assert {"Report", "ReportAxis", "ReportFinding"} <= answer.get_json()["components"]["schemas"].keys()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "assay.request.notFound"),
        ("GET", "/v1/", 404, "assay.request.notFound"),
        ("DELETE", "/v1/devices", 405, "assay.request.methodNotAllowed"),
        ("GET", "/tsa", 405, "assay.request.methodNotAllowed"),
        ("GET", "/static/../../config.py", 404, "assay.request.notFound"),
        ("GET", "/static/%2e%2e/api.py", 404, "assay.request.notFound"),
    ],
)
def test_every_refusal_is_a_problem(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.open(path, method=method)
    body = answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:assay:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert (status != 405) or answer.headers["Allow"]


class BrokenTsa:
    def respond(self, request: bytes) -> bytes:
        raise ZeroDivisionError("a secret in /etc/passwd")


def test_a_defect_is_a_500_without_its_traceback_and_a_log_line_with_it(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(replace(services, tsa=BrokenTsa()))
    with caplog.at_level(logging.ERROR):
        answer = app.test_client().post("/tsa", data=b"x", content_type=QUERY)
    assert (answer.status_code, answer.get_json()["code"]) == (500, "assay.failed")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "a secret in /etc/passwd" in caplog.text


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/devices", "/openapi.json"])
def test_every_answer_keeps_browsers_in_bounds(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_page_elsewhere_that_rebinds_its_name_to_this_machine_gets_nothing(client: FlaskClient) -> None:
    answer = client.get("/v1/devices", headers={"Host": "attacker.example"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")


def test_a_host_that_is_no_name_is_refused_to_a_browser_with_a_page(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Host": "a b", "Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert 'href="/"' in answer.text


@pytest.mark.parametrize(
    ("flags", "hosts"),
    [
        ({}, ["localhost", "127.0.0.1", "[::1]"]),
        ({"public_url": "https://a.example/x"}, ["localhost", "127.0.0.1", "[::1]", "a.example"]),
        (
            {"host": "0.0.0.0", "public_url": "https://a.example"},
            ["localhost", "127.0.0.1", "[::1]", "a.example"],
        ),
        ({"host": "0.0.0.0"}, None),
    ],
)
def test_which_names_the_service_answers_to(flags: dict[str, str], hosts: list[str] | None) -> None:
    assert trusted_hosts(load_settings(environ={}, **flags)) == hosts
