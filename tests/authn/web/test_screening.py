"""What is refused before any view: other sites' pages, unknown parameters, digests that do not fit."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from authn.service.services import Services
from authn.web import create_app
from tests.authn.web.conftest import InlineExaminer, rows
from tests.authn.web.test_access import bearer
from tests.doubles.media import tiny_jpeg

JPEG = tiny_jpeg()
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
QUERY = "application/timestamp-query"


def form(**fields: object) -> dict[str, object]:
    return {"file": (io.BytesIO(JPEG), "photo.jpg"), **fields}


# other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://attacker.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost.attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/reports"),
        ("POST", "/v1/verifications"),
        ("POST", "/v1/captures"),
        ("POST", "/v1/devices"),
        ("POST", "/tsa"),
        ("DELETE", "/v1/verifications/none"),
    ],
)
def test_another_site_s_page_can_make_a_browser_send_nothing(
    client: FlaskClient, services: Services, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = client.open(path, method=method, data=form(), headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "assay.request.crossSite")
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost"},
        {"Origin": "HTTP://LOCALHOST"},
    ],
    ids=str,
)
def test_the_site_itself_and_programs_are_let_through(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/reports", data=form(), headers={**BROWSER, **headers}).status_code == 303
    assert client.post("/v1/verifications", data=form(), headers=headers).status_code == 200


def test_behind_a_proxy_the_public_address_is_the_site_s_own(services: Services) -> None:
    settings = replace(services.settings, public_url="https://assay.example/x")
    client = create_app(replace(services, settings=settings)).test_client()
    own = {"Origin": "https://assay.example"}
    assert client.post("/reports", data=form(), headers={**BROWSER, **own}).status_code == 303


def test_a_refused_browser_gets_a_page(client: FlaskClient) -> None:
    answer = client.post("/reports", data=form(), headers={**BROWSER, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "Another site asked for this" in answer.text


def test_links_from_other_sites_still_lead_here(client: FlaskClient) -> None:
    headers = {**BROWSER, "Sec-Fetch-Site": "cross-site"}
    assert client.get("/?utm_source=news", headers=headers).status_code == 200


# parameters and fields


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/v1/verifications", "heuristic=false", "heuristic"),
        ("/v1/verifications", "asof=2026-01-02T03:04:05Z", "asof"),
        ("/v1/verifications", "as_of=2026-01-02T03:04:05Z&Preview=true", "Preview"),
        ("/v1/verifications", "heuristics=true&heuristics=false", "heuristics"),
        ("/reports", "heuristics=false", "heuristics"),
        ("/tsa", "policy=1", "policy"),
        ("/v1/devices", "dry_run=true", "dry_run"),
    ],
)
def test_a_parameter_that_nobody_asked_for_is_refused_and_named(
    client: FlaskClient, services: Services, path: str, query: str, named: str
) -> None:
    answer = client.post(f"{path}?{query}", data=form())
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
    assert repr(named) in answer.get_json()["detail"]
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize("path", ["/v1/devices", "/log/checkpoint", "/healthz", "/pki/crl"])
def test_nor_is_one_passed_over_where_something_is_read(client: FlaskClient, path: str) -> None:
    assert client.get(f"{path}?since=2026").status_code == 400


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("/v1/verifications", {"heuristic": "false"}, "heuristic"),
        ("/v1/verifications", {"as-of": "2026-01-02T03:04:05Z"}, "as-of"),
        ("/v1/verifications", {"heuristics": ["true", "false"]}, "heuristics"),
        ("/v1/verifications", {"photo": (io.BytesIO(JPEG), "b.jpg")}, "photo"),
        ("/reports", {"heuristics": "false"}, "heuristics"),
    ],
)
def test_a_field_that_nobody_asked_for_is_refused_and_named(
    client: FlaskClient, services: Services, path: str, fields: dict[str, object], named: str
) -> None:
    answer = client.post(path, data=form(**fields))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
    assert repr(named) in answer.get_json()["detail"]
    assert rows(services) == (0, 0, 0)


def test_what_is_asked_about_a_file_may_stand_in_the_form_too(
    client: FlaskClient, examiners: dict[bool, InlineExaminer]
) -> None:
    fields = {"heuristics": "false", "as_of": "2026-01-02T03:04:05Z", "preview": "true"}
    assert client.post("/v1/verifications", data=form(**fields)).status_code == 200
    ((_, as_of, preview),) = examiners[False].asked
    assert (str(as_of), preview) == ("2026-01-02 03:04:05+00:00", True)
    assert client.post("/v1/verifications", data=form(heuristics="maybe")).status_code == 400
    twice = client.post("/v1/verifications?heuristics=false", data=form(heuristics="false"))
    assert twice.status_code == 400


# digests


def sf(name: str, data: bytes) -> str:
    digest = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


def old(name: str, data: bytes) -> str:
    return sf(name, data).replace("=:", "=").rstrip(":")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Content-Digest", sf("sha-256", b"other")),
        ("Content-Digest", sf("sha-512", b"other")),
        ("Content-Digest", f"{sf('sha-256', JPEG)}, {sf('sha-512', b'other')}"),
        ("Content-Digest", "sha-256=:AAAA:"),
        ("Content-Digest", "sha-256=1"),
        ("Content-Digest", "nonsense ="),
        ("Repr-Digest", sf("sha-256", b"other")),
        ("Digest", old("sha-256", b"other")),
        ("Digest", old("sha-512", b"other").replace("sha", "SHA")),
        ("Digest", "sha-256=%"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/verifications", "/reports"])
def test_content_that_is_not_what_its_digest_says_is_refused(
    client: FlaskClient, services: Services, path: str, field: str, value: str
) -> None:
    answer = client.post(path, data=JPEG, content_type="image/jpeg", headers={field: value})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
    assert field in answer.get_json()["detail"]
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Content-Digest", sf("sha-256", JPEG)),
        ("Content-Digest", f"{sf('sha-256', JPEG)}, {sf('sha-512', JPEG)}"),
        ("Content-Digest", "md5=:AAAA:"),
        ("Repr-Digest", sf("sha-512", JPEG)),
        ("Digest", old("sha-256", JPEG)),
        ("Digest", "crc32c=xyz"),
    ],
)
def test_content_that_is_what_its_digest_says_is_examined(
    client: FlaskClient, field: str, value: str
) -> None:
    kind = "image/jpeg"
    answer = client.post("/v1/verifications", data=JPEG, content_type=kind, headers={field: value})
    assert answer.status_code == 200
    assert answer.get_json()["subject"]["bytes"] == len(JPEG)


def test_the_digest_of_a_form_is_that_of_the_whole_form(client: FlaskClient) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        + JPEG
        + b"\r\n--x--\r\n"
    )
    kind = "multipart/form-data; boundary=x"
    for data, status in ((body, 200), (JPEG, 400)):
        headers = {"Content-Digest": sf("sha-256", data)}
        answer = client.post("/v1/verifications", data=body, content_type=kind, headers=headers)
        assert answer.status_code == status


# codings


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity, br", "x"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/verifications", "image/jpeg"),
        ("/v1/captures", "image/jpeg"),
        ("/v1/webhooks", "application/json"),
        ("/tsa", QUERY),
        ("/reports", "image/jpeg"),
    ],
)
def test_a_body_that_would_have_to_be_unpacked_is_refused(
    client: FlaskClient, services: Services, path: str, kind: str, coding: str
) -> None:
    scopes = ("captures:create", "timestamps:create", "verifications:create", "webhooks:manage")
    given = bearer(services, *scopes) | {"Content-Encoding": coding}
    answer = client.post(path, data=gzip.compress(JPEG), content_type=kind, headers=given)
    assert (answer.status_code, answer.get_json()["code"]) == (415, "assay.request.unsupportedType")
    assert answer.headers["Accept-Encoding"] == "identity"
    assert "Content-Encoding" in answer.get_json()["detail"]
    assert rows(services) == (0, 0, 0)


def test_no_coding_by_its_name_is_none(client: FlaskClient) -> None:
    given = {"Content-Encoding": "identity"}
    assert (
        client.post("/v1/verifications", data=JPEG, content_type="image/jpeg", headers=given).status_code
        == 200
    )
    other = client.post("/v1/verifications", data=JPEG, content_type="text/plain")
    assert (other.status_code, "Accept-Encoding" in other.headers) == (415, False)


# answers without content


def test_an_answer_without_content_names_no_type(client: FlaskClient) -> None:
    made = client.post("/v1/verifications", data=JPEG, content_type="image/jpeg")
    assert made.content_type == "application/json"
    gone = client.delete(made.headers["Location"])
    assert (gone.status_code, "Content-Type" in gone.headers) == (204, False)
    assert gone.headers["X-Content-Type-Options"] == "nosniff"


# pages for browsers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/verifications/none", 404),
        ("GET", "/log/receipt/99", 404),
        ("GET", "/tsa", 405),
        ("POST", "/", 405),
        ("POST", "/v1/devices", 401),
    ],
)
def test_a_browser_gets_a_page_for_every_error(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    answer = client.open(path, method=method, headers=BROWSER)
    assert (answer.status_code, answer.content_type) == (status, "text/html; charset=utf-8")
    assert '<a href="/">' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    program = client.open(path, method=method)
    assert (program.status_code, program.content_type) == (status, "application/problem+json")


def test_a_defect_is_a_page_too_and_says_nothing(services: Services) -> None:
    class Broken:
        def respond(self, request: bytes) -> bytes:
            raise ZeroDivisionError("a secret")

    client = create_app(replace(services, tsa=Broken())).test_client()
    answer = client.post("/tsa", data=b"x", content_type=QUERY, headers=BROWSER)
    assert (answer.status_code, answer.content_type) == (500, "text/html; charset=utf-8")
    assert "secret" not in answer.text
