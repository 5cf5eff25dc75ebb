"""Requests that are sent again, answers that a client has already, and lists."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from authn.core.errors import ExaminationFailed
from authn.core.instants import utc_now
from authn.core.report import Report
from authn.jobs.table import Job
from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from authn.store.engine import writing
from authn.store.schema import idempotency_keys
from authn.web import create_app
from authn.web.listing import cursor_of
from tests.authn.web.conftest import InlineExaminer, WaitingExaminer, rows
from tests.doubles.media import tiny_jpeg
from tests.waiting import PATIENCE_S

JPEG, OTHER = tiny_jpeg(), tiny_jpeg((40, 30))
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


def upload(client: FlaskClient, data: bytes = JPEG, query: str = "", **headers: str) -> TestResponse:
    form = {"file": (io.BytesIO(data), "photo.jpg")}
    return client.post(f"/v1/verifications{query}", data=form, headers={**KEY, **headers})


def bearer(services: Services, name: str = "a", *scopes: str) -> dict[str, str]:
    wanted = frozenset(scopes or ("verifications:create", "verifications:read", "verifications:delete"))
    return {"Authorization": f"Bearer {ApiKeys(services.engine).create(name, wanted, services.clock()).text}"}


@pytest.mark.parametrize("prefer", ["", "respond-async"])
def test_a_request_that_is_sent_again_is_done_once_and_answered_the_same(
    client: FlaskClient, services: Services, examiners: dict[bool, InlineExaminer], prefer: str
) -> None:
    first, again = (upload(client, Prefer=prefer) for _ in range(2))
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    quoted = upload(client, Prefer=prefer, **{"Idempotency-Key": f'"{KEY["Idempotency-Key"]}"'})
    assert quoted.data == first.data
    assert len(examiners[True].asked) + len(list((services.settings.home / "jobs").glob("*"))) == 1


@pytest.mark.parametrize(
    ("data", "query"), [(OTHER, ""), (JPEG, "?heuristics=false"), (JPEG, "?preview=true")]
)
def test_a_key_that_comes_with_another_request_is_refused(
    client: FlaskClient, data: bytes, query: str
) -> None:
    assert upload(client).status_code == 200
    answer = upload(client, data, query)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "assay.request.keyReused")


def test_a_request_that_comes_while_the_first_is_at_work_is_told_so(services: Services) -> None:
    slow = WaitingExaminer(True)
    services.examinations._examiners[True] = slow
    app = create_app(services)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(upload, app.test_client())
        assert slow.began.wait(PATIENCE_S)
        answer = upload(app.test_client())
        slow.go_on.set()
        assert first.result().status_code == 200
    assert (answer.status_code, answer.get_json()["code"]) == (409, "assay.request.inFlight")
    assert upload(app.test_client()).status_code == 200


def lose_the_key(services: Services, *, to_somebody: bool) -> None:
    """As after a lease that ended and was swept away while its process stood still."""
    with writing(services.engine) as connection:
        row = connection.execute(select(idempotency_keys)).mappings().one()
        connection.execute(delete(idempotency_keys))
    if to_somebody:
        services.repeats.begin(row["caller"], row["key"], row["fingerprint"])


def meanwhile(services: Services, do: Callable[[], object]) -> None:
    """Do it while the next file is examined, or is put aside for later."""

    class Slow(InlineExaminer):
        def examine(self, *given: object, **named: object) -> Report:  # type: ignore[override]
            services.examinations._examiners[True] = InlineExaminer(True)
            do()
            return super().examine(*given, **named)  # type: ignore[arg-type,return-value]

    services.examinations._examiners[True] = Slow(True)


def test_who_lost_the_key_to_another_keeps_nothing_and_gives_the_other_s_answer(services: Services) -> None:
    app, other = create_app(services), []

    def lose() -> None:
        lose_the_key(services, to_somebody=False)
        other.append(upload(app.test_client()))

    meanwhile(services, lose)
    late = upload(app.test_client())
    assert (other[0].status_code, late.data) == (200, other[0].data)
    assert late.headers["Idempotency-Replayed"] == "true"
    assert rows(services)[2] == 1


@pytest.mark.parametrize("prefer", ["", "respond-async"])
def test_who_lost_the_key_to_one_who_is_still_at_work_says_so_and_keeps_nothing(
    services: Services, prefer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose() -> None:
        lose_the_key(services, to_somebody=True)

    prepared = services.deferred.prepared

    def put_aside(*given: Any, **named: Any) -> Job:
        lose()
        return prepared(*given, **named)

    meanwhile(services, lose)
    monkeypatch.setattr(services.deferred, "prepared", put_aside)
    answer = upload(create_app(services).test_client(), Prefer=prefer)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "assay.request.inFlight")
    assert rows(services)[2] == 0
    assert not list((services.settings.home / "jobs").glob("*"))


def test_a_key_that_nobody_took_while_its_lease_had_ended_is_still_the_first_one_s(
    services: Services,
) -> None:
    meanwhile(services, lambda: lose_the_key(services, to_somebody=False))
    client = create_app(services).test_client()
    first, again = upload(client), upload(client)
    assert (first.status_code, first.data) == (200, again.data)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")


def test_after_an_error_the_same_request_may_be_sent_again(client: FlaskClient, services: Services) -> None:
    class Once(InlineExaminer):
        def examine(self, *given: object, **named: object) -> Report:  # type: ignore[override]
            services.examinations._examiners[True] = InlineExaminer(True)
            raise ExaminationFailed("the examining process died")

    services.examinations._examiners[True] = Once(True)
    assert [upload(client).status_code for _ in range(2)] == [503, 200]


def test_a_deleted_report_is_not_given_again(client: FlaskClient) -> None:
    client.delete(upload(client).headers["Location"])
    assert upload(client).status_code == 404


def test_a_key_is_its_caller_s_own(client: FlaskClient, services: Services) -> None:
    mine, others = bearer(services), bearer(services, "b")
    answers = [upload(client, **headers) for headers in (mine, others, {}, mine)]
    assert [a.status_code for a in answers] == [200] * 4
    assert len({a.headers["Location"] for a in answers}) == 3
    assert rows(services)[2] == 3


@pytest.mark.parametrize("key", ["", '""', "x" * 256, 'a"b', "a\\b", "schlüssel"])
def test_a_key_that_is_none_is_refused_before_anything_is_examined(client: FlaskClient, key: str) -> None:
    answer = upload(client, **{"Idempotency-Key": key})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")


def test_what_a_client_has_already_is_not_sent_again(client: FlaskClient) -> None:
    upload_answer = client.post("/v1/verifications", data=JPEG, content_type="image/jpeg")
    first = client.get(upload_answer.headers["Location"])
    tag = first.headers["ETag"]
    again = client.get(upload_answer.headers["Location"], headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert "Content-Digest" not in again.headers
    assert client.get(first.request.path, headers={"If-None-Match": '"x"'}).data == first.data
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_a_list_holds_one_s_own_reports_page_by_page(client: FlaskClient, services: Services) -> None:
    mine, others = bearer(services), bearer(services, "b")
    made = [upload(client, **mine, **{"Idempotency-Key": f"k{n}"}).headers["Location"] for n in range(5)]
    upload(client, **others)
    upload(client)
    seen: list[str] = []
    where: str | None = "/v1/verifications?limit=2"
    pages = 0
    while where:
        answer = client.get(where, headers=mine)
        page = answer.get_json()
        seen += [item["verification"] for item in page["verifications"]]
        pages += 1
        where = answer.headers["Link"].split(">")[0].strip("<") if page["next_cursor"] else None
        upload(client, **mine, **{"Idempotency-Key": f"later{pages}"})  # shifts nothing
    assert (seen, pages) == (made[::-1], 3)
    client.delete(made[0], headers=mine)
    listed = client.get("/v1/verifications", headers=mine).get_json()["verifications"]
    assert len(listed) == 7
    assert client.get("/v1/verifications", headers=others).get_json()["next_cursor"] is None


def test_a_report_that_was_asked_for_on_the_page_stands_in_the_list_of_who_asked(
    client: FlaskClient, services: Services
) -> None:
    mine = bearer(services)
    page = client.post("/reports", data=JPEG, content_type="image/jpeg", headers=mine)
    (listed,) = client.get("/v1/verifications", headers=mine).get_json()["verifications"]
    assert listed["id"] in page.headers["Location"]


def test_a_list_needs_credentials_in_an_open_service_too(client: FlaskClient, services: Services) -> None:
    assert client.get("/v1/verifications").status_code == 401
    wrong = bearer(services, "c", "verifications:create")
    assert client.get("/v1/verifications", headers=wrong).status_code == 403


PLACE = cursor_of(datetime(2026, 11, 30, tzinfo=UTC), "a")  # workers must name their tests alike


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=²", "limit=1e9", "page=1", "cursor=x", "cursor=%ff"),
        *(f"cursor={'A' * 3000}", f"cursor={PLACE[:-5]}", f"cursor={PLACE}&cursor={PLACE}"),
    ],
)
def test_a_page_that_cannot_be_meant_is_refused(client: FlaskClient, services: Services, query: str) -> None:
    answer = client.get(f"/v1/verifications?{query}", headers=bearer(services))
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")


def test_expired_reports_are_in_no_list(services: Services) -> None:
    headers = bearer(services)
    upload(create_app(services).test_client(), **headers)
    later = create_app(replace(services, clock=lambda: utc_now() + timedelta(days=31)))
    assert later.test_client().get("/v1/verifications", headers=headers).get_json()["verifications"] == []
