"""The gate: every route has a rule, what is not allowed is refused, and nothing malformed is a 500."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from authn.service.access.keys import ApiKeys
from authn.service.access.scopes import ROUTES, SCOPES, Needs, Public
from authn.service.services import Services
from authn.web import create_app
from authn.web.openapi import openapi_document
from authn.web.openapi_parts import GUARDED
from signer.client import Client
from signer.http_signature import RequestSigner
from tests.authn.web.conftest import TOKEN
from tests.doubles.media import tiny_jpeg
from tests.doubles.requests import csr_of

KEY = ec.generate_private_key(ec.SECP256R1())
URL = "http://localhost"


@pytest.fixture
def strict(services: Services) -> FlaskClient:
    settings = replace(services.settings, access="required")
    return create_app(replace(services, settings=settings)).test_client()


@pytest.fixture
def enrolled(strict: FlaskClient) -> str:
    answer = strict.post(
        "/v1/devices",
        json={"name": "camera", "csr": csr_of(KEY).decode()},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 201
    return str(answer.get_json()["device_id"])


def bearer(services: Services, *scopes: str) -> dict[str, str]:
    key = ApiKeys(services.engine).create("test", frozenset(scopes), datetime.now(UTC))
    return {"Authorization": f"Bearer {key.text}"}


def signed(method: str, path: str, content: bytes | None, content_type: str | None) -> dict[str, str]:
    signer = RequestSigner(key=KEY, clock=lambda: datetime.now(UTC))
    return signer.headers(method, URL + path, content, content_type)


def test_every_route_has_a_rule_and_every_rule_a_route(services: Services) -> None:
    routed = {rule.endpoint for rule in create_app(services).url_map.iter_rules()}
    assert routed - set(ROUTES) == set(), "add these to authn.service.access.scopes.ROUTES"
    assert set(ROUTES) - routed == set()
    assert all(rule.reason for rule in ROUTES.values() if isinstance(rule, Public))
    assert {rule.scope for rule in ROUTES.values() if isinstance(rule, Needs)} <= set(SCOPES)


def test_the_description_names_the_scope_of_every_route_that_needs_one() -> None:
    pages = {endpoint for endpoint in ROUTES if endpoint.startswith(("pages.", "beside."))}
    needed = {e: rule.scope for e, rule in ROUTES.items() if isinstance(rule, Needs) and e not in pages}
    operations = [o for item in openapi_document()["paths"].values() for o in item.values()]
    described = {GUARDED[o["operationId"]]: o for o in operations if o["operationId"] in GUARDED}
    assert {e: o["security"][-1]["bearer"] for e, o in described.items()} == {
        e: [s] for e, s in needed.items()
    }
    assert all({"401", "403", "429"} <= set(o["responses"]) for o in described.values())


@pytest.mark.parametrize("credentials", [False, True])
def test_a_route_without_a_rule_is_refused_to_everybody(services: Services, credentials: bool) -> None:
    app = create_app(services)
    app.add_url_rule("/new", "new", lambda: "secret")
    headers = bearer(services, *SCOPES) if credentials else {}
    answer = app.test_client().get("/new", headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "assay.access.denied")


def paths(services: Services) -> Iterator[tuple[str, str, Needs | Public]]:
    for route in create_app(services).url_map.iter_rules():
        path = route.rule.replace("<int:level>", "0")
        for variable in (
            "device_id",
            "verification_id",
            "report_id",
            "path:encoded",
            "path:path",
            "path:filename",
        ):
            path = path.replace(f"<{variable}>", "x")
        for method in (route.methods or set()) - {"OPTIONS", "HEAD"}:
            yield method, path, ROUTES[route.endpoint]


def test_where_credentials_are_required_a_stranger_gets_only_what_is_public(
    services: Services, strict: FlaskClient
) -> None:
    for method, path, rule in paths(services):
        answer = strict.open(path, method=method)
        if isinstance(rule, Needs):
            assert (answer.status_code, method, path) == (401, method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
            assert answer.headers["Cache-Control"] == "no-store"
        elif "enrol" not in path and path != "/v1/devices":
            assert answer.status_code not in (401, 403, 500), (method, path)


def test_a_key_opens_what_its_scopes_name_and_nothing_else(services: Services, strict: FlaskClient) -> None:
    for method, path, rule in paths(services):
        if isinstance(rule, Needs):
            others = bearer(services, *(s for s in SCOPES if s != rule.scope))
            refused = strict.open(path, method=method, headers=others)
            assert (refused.status_code, method, path) == (403, method, path)
            assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
            opened = strict.open(path, method=method, headers=bearer(services, rule.scope))
            assert opened.status_code not in (401, 403, 500), (method, path)


def test_by_default_a_stranger_may_do_what_the_pages_do(client: FlaskClient) -> None:
    for path in ("/", "/v1/devices", "/healthz", "/pki/crl", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    basic = {"Authorization": "Basic eDp5"}  # a proxy's own
    assert client.get("/v1/devices", headers=basic).status_code == 200


def test_a_wrong_credential_is_never_taken_for_none(client: FlaskClient) -> None:
    answer = client.get("/v1/devices", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "assay.access.credentialsRefused")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_device_gets_a_time_stamp_by_its_signature_once(strict: FlaskClient, enrolled: str) -> None:
    kind = "application/timestamp-query"
    headers = {**signed("POST", "/tsa", b"x", kind), "Content-Type": kind}
    assert strict.post("/tsa", data=b"x", headers=headers).status_code == 200
    again = strict.post("/tsa", data=b"x", headers=headers)
    assert (again.status_code, again.get_json()["code"]) == (401, "assay.access.credentialsRefused")


def test_content_that_was_not_signed_is_refused_and_does_not_use_the_signature_up(
    strict: FlaskClient, enrolled: str
) -> None:
    kind = "application/timestamp-query"
    headers = {**signed("POST", "/tsa", b"x", kind), "Content-Type": kind}
    assert strict.post("/tsa", data=b"y", headers=headers).status_code == 401
    assert strict.post("/tsa?x", data=b"x", headers=headers).status_code == 401
    assert strict.post("/tsa", data=b"x", headers=headers).status_code == 200


def test_a_signed_upload_is_read_after_its_digest_was(client: FlaskClient, enrolled: str) -> None:
    """In an open service too, where the signature is verified because it is there."""
    photo = tiny_jpeg()
    path = "/v1/verifications?as_of=2026-11-24T08%3A00%3A00Z"
    headers = {**signed("POST", path, photo, "image/jpeg"), "Content-Type": "image/jpeg"}
    answer = client.post(path, data=photo, headers=headers)
    assert (answer.status_code, answer.get_json()["subject"]["bytes"]) == (200, len(photo))


def test_a_device_may_not_read_the_registry(strict: FlaskClient, enrolled: str) -> None:
    answer = strict.get("/v1/devices", headers=signed("GET", "/v1/devices", None, None))
    assert answer.status_code == 403


TOKENS = (
    "",
    " ",
    " \xff",
    " a.b.c",
    " mk_",
    " " + "x" * 8000,
    " e30.e30.e30",
    " mk_" + "0" * 16 + "_" + "A" * 43,
)
SIGNATURES = (("", ""), ("a=:AA==:", "a=()"), ("\xff", "("), ("a", "a"), ("a=:AA==:", 'a=("@path")'))


@pytest.mark.parametrize(
    "headers",
    [
        *({"Authorization": f"Bearer{token}"} for token in TOKENS),
        *({"Signature": value, "Signature-Input": other} for value, other in SIGNATURES),
        {"Signature": "a=:AA==:"},
        {"Signature-Input": "a=()"},
        {"Signature": "a=:AA==:", "Signature-Input": "a=()", "Authorization": "Bearer x"},
    ],
    ids=lambda h: str(h)[:60],
)
def test_malformed_credentials_are_a_problem_and_no_failure(
    client: FlaskClient, strict: FlaskClient, headers: dict[str, str]
) -> None:
    for service in (client, strict):
        answer = service.get("/v1/devices", headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "assay.access.credentialsRefused")
        assert answer.content_type == "application/problem+json"


def test_a_caller_who_asks_too_often_is_told_when_to_come_back(services: Services) -> None:
    settings = replace(services.settings, requests_per_minute=2)
    client = create_app(replace(services, settings=settings)).test_client()
    codes = [client.get("/v1/devices").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    refused = client.get("/v1/devices")
    assert refused.get_json()["code"] == "assay.access.tooManyRequests"
    assert 0 < int(refused.headers["Retry-After"]) <= 30  # one request in half a minute
    assert refused.headers["RateLimit-Policy"] == '"requests";q=2;w=60'
    assert refused.headers["RateLimit"] == f'"requests";r=0;t={refused.headers["Retry-After"]}'
    assert client.get("/healthz").status_code == 200
    mine = client.get("/v1/devices", headers=bearer(services, "devices:read"))
    assert (mine.status_code, mine.headers["RateLimit"]) == (200, '"requests";r=1;t=30')
    assert "RateLimit" not in client.get("/healthz").headers


def test_the_capture_side_gets_through_a_real_socket(
    services: Services, strict: FlaskClient, enrolled: str
) -> None:
    server = make_server("127.0.0.1", 0, strict.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/tsa"
        signer = RequestSigner(key=KEY, clock=lambda: datetime.now(UTC))
        assert Client(signer=lambda: signer).stamp(url, b"x")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
