"""Two files at once, the signed one first; and what is taken along: crJSON and the evidence bundle."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from hashlib import sha256

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authn.core.evidence import Outcome
from authn.core.score_map import ORIGINAL
from authn.service.examinations import UNSIGNED_ORIGINAL
from authn.service.services import Services
from tests.authn.web.conftest import InlineExaminer, rows
from tests.doubles.media import tiny_jpeg
from tests.doubles.score_maps import score_map

JPEG = tiny_jpeg()
BROWSER = {"Accept": "text/html"}


def send(client: FlaskClient, where: str, *, original: str = "signed.jpg") -> TestResponse:
    form = {"file": (io.BytesIO(JPEG), "changed.jpg"), "original": (io.BytesIO(JPEG + b"\0"), original)}
    return client.post(where, data=form, headers=BROWSER)


@pytest.fixture(autouse=True)
def _drawn(examiners: dict[bool, InlineExaminer]) -> None:
    found = replace(score_map(), detector=ORIGINAL, model_sha256=media_sha256(JPEG + b"\0"), windows=())
    examiners[True].maps = (found,)


def media_sha256(data: bytes) -> str:
    return sha256(data).hexdigest()


def test_the_original_is_verified_first_and_both_reports_are_kept(
    client: FlaskClient, services: Services, examiners: dict[bool, InlineExaminer]
) -> None:
    answer = send(client, "/v1/comparisons")
    assert answer.status_code == 200
    assert [m.name for m, _, _ in examiners[True].asked] == ["signed.jpg", "changed.jpg"]
    assert answer.json is not None
    assert answer.json["original"]["sha256"] == media_sha256(JPEG + b"\0")
    assert rows(services)[2] == 2
    for which in ("original", "file"):
        report = client.get(answer.json[which]["verification"]).json
        assert report is not None
        assert report["subject"]["sha256"] == answer.json[which]["sha256"]


def test_what_is_not_the_signed_bytes_is_no_original(
    client: FlaskClient, examiners: dict[bool, InlineExaminer]
) -> None:
    examiners[True].maps = ()
    answer = send(client, "/v1/comparisons")
    assert answer.json is not None
    outcome = answer.json["original"]["integrity"]
    if outcome == Outcome.ESTABLISHED.value:
        pytest.fail("the scripted examiner signs nothing")
    assert answer.json["difference"] == {"compared": False, "why": UNSIGNED_ORIGINAL}
    where = send(client, "/comparisons").headers["Location"]
    assert "Not compared: the bytes of the other file are not established" in client.get(where).text


def test_the_page_leads_to_the_difference_and_to_the_report_of_the_original(client: FlaskClient) -> None:
    form = client.get("/comparisons?lang=de").text
    assert "Wo weicht ein Bild von seinem signierten Original ab?" in form
    answer = send(client, "/comparisons")
    assert answer.status_code == 303
    where = answer.headers["Location"]
    assert where.endswith("#differences")
    text = client.get(where).text
    assert "Where it differs from the original" in text
    assert "The report of the original" in text
    elsewhere = where.replace("original=", "original=0")
    assert "The report of the original" not in client.get(elsewhere).text


@pytest.mark.parametrize("fields", [("file",), ("original",), ("file", "original", "manifest"), ()])
def test_exactly_two_files_are_compared(client: FlaskClient, fields: tuple[str, ...]) -> None:
    for where in ("/v1/comparisons", "/comparisons"):
        form = {name: (io.BytesIO(JPEG), f"{name}.jpg") for name in fields}
        assert client.post(where, data=form).status_code in (400, 422)
    raw = client.post("/v1/comparisons", data=JPEG, content_type="image/jpeg")
    assert raw.status_code == 400


def test_crjson_and_the_bundle_keep_nothing(client: FlaskClient, services: Services) -> None:
    answer = client.post("/v1/verifications?format=crjson", data=JPEG, content_type="image/jpeg")
    assert (answer.status_code, answer.json) == (
        200,
        {"@context": {"@vocab": "https://c2pa.org/crjson"}, "manifests": []},
    )
    assert "Location" not in answer.headers
    assert rows(services)[2] == 0
    for wrong in ("format=xml", "format=crjson&preview=true"):
        assert (
            client.post(f"/v1/verifications?{wrong}", data=JPEG, content_type="image/jpeg").status_code == 400
        )
    for header in ({"Prefer": "respond-async"}, {"Idempotency-Key": "once"}):
        later = client.post(
            "/v1/verifications?format=bundle", data=JPEG, content_type="image/jpeg", headers=header
        )
        assert later.status_code == 400
    assert later.status_code == 400


def test_a_bundle_is_made_of_the_file_that_the_report_is_about(client: FlaskClient) -> None:
    where = client.post("/reports", data={"file": (io.BytesIO(JPEG), "a.jpg")}).headers["Location"]
    report_id = where.rpartition("/")[2]
    page = client.get(where).text
    assert 'action="/bundles"' in page
    assert "form-action 'self'" in client.get(where).headers["Content-Security-Policy"]
    other = {"file": (io.BytesIO(JPEG + b"\0"), "a.jpg"), "report": report_id}
    refused = client.post("/bundles", data=other)
    assert refused.status_code == 400
    assert "not the file that the report is about" in json.loads(refused.data)["detail"]
    nobody = {"file": (io.BytesIO(JPEG), "a.jpg"), "report": "0" * 32}
    assert client.post("/bundles", data=nobody).status_code == 404
