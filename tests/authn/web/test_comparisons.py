"""Two files at once, the signed one first; and what is taken along: crJSON and the evidence bundle."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authn.core.evidence import Outcome
from authn.core.instants import instant
from authn.core.media import MediaLimits, unparsed
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
    text = client.get(where).text
    assert "Not compared: the bytes of the other file are not established" in text
    assert "The report that this address names as that of the original" in text
    assert "The report of the original" not in text


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
    assert "Who signed the original is not established" in text
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


def changed(services: Services, change: Callable[[dict[str, Any]], None], data: bytes = JPEG) -> str:
    """The id of a report on ``data`` as ``change`` leaves it."""
    stored = services.examinations.examine(unparsed(data, "a.jpg", MediaLimits()), preview=True)
    report = json.loads(stored.report)
    change(report)
    again = replace(stored, id=f"{stored.id[:-1]}x", report=json.dumps(report))
    services.verifications.keep(again)
    return again.id


def test_nothing_is_said_of_a_signer_who_is_established(client: FlaskClient, services: Services) -> None:
    where = send(client, "/comparisons").headers["Location"].partition("?")[0]

    def established(report: dict[str, Any]) -> None:
        report["cryptographic"]["axes"]["signer"]["outcome"] = "established"

    signed = changed(services, established, JPEG + b"\0")
    text = client.get(f"{where}?original={signed}").text
    assert "The report of the original" in text
    assert "Who signed the original" not in text


@pytest.mark.parametrize("on_request", [True, False])
def test_a_bundle_asks_what_its_report_asked_although_no_source_answered(
    client: FlaskClient, services: Services, examiners: dict[bool, InlineExaminer], on_request: bool
) -> None:
    def asked(report: dict[str, Any]) -> None:
        report["heuristic"]["detectors"] = []
        report["run"]["sources"] = [{"source": "metadata", "cpu_ms": 1.0, "on_request": on_request}]

    def take(report_id: str) -> None:
        answer = client.post("/bundles", data={"file": (io.BytesIO(JPEG), "a.jpg"), "report": report_id})
        assert json.loads(answer.data)["code"] == "assay.examination.failed"  # these examiners make none

    report_id = changed(services, asked)
    judged = json.loads(services.verifications.get(report_id, services.clock()).report)["evaluated_as_of"]
    before = len(examiners[True].asked)
    take(report_id)
    ((_, as_of, _),) = examiners[True].asked[before:]
    assert as_of is not None
    assert instant(as_of) == judged
    assert examiners[True].forensics[-1] is on_request

    def none_asked(report: dict[str, Any]) -> None:
        report["heuristic"]["detectors"], report["run"]["sources"] = [], []

    take(changed(services, none_asked))
    assert len(examiners[True].asked) == before + 2  # the second is that of the report
    assert len(examiners[False].asked) == 1


def test_a_bundle_of_what_lay_beside_a_file_wants_that_too(client: FlaskClient, services: Services) -> None:
    def beside(report: dict[str, Any]) -> None:
        finding = {"code": "assay.credential.sidecar", "outcome": "established", "detail": "", "facts": {}}
        report["cryptographic"]["axes"]["credential"]["findings"].append(finding)

    report_id = changed(services, beside)
    assert 'name="manifest"' in client.get(f"/reports/{report_id}").text
    form = {"file": (io.BytesIO(JPEG), "a.jpg"), "report": report_id}
    answer = client.post("/bundles", data=form)
    assert answer.status_code == 400
    assert "a manifest store beside the file" in json.loads(answer.data)["detail"]
    plain = client.post("/reports", data={"file": (io.BytesIO(JPEG), "a.jpg")}).headers["Location"]
    assert 'name="manifest"' not in client.get(plain).text


STORE = b"a store"


@pytest.mark.parametrize(
    ("code", "facts", "why"),
    [
        ("assay.credential.absent", {}, "no manifest store came beside"),
        ("assay.credential.sidecar", {"sha256": media_sha256(b"another")}, "another manifest store came"),
        ("assay.credential.sidecarNotRead", {"sha256": media_sha256(b"another")}, "another manifest store"),
        ("assay.credential.sidecar", {"sha256": media_sha256(STORE)}, ""),
        ("assay.credential.sidecarNotRead", {}, ""),
    ],
)
def test_a_bundle_takes_no_store_that_its_report_was_not_given(
    client: FlaskClient, services: Services, code: str, facts: dict[str, str], why: str
) -> None:
    def told(report: dict[str, Any]) -> None:
        finding = {"code": code, "outcome": "not_examined", "detail": "", "facts": facts}
        report["cryptographic"]["axes"]["credential"]["findings"].append(finding)

    form = {
        "file": (io.BytesIO(JPEG), "a.jpg"),
        "manifest": (io.BytesIO(STORE), "a.c2pa"),
        "report": changed(services, told),
    }
    answer = client.post("/bundles", data=form)
    assert answer.status_code == (400 if why else 503)  # 503: these examiners make no bundle
    assert (why or "no bundle was made") in json.loads(answer.data)["detail"]
