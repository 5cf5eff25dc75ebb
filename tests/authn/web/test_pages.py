"""The pages of the service: a form in, a report out, and errors that a person can read."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from authn.report.language import t
from authn.report.pdf import PDF
from authn.service.services import Services
from authn.store.engine import writing
from authn.store.schema import verifications
from authn.web.pages import parse_utc
from tests.authn.web.conftest import InlineExaminer, rows
from tests.doubles.media import png_bomb, tiny_jpeg
from tests.doubles.score_maps import score_map

JPEG = tiny_jpeg()
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def submit(client: FlaskClient, data: bytes = JPEG, name: str = "photo.jpg", **fields: str) -> TestResponse:
    form = {"file": (io.BytesIO(data), name), **fields}
    return client.post("/reports", data=form, headers=BROWSER)


def test_the_front_page_is_a_plain_form_and_says_what_happens_to_the_file(client: FlaskClient) -> None:
    answer = client.get("/", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert re.search(r'<form[^>]* action="/reports" method="post" enctype="multipart/form-data"', answer.text)
    assert "The photo goes to this service and no further" in answer.text
    assert "kept for 30 days" in answer.text


def test_a_submitted_photo_leads_to_its_report(
    client: FlaskClient, services: Services, examiners: dict[bool, InlineExaminer]
) -> None:
    answer = submit(client)
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"])
    assert page.status_code == 200
    assert "Cryptographic evidence" in page.text
    assert "Heuristic evidence" in page.text
    assert "photo.jpg" in page.text
    assert 'src="data:image/jpeg;base64,' in page.text
    assert examiners[True].asked[0][2], "the page asks for a preview"
    assert rows(services) == (0, 0, 1)


def test_the_json_of_a_page_is_the_stored_report(client: FlaskClient) -> None:
    where = submit(client).headers["Location"]
    answer = client.get(f"{where}/report.json")
    assert answer.content_type == "application/json"
    assert json.loads(answer.data)["subject"]["name"] == "photo.jpg"
    assert answer.data == client.get(f"/v1/verifications/{where.rpartition('/')[2]}").data
    assert f'href="{where}/report.json"' in client.get(where).text


def test_a_report_is_told_as_its_address_asks_else_as_the_browser_prefers(client: FlaskClient) -> None:
    where = submit(client).headers["Location"]
    english = client.get(where)
    assert english.headers["Content-Language"] == "en"
    assert f'href="{where}?lang=de"' in english.text
    for german in (
        client.get(f"{where}?lang=de"),
        client.get(where, headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}),
    ):
        assert german.headers["Content-Language"] == "de"
        assert "Kryptografische Belege" in german.text
        assert german.headers["Vary"] == "Accept-Language"
    asked = client.get(f"{where}?lang=en", headers={"Accept-Language": "de"})
    assert asked.headers["Content-Language"] == "en"
    assert client.get(f"{where}?lang=xx").headers["Content-Language"] == "en"


def test_the_front_page_is_german_too_and_so_is_what_it_leads_to(client: FlaskClient) -> None:
    page = client.get("/?lang=de", headers=BROWSER)
    assert page.headers["Content-Language"] == "de"
    assert "Was lässt sich über dieses Foto beweisen?" in page.text
    assert 'action="/reports?lang=de"' in page.text
    form = {"file": (io.BytesIO(JPEG), "photo.jpg")}
    answer = client.post("/reports?lang=de", data=form, headers=BROWSER)
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"].endswith("?lang=de")


def test_a_report_is_there_as_pdf_where_that_is_installed(client: FlaskClient) -> None:
    where = submit(client).headers["Location"]
    if not PDF.installed:
        assert "report.pdf" not in client.get(where).text
        return
    assert f'href="{where}/report.pdf?lang=en"' in client.get(where).text
    answer = client.get(f"{where}/report.pdf?lang=de")
    assert answer.content_type == "application/pdf"
    assert answer.data.startswith(b"%PDF-")


def test_where_a_score_comes_from_stands_on_the_page_and_not_in_the_report(
    client: FlaskClient, examiners: dict[bool, InlineExaminer]
) -> None:
    plain = client.get(
        f"{submit(client, name='contradiction.jpg').headers['Location']}/report.json"
    ).get_json()
    examiners[True].maps = (score_map(),)
    where = submit(client, name="contradiction.jpg").headers["Location"]
    page = client.get(where).text
    assert t("map.is_guess") in html.unescape(page)
    assert page.count('src="data:image/jpeg;base64,') == 2
    told = client.get(f"{where}/report.json").get_json()
    assert {**told, "run": None} == {**plain, "run": None}


def test_a_report_from_before_there_were_maps_says_that_none_was_kept(
    client: FlaskClient, services: Services
) -> None:
    where = submit(client, name="contradiction.jpg").headers["Location"]
    with writing(services.engine) as connection:
        connection.execute(update(verifications).values(maps=None))
    assert "none was kept with this report" in client.get(where).text


def test_another_time_can_be_asked_for(client: FlaskClient, examiners: dict[bool, InlineExaminer]) -> None:
    assert submit(client, as_of="2026-01-02T03:04").status_code == 303
    assert submit(client, as_of="").status_code == 303
    asked = [as_of for _, as_of, _ in examiners[True].asked]
    assert asked == [datetime(2026, 1, 2, 3, 4, tzinfo=UTC), None]


def test_a_picture_of_too_many_pixels_gets_its_page(client: FlaskClient) -> None:
    where = submit(client, png_bomb(), "bomb.png").headers["Location"]
    assert "50000 \u00d7 50000 pixels" in client.get(where).text


@pytest.mark.parametrize(
    ("data", "name", "fields", "status", "code"),
    [
        (b"", "empty.jpg", {}, 422, "assay.media.unreadable"),
        (b"just text", "notes.txt", {}, 415, "assay.media.unsupported"),
        (bytes(300_000), "huge.jpg", {}, 413, "assay.media.tooLarge"),
        (JPEG, "photo.jpg", {"as_of": "yesterday"}, 400, "assay.request.bad"),
        (JPEG, "unavailable.jpg", {}, 503, "assay.unavailable"),
    ],
)
def test_what_cannot_be_examined_gets_a_page_with_reason_and_code(
    client: FlaskClient,
    services: Services,
    data: bytes,
    name: str,
    fields: dict[str, str],
    status: int,
    code: str,
) -> None:
    answer = submit(client, data, name, **fields)
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    assert f"<code>{code}</code>" in answer.text
    assert "This says nothing about what the file shows" in answer.text
    assert rows(services) == (0, 0, 0)


def test_a_form_without_a_file_says_that_none_was_chosen(client: FlaskClient) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
    body = f"{part}Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    answer = client.post("/reports", data=body, content_type=kind, headers=BROWSER)
    assert answer.status_code == 422
    assert "no file was chosen" in answer.text


def test_a_busy_service_says_when_to_come_back(client: FlaskClient) -> None:
    assert int(submit(client, JPEG, "unavailable.jpg").headers["Retry-After"]) > 0


def test_programs_get_a_problem_document(client: FlaskClient) -> None:
    for accept in ("application/json", "application/problem+json", "*/*"):
        answer = client.get("/reports/none", headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.content_type == "application/problem+json"
        assert answer.get_json()["code"] == "assay.request.notFound"


def test_an_unknown_report_is_a_readable_page(client: FlaskClient) -> None:
    answer = client.get("/reports/none", headers=BROWSER)
    assert answer.status_code == 404
    assert "There is no such report" in answer.text


@pytest.mark.parametrize("path", ["/", "/reports/none", "report"])
def test_every_page_forbids_everything_that_it_does_not_need(client: FlaskClient, path: str) -> None:
    where = submit(client).headers["Location"] if path == "report" else path
    answer = client.get(where, headers=BROWSER)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert ("script-src 'self'" in policy) == (path == "/")
    assert ("script-src 'sha256-" in policy) == (path == "report")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_for_receipts_brings_its_script_its_log_s_key_and_no_way_out(
    client: FlaskClient, services: Services
) -> None:
    answer = client.get("/receipt", headers=BROWSER)
    assert answer.status_code == 200
    assert str(services.log.verifier) in html.unescape(answer.text)
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(sha256(script.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    own = html.unescape(answer.text.partition('Content-Security-Policy" content="')[2].partition('"')[0])
    assert policy == f"{own}; frame-ancestors 'none'"


def test_the_optional_script_is_served_from_here(client: FlaskClient) -> None:
    source = re.search(r'<script src="([^"]+)"', client.get("/").text)
    assert source is not None
    with client.get(source[1]) as answer:
        assert answer.status_code == 200
        assert not re.search(r"https?://", answer.text)


def test_a_hostile_name_is_escaped(client: FlaskClient) -> None:
    where = submit(client, JPEG, "<script>alert(1)\u202e.jpg").headers["Location"]
    page = client.get(where).text
    assert page.count("<script>") == 1, "our own"
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_time_without_a_zone_is_read_as_utc() -> None:
    assert parse_utc("2026-11-24T08:00") == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert parse_utc("  ") is None
