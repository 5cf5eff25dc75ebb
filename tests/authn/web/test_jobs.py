"""Examinations that are left for later: what is answered, what is kept, and what becomes of them."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import jsonschema
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from authn.core.errors import ExaminationFailed
from authn.core.report import Report
from authn.jobs.runner import Runner
from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from authn.store.engine import writing
from authn.store.schema import jobs as rows
from authn.web import create_app
from authn.web.openapi import openapi_document
from authn.web.preferences import Preferences, preferences
from tests.authn.web.conftest import InlineExaminer, WaitingExaminer
from tests.doubles.media import tiny_jpeg
from tests.waiting import PATIENCE_S, until

JPEG = tiny_jpeg()
ASYNC = {"Prefer": "respond-async"}
Examiners = dict[bool, InlineExaminer]


def upload(client: FlaskClient, name: str = "photo.jpg", query: str = "", **headers: str) -> TestResponse:
    form = {"file": (io.BytesIO(JPEG), name)}
    return client.post(f"/v1/verifications{query}", data=form, headers={**ASYNC, **headers})


@contextmanager
def working(services: Services) -> Iterator[None]:
    """The threads of one process of the service, as long as the block lasts."""
    runner = services.runners[0]
    runner.start()
    yield
    runner.close()


@pytest.fixture
def running(services: Services) -> Iterator[None]:
    with working(services):
        yield


def ended(client: FlaskClient, where: str, headers: dict[str, str] | None = None) -> dict[str, object]:
    job: dict[str, object] = {}

    def is_over() -> bool:
        job.update(client.get(where, headers=headers).get_json())
        return job["state"] not in ("queued", "running")

    until(is_over, lambda: job)
    return job


def kept(services: Services) -> list[str]:
    folder = services.settings.home / "jobs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_request_that_would_rather_not_wait_is_told_where_to_ask(
    client: FlaskClient, services: Services
) -> None:
    answer = upload(client)
    job = answer.get_json()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert (job["state"], job["progress"]["waiting_before"]) == ("queued", 0)
    assert upload(client).get_json()["progress"]["waiting_before"] == 1
    assert f"{job['id']}.media" in kept(services)
    assert client.get(f"/v1/verifications/{job['id']}").status_code == 404
    schemas = {"components": openapi_document()["components"], "$ref": "#/components/schemas/Job"}
    jsonschema.validate(job, schemas)


def test_the_job_ends_with_a_report_that_any_other_request_would_have_got(
    client: FlaskClient, services: Services, examiners: Examiners, running: None
) -> None:
    where = upload(client, query="?as_of=2026-01-02T03:04:05Z&heuristics=false&preview=true").headers[
        "Location"
    ]
    job = ended(client, where)
    assert (job["state"], job["progress"]["attempts"]) == ("done", 1)  # type: ignore[index]
    report = client.get(str(job["verification"])).get_json()
    assert report["subject"]["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert report["subject"]["name"] == "photo.jpg"
    assert report["run"]["report_id"] == job["id"]
    ((media, as_of, preview),) = examiners[False].asked
    assert (media.data, str(as_of), preview) == (JPEG, "2026-01-02 03:04:05+00:00", True)
    assert kept(services) == []
    assert client.get(f"/reports/{job['id']}").status_code == 200


def test_a_manifest_store_beside_the_file_waits_with_it(
    client: FlaskClient, examiners: Examiners, services: Services, running: None
) -> None:
    form = {"file": (io.BytesIO(JPEG), "a.jpg"), "manifest": (io.BytesIO(b"store"), "a.c2pa")}
    answer = client.post("/v1/verifications", data=form, headers=ASYNC)
    ended(client, answer.headers["Location"])
    assert examiners[True].asked[0][0].sidecar == b"store"
    assert kept(services) == []


def test_who_waits_long_enough_gets_the_report_itself(client: FlaskClient, running: None) -> None:
    answer = upload(client, Prefer="respond-async, wait=20")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "respond-async, wait=20")
    assert answer.headers["Location"] == f"/v1/verifications/{answer.get_json()['run']['report_id']}"


def test_who_waits_in_vain_is_told_where_to_ask(client: FlaskClient) -> None:
    answer = upload(client, Prefer="wait=1")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")


class Failing(InlineExaminer):
    """Its process dies as often as it is told."""

    def __init__(self, times: int) -> None:
        super().__init__(True)
        self.left = times

    def examine(self, *given: object, **named: object) -> Report:  # type: ignore[override]
        self.left -= 1
        if self.left >= 0:
            raise ExaminationFailed("the examining process died")
        return super().examine(*given, **named)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(("times", "state"), [(2, "done"), (3, "not_examined")])
def test_an_examiner_that_dies_is_tried_again_and_at_last_the_reason_is_told(
    client: FlaskClient,
    services: Services,
    running: None,
    times: int,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(services.deferred), "pause", lambda *_: timedelta(0))
    services.examinations._examiners[True] = Failing(times)
    job = ended(client, upload(client).headers["Location"])
    assert job["state"] == state
    if state == "not_examined":
        assert job["verification"] is None
        assert job["problem"] == {
            "type": "urn:assay:problem:assay.examination.failed",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "the examining process died",
            "code": "assay.examination.failed",
        }
    assert kept(services) == []


def test_who_waits_for_what_cannot_be_examined_gets_the_problem_itself(
    client: FlaskClient, services: Services
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(services.deferred), "pause", lambda *_: timedelta(0))
        services.examinations._examiners[True] = Failing(3)
        with working(services):
            answer = upload(client, Prefer="wait=20")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.get_json()["code"] == "assay.examination.failed"


def test_what_is_no_medium_is_refused_before_anything_is_kept(
    client: FlaskClient, services: Services
) -> None:
    answer = client.post("/v1/verifications", data=b"text", content_type="image/jpeg", headers=ASYNC)
    assert (answer.status_code, kept(services)) == (415, [])


def test_a_full_disk_is_told_and_nothing_of_the_upload_is_kept(
    client: FlaskClient, services: Services
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        answer = upload(client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (answer.status_code, answer.get_json()["code"]) == (507, "assay.job.spoolFull")
    assert kept(services) == []
    assert upload(client).status_code == 202


def test_more_than_may_wait_is_refused_and_nothing_of_it_is_kept(services: Services) -> None:
    services.deferred._terms = replace(services.deferred._terms, most=1)
    client = create_app(services).test_client()
    assert upload(client).status_code == 202
    answer = upload(client)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "assay.job.queueFull")
    assert answer.headers["Retry-After"]
    assert len(kept(services)) == 1


def test_an_upload_that_was_changed_on_the_disk_is_not_examined(
    client: FlaskClient, services: Services
) -> None:
    where = upload(client).headers["Location"]
    (services.settings.home / "jobs" / kept(services)[0]).write_bytes(b"\xff\xd8\xffsomething else")
    with working(services):
        job = ended(client, where)
    assert (job["state"], job["problem"]["code"]) == ("not_examined", "assay.job.inputLost")  # type: ignore[index]


def test_a_job_that_an_older_version_left_behind_ends_with_that_reason(
    client: FlaskClient, services: Services
) -> None:
    answer = upload(client)
    with writing(services.engine) as connection:
        task = json.loads(connection.execute(select(rows.c.task)).scalar_one())
        del task["sidecar_sha256"], task["forensics"]
        connection.execute(update(rows).values(task=json.dumps(task)))
    with working(services):
        job = ended(client, answer.headers["Location"])
    assert (job["state"], job["problem"]["code"]) == ("not_examined", "assay.job.inputLost")  # type: ignore[index]
    assert "an older version" in job["problem"]["detail"]  # type: ignore[index]


def test_what_nobody_had_time_for_is_not_examined_and_its_upload_is_gone(
    client: FlaskClient, services: Services
) -> None:
    where = upload(client).headers["Location"]
    with writing(services.engine) as connection:
        connection.execute(update(rows).values(expires_at=services.clock()))
    services.deferred.sweep()
    job = client.get(where).get_json()
    assert (job["state"], job["problem"]["code"]) == ("not_examined", "assay.job.expired")
    assert kept(services) == []


def test_an_unknown_job_and_an_ended_one_that_expired_are_not_found(
    client: FlaskClient, services: Services, running: None
) -> None:
    where = upload(client).headers["Location"]
    ended(client, where)
    with writing(services.engine) as connection:
        connection.execute(update(rows).values(expires_at=services.clock()))
    services.deferred.sweep()
    for address in (where, "/v1/jobs/00", "/v1/jobs/%00"):
        answer = client.get(address)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "assay.job.unknown")
        assert client.delete(address).status_code == 404


def test_a_job_is_its_owner_s_alone(services: Services) -> None:
    client = create_app(services).test_client()
    scopes = frozenset({"verifications:create", "verifications:read", "verifications:delete"})
    keys = [ApiKeys(services.engine).create(n, scopes, services.clock()).text for n in ("a", "b")]
    mine, others = ({"Authorization": f"Bearer {key}"} for key in keys)
    where = upload(client, **mine).headers["Location"]
    assert client.get(where, headers=mine).status_code == 200
    for headers in (others, {}):
        assert client.get(where, headers=headers).get_json()["code"] == "assay.job.unknown"
        assert client.delete(where, headers=headers).status_code == 404
    assert client.delete(where, headers=mine).status_code == 204
    assert kept(services) == []


def test_a_job_that_is_stopped_while_it_runs_leaves_no_report(
    client: FlaskClient, services: Services
) -> None:
    slow = WaitingExaminer(True)
    services.examinations._examiners[True] = slow
    where = upload(client).headers["Location"]
    with working(services):
        assert slow.began.wait(PATIENCE_S)
        assert client.get(where).get_json()["state"] == "running"
        assert client.delete(where).status_code == 204
        slow.go_on.set()
    assert client.get(where).status_code == 404
    assert client.get(where.replace("jobs", "verifications")).status_code == 404
    assert kept(services) == []


def test_a_deleted_report_takes_its_job_along(client: FlaskClient, running: None) -> None:
    where = upload(client).headers["Location"]
    report = str(ended(client, where)["verification"])
    assert client.delete(report).status_code == 204
    assert client.get(where).status_code == 404


def test_only_so_many_wait_in_threads_that_uploads_need(client: FlaskClient, services: Services) -> None:
    taken = [services.deferred._waiting.acquire(blocking=False) for _ in range(3)]
    assert taken == [True, True, False]
    began = time.monotonic()
    assert upload(client, Prefer="wait=30").status_code == 202
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("respond-async", Preferences(respond_async=True)),
        ("Respond-Async; foo=bar , WAIT=10", Preferences(respond_async=True, wait_s=10)),
        ('wait="7"', Preferences(wait_s=7)),
        ("wait=100000000000000", Preferences(wait_s=30)),
        ("wait=3, wait=9", Preferences(wait_s=3)),
        ("wait=-1", Preferences()),
        ("wait=²", Preferences()),
        ("wait", Preferences()),
        ("respond-async=no", Preferences()),
        ("return=minimal, handling=lenient", Preferences()),
        (',,;="', Preferences()),
    ],
)
def test_preferences_are_read_as_the_standard_has_them(header: str, wanted: Preferences) -> None:
    assert preferences([header]) == wanted


def test_the_example_of_the_page_is_what_is_answered(client: FlaskClient) -> None:
    from tests.conftest import ROOT

    page = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    (shown,) = [b for b in page.split("```") if b.startswith("json\n") and '"waiting_before"' in b]
    assert json.loads(shown.removeprefix("json\n")).keys() == upload(client).get_json().keys()


def test_the_runner_of_a_service_is_its_own(services: Services) -> None:
    assert [type(r) for r in services.runners] == [Runner, Runner]
