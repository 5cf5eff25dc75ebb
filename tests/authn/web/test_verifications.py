"""Uploads: what is examined, what is kept, and everything that is refused before it costs anything."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from authn.service.services import Services
from authn.web import create_app
from tests.authn.web.conftest import InlineExaminer, rows
from tests.doubles.media import png_bomb, tiny_jpeg

JPEG = tiny_jpeg()
ONE_TOO_MANY = b"\xff\xd8\xff" + bytes(99_998)  # the limit of the fixture is 100,000
Examiners = dict[bool, InlineExaminer]


def upload(client: FlaskClient, data: bytes = JPEG, name: str = "photo.jpg", query: str = ""):
    form = {"file": (io.BytesIO(data), name)}
    return client.post(f"/v1/verifications{query}", data=form)


def test_a_form_gets_the_report_and_the_address_where_it_is_kept(
    client: FlaskClient, services: Services
) -> None:
    answer = upload(client)
    assert answer.status_code == 200
    report = answer.get_json()
    assert report["subject"]["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert report["subject"]["name"] == "photo.jpg"
    assert answer.headers["Location"] == f"/v1/verifications/{report['run']['report_id']}"
    assert client.get(answer.headers["Location"]).data == answer.data
    assert rows(services) == (0, 0, 1)


def test_a_raw_body_is_examined_with_the_type_it_claims(client: FlaskClient) -> None:
    report = client.post("/v1/verifications", data=JPEG, content_type="image/png").get_json()
    assert report["subject"]["media_type"] == "image/jpeg"
    assert report["subject"]["media_type_claimed"] == "image/png"


def test_bytes_without_a_claim_claim_nothing(client: FlaskClient) -> None:
    report = client.post("/v1/verifications", data=JPEG, content_type="application/octet-stream").get_json()
    assert report["subject"]["media_type_claimed"] is None


def test_the_time_to_judge_at_is_passed_on(client: FlaskClient, examiners: Examiners) -> None:
    assert upload(client, query="?as_of=2026-01-02T03:04:05Z").status_code == 200
    assert upload(client, query="?as_of=2026-01-02T03:04:05+01:00").status_code == 200
    asked = [as_of for _, as_of, _ in examiners[True].asked]
    assert asked[0] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert asked[1] == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)


def test_heuristics_can_be_left_out(client: FlaskClient, examiners: Examiners) -> None:
    upload(client, query="?heuristics=false")
    upload(client, query="?heuristics=true")
    assert (len(examiners[False].asked), len(examiners[True].asked)) == (1, 1)


def test_the_sources_that_cost_more_run_where_they_are_asked_for(
    client: FlaskClient, examiners: Examiners
) -> None:
    for query in ("", "?forensics=true", "?forensics=false"):
        upload(client, query=query)
    assert examiners[True].forensics == [None, True, False]
    refused = upload(client, query="?forensics=true&heuristics=false")
    assert (refused.status_code, refused.get_json()["code"]) == (400, "assay.request.bad")


def test_a_picture_is_kept_only_when_asked_for(client: FlaskClient, services: Services) -> None:
    plain, with_picture = upload(client).get_json(), upload(client, query="?preview=true").get_json()
    now = datetime.now(UTC)
    assert services.verifications.get(plain["run"]["report_id"], now).preview_jpeg is None
    assert services.verifications.get(with_picture["run"]["report_id"], now).preview_jpeg == b"\xff\xd8"


def test_a_deleted_report_is_gone(client: FlaskClient, services: Services) -> None:
    where = upload(client).headers["Location"]
    assert client.delete(where).status_code == 204
    assert client.get(where).get_json()["code"] == "assay.request.notFound"
    assert client.delete(where).status_code == 404
    assert rows(services) == (0, 0, 0)


def test_an_expired_report_is_gone(services: Services) -> None:
    from dataclasses import replace

    where = upload(create_app(services).test_client()).headers["Location"]
    later = create_app(replace(services, clock=lambda: datetime.now(UTC) + timedelta(days=31))).test_client()
    assert later.get(where).status_code == 404


def test_a_report_carries_its_digest_and_is_not_cached(client: FlaskClient) -> None:
    answer = upload(client)
    digest = base64.b64encode(hashlib.sha256(answer.data).digest()).decode()
    assert answer.headers["Content-Digest"] == f"sha-256=:{digest}:"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("a\u202egpj.exe.jpg", "agpj.exe.jpg"),
        ("x" * 300 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_a_file_name_cannot_lead_anywhere(client: FlaskClient, name: str, shown: str) -> None:
    assert upload(client, name=name).get_json()["subject"]["name"] == shown


def test_hostile_text_in_a_report_is_answered_as_ascii(client: FlaskClient) -> None:
    answer = upload(client, name="<script>\u2028.jpg")
    assert answer.data.isascii()
    assert answer.content_type == "application/json"


def test_a_picture_of_too_many_pixels_is_reported_on_and_not_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/verifications", data=png_bomb(), content_type="image/png")
    assert (answer.status_code, answer.get_json()["subject"]["width"]) == (200, 50_000)


BAD_FORMS = [
    ("empty file", {"file": (io.BytesIO(b""), "empty.jpg")}, 422, "assay.media.unreadable"),
    ("no file chosen", {"file": (io.BytesIO(b""), "")}, 422, "assay.media.unreadable"),
    ("truncated", {"file": (io.BytesIO(JPEG[:20]), "cut.jpg")}, 422, "assay.media.unreadable"),
    ("text", {"file": (io.BytesIO(b"just words"), "words.jpg")}, 415, "assay.media.unsupported"),
    ("one byte too many", {"file": (io.BytesIO(ONE_TOO_MANY), "a.jpg")}, 413, "assay.media.tooLarge"),
    ("oversize", {"file": (io.BytesIO(bytes(300_000)), "a.jpg")}, 413, "assay.media.tooLarge"),
    ("other field", {"photo": (io.BytesIO(JPEG), "a.jpg")}, 400, "assay.request.bad"),
    ("text field", {"file": "not a file"}, 400, "assay.request.bad"),
    ("two files", {"file": [(io.BytesIO(JPEG), "a"), (io.BytesIO(JPEG), "b")]}, 400, "assay.request.bad"),
    ("unavailable", {"file": (io.BytesIO(JPEG), "unavailable.jpg")}, 503, "assay.unavailable"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "status", "code"), [c[1:] for c in BAD_FORMS], ids=[c[0] for c in BAD_FORMS]
)
def test_a_bad_form_is_a_problem_and_leaves_no_row(
    client: FlaskClient, services: Services, form: dict[str, object], status: int, code: str
) -> None:
    answer = client.post("/v1/verifications", data=form, content_type="multipart/form-data")
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert rows(services) == (0, 0, 0)


BAD_BODIES = [
    ("no body", b"", "image/jpeg", 422, "assay.media.unreadable"),
    ("no type", JPEG, "", 415, "assay.media.unsupported"),
    ("json", b"{}", "application/json", 415, "assay.media.unsupported"),
    ("plain text type", JPEG, "text/plain", 415, "assay.media.unsupported"),
    ("url encoded", b"file=a", "application/x-www-form-urlencoded", 415, "assay.media.unsupported"),
    ("html", b"<html>", "image/jpeg", 415, "assay.media.unsupported"),
    ("oversize", bytes(300_000), "image/jpeg", 413, "assay.media.tooLarge"),
    ("just too large", ONE_TOO_MANY, "image/jpeg", 413, "assay.media.tooLarge"),
    ("form without boundary", JPEG, "multipart/form-data", 400, "assay.request.bad"),
    ("broken form", b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400, "assay.request.bad"),
]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"), [c[1:] for c in BAD_BODIES], ids=[c[0] for c in BAD_BODIES]
)
def test_a_bad_body_is_a_problem_and_leaves_no_row(
    client: FlaskClient, services: Services, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = client.post("/v1/verifications", data=body, content_type=kind)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x"])
def test_a_chunked_body_without_length_is_stopped_at_the_limit(
    client: FlaskClient, services: Services, kind: str
) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = io.BytesIO((head if "form" in kind else b"") + bytes(1_000_000))
    answer = client.post(
        "/v1/verifications",
        input_stream=body,
        content_type=kind,
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (413, "assay.media.tooLarge")
    assert body.tell() < 400_000, "the body was read to its end before it was refused"
    assert rows(services) == (0, 0, 0)


def test_a_content_length_that_promises_less_does_not_get_more_in(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/verifications",
        input_stream=io.BytesIO(JPEG + bytes(1_000_000)),
        content_type="image/jpeg",
        environ_overrides={"CONTENT_LENGTH": str(len(JPEG))},
    )
    assert answer.get_json()["subject"]["bytes"] == len(JPEG)


def test_a_body_that_ends_early_is_refused(client: FlaskClient, services: Services) -> None:
    answer = client.post(
        "/v1/verifications",
        input_stream=io.BytesIO(JPEG),
        content_type="image/jpeg",
        environ_overrides={"CONTENT_LENGTH": str(len(JPEG) + 100)},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize(
    "query",
    [
        "?as_of=yesterday",
        "?as_of=2026-01-02T03:04:05",
        "?as_of=",
        "?as_of=0001-01-01T00:00:00%2B23:00",
        "?as_of=9999-12-31T23:59:59-23:00",
        "?heuristics=1",
        "?preview=maybe",
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_before_the_upload_is_read(
    client: FlaskClient, services: Services, query: str
) -> None:
    answer = upload(client, query=query)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
    assert rows(services) == (0, 0, 0)


@pytest.mark.parametrize(
    "path", ["/v1/verifications/none", "/v1/verifications/%00", "/v1/verifications/..%2f"]
)
def test_an_id_that_was_never_given_out_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert json.loads(answer.data)["code"] == "assay.request.notFound"


def test_a_manifest_store_may_come_beside_the_file(client: FlaskClient, examiners: Examiners) -> None:
    form = {"file": (io.BytesIO(JPEG), "photo.jpg"), "manifest": (io.BytesIO(b"a store"), "photo.c2pa")}
    assert client.post("/v1/verifications", data=form).status_code == 200
    ((asked, _, _),) = examiners[True].asked
    assert (asked.data, asked.sidecar) == (JPEG, b"a store")


def test_a_field_for_a_manifest_in_which_no_file_was_chosen_is_none(
    client: FlaskClient, examiners: Examiners
) -> None:
    form = {"file": (io.BytesIO(JPEG), "photo.jpg"), "manifest": (io.BytesIO(b""), "")}
    assert client.post("/v1/verifications", data=form).status_code == 200
    assert examiners[True].asked[0][0].sidecar is None


@pytest.mark.parametrize(
    ("stores", "status", "code"),
    [([b""], 422, "assay.media.unreadable"), ([b"a", b"b"], 400, "assay.request.bad")],
    ids=["empty", "two"],
)
def test_a_manifest_that_is_empty_or_stands_twice_is_refused(
    stores: list[bytes], status: int, code: str, client: FlaskClient
) -> None:
    form = {
        "file": (io.BytesIO(JPEG), "photo.jpg"),
        "manifest": [(io.BytesIO(store), "photo.c2pa") for store in stores],
    }
    answer = client.post("/v1/verifications", data=form)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
