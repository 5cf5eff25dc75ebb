"""Notices: signed as the standard has it, sent again, and never at the cost of anybody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from authn.core.config import load_settings
from authn.core.errors import ExaminationFailed, FileUnusable
from authn.core.outward import parse_networks
from authn.jobs.runner import Pace, Runner
from authn.jobs.table import Jobs
from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from authn.service.webhooks import PAUSES_S, Webhooks, open_webhook_key
from authn.service.wiring import open_services
from authn.store.engine import reading
from authn.store.schema import jobs as rows
from tests.authn.web.conftest import TOKEN, InlineExaminer
from tests.authn.web.test_jobs import ended
from tests.doubles.http_server import Answer, Asked, serving
from tests.doubles.media import tiny_jpeg
from tests.waiting import PATIENCE_S, until

SCOPES = frozenset({"webhooks:manage", "verifications:create", "verifications:read"})


@pytest.fixture
def services(tmp_path: Path, examiners: dict[bool, InlineExaminer]) -> Iterator[Services]:
    settings = load_settings(
        environ={},
        home=tmp_path / "home",
        enrolment_token=TOKEN,
        max_media_bytes=100_000,
        webhook_networks="127.0.0.0/8",
    )
    opened = open_services(settings, confine=lambda _s, _r, heuristics: examiners[heuristics])
    yield opened
    opened.close()


@pytest.fixture
def headers(services: Services) -> dict[str, str]:
    key = ApiKeys(services.engine).create("receiver", SCOPES, services.clock())
    return {"Authorization": f"Bearer {key.text}"}


@dataclass
class Receiver:
    """Answers what it is told, and keeps what came."""

    says: Callable[[int], int] = lambda _: 204
    came: list[Asked] = field(default_factory=list)
    got: threading.Event = field(default_factory=threading.Event)

    def __call__(self, asked: Asked) -> Answer:
        self.came.append(asked)
        status = self.says(len(self.came))
        if 200 <= status < 300:
            self.got.set()
        return Answer(status=status)

    @property
    def events(self) -> list[str]:
        return [json.loads(asked.body)["type"] for asked in self.came]


@contextmanager
def working(services: Services, timeout_s: float = PATIENCE_S) -> Iterator[None]:
    """As the service's own threads, only that nobody waits as long."""
    settings = services.settings
    sender = Webhooks(
        services.engine,
        Jobs(services.engine),
        open_webhook_key(settings.home),
        parse_networks(settings.webhook_networks),
        services.clock,
        timeout_s,
    )
    pace = Pace(threads=2, lease_s=30, attempts=len(PAUSES_S) + 1, poll_s=0.02)
    runners = (services.runners[0], Runner(Jobs(services.engine), sender, pace, services.clock))
    for runner in runners:
        runner.start()
    yield
    for runner in runners:
        runner.close()


def create(client: FlaskClient, headers: dict[str, str], url: str) -> dict[str, str]:
    answer = client.post("/v1/webhooks", json={"url": url}, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def upload(client: FlaskClient, headers: dict[str, str]) -> str:
    form = {"file": (io.BytesIO(tiny_jpeg()), "photo.jpg")}
    answer = client.post("/v1/verifications", data=form, headers={**headers, "Prefer": "respond-async"})
    return str(answer.headers["Location"])


def test_a_notice_says_where_the_report_is_and_is_signed(
    client: FlaskClient, services: Services, headers: dict[str, str]
) -> None:
    receiver = Receiver()
    with serving(receiver) as url:
        made = create(client, headers, f"{url}/hook")
        where = upload(client, headers)
        upload(client, {})  # a stranger's is nobody's notice
        with working(services):
            assert receiver.got.wait(PATIENCE_S)
            ended(client, where, headers)
    (asked,) = receiver.came
    body = json.loads(asked.body)
    assert (asked.path, body["type"]) == ("/hook", "verification.done")
    assert body["data"]["verification"] == where.replace("jobs", "verifications")
    assert (body["data"]["job"], body["data"]["problem"]) == (where, None)
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    names = ("webhook-id", "webhook-timestamp")
    given = {k.lower(): v for k, v in asked.headers.items()}
    signed = b".".join([*(given[name].encode() for name in names), asked.body])
    expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    assert given["webhook-signature"] == f"v1,{expected}"
    assert abs(int(given["webhook-timestamp"]) - time.time()) < 3600
    assert len(secret) == 32


def test_what_cannot_be_examined_is_told_with_its_reason(
    client: FlaskClient, services: Services, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise ExaminationFailed("the examining process died")

    monkeypatch.setattr(InlineExaminer, "examine", fail)
    monkeypatch.setattr(type(services.deferred), "pause", lambda *_: timedelta(0))
    receiver = Receiver()
    with serving(receiver) as url:
        create(client, headers, url)
        upload(client, headers)
        with working(services):
            assert receiver.got.wait(PATIENCE_S)
    data = json.loads(receiver.came[0].body)["data"]
    assert receiver.events == ["verification.not_examined"]
    assert (data["verification"], data["problem"]["code"]) == (None, "assay.examination.failed")


def test_a_notice_that_was_not_taken_is_sent_again_with_its_id(
    client: FlaskClient, services: Services, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Webhooks, "pause", lambda *_: timedelta(0))
    monkeypatch.setattr("authn.service.webhooks.MAX_QUIET_S", 0)
    receiver = Receiver(says=lambda n: (500, 302, 200)[n - 1])
    with serving(receiver) as url:
        made = create(client, headers, url)
        client.post(f"/v1/webhooks/{made['id']}/test", headers=headers)
        with working(services):
            assert receiver.got.wait(PATIENCE_S)
    assert receiver.events == ["webhook.test"] * 3
    assert len({asked.headers["webhook-id"] for asked in receiver.came}) == 1


def test_a_receiver_that_hangs_is_left_alone_and_holds_nobody_up(
    client: FlaskClient, services: Services, headers: dict[str, str]
) -> None:
    """It hangs until the other one has everything, and takes nothing then."""
    hang, quick = threading.Event(), Receiver()
    slow = Receiver(says=lambda _: 500 if hang.wait(PATIENCE_S) else 200)
    with serving(slow) as slow_url, serving(quick) as url:
        made = create(client, headers, slow_url)
        create(client, headers, url)
        where = [upload(client, headers) for _ in range(6)]
        with working(services, timeout_s=PATIENCE_S):
            assert {ended(client, w, headers)["state"] for w in where} == {"done"}
            until(lambda: len(quick.came) == 6)
            assert len(slow.came) == 1
            hang.set()
            until(lambda: shown(client, headers, made)["failures"])
    assert shown(client, headers, made)["quiet_until"] is not None
    assert len(slow.came) <= 3  # six notices wait for it, and it was not asked six times


def test_a_receiver_that_does_not_answer_in_time_has_failed(
    client: FlaskClient, services: Services, headers: dict[str, str]
) -> None:
    over = threading.Event()
    with serving(Receiver(says=lambda _: 200 * over.wait(PATIENCE_S))) as url:
        made = create(client, headers, url)
        client.post(f"/v1/webhooks/{made['id']}/test", headers=headers)
        with working(services, timeout_s=0.2):
            until(lambda: shown(client, headers, made)["failures"])
        over.set()
    assert shown(client, headers, made)["quiet_until"] is not None


def shown(client: FlaskClient, headers: dict[str, str], made: dict[str, str]) -> dict[str, object]:
    """A webhook as its owner sees it."""
    listed = client.get("/v1/webhooks", headers=headers).get_json()["webhooks"]
    return {w["id"]: w for w in listed}[made["id"]]


def test_a_receiver_that_is_gone_is_forgotten_with_what_waits_for_it(
    client: FlaskClient, services: Services, headers: dict[str, str]
) -> None:
    receiver = Receiver(says=lambda _: 410)
    with serving(receiver) as url:
        made = create(client, headers, url)
        for _ in range(3):
            client.post(f"/v1/webhooks/{made['id']}/test", headers=headers)
        with working(services):
            until(lambda: not client.get("/v1/webhooks", headers=headers).get_json()["webhooks"])
    assert len(receiver.came) == 1
    with reading(services.engine) as connection:
        assert connection.execute(select(rows.c.id).where(rows.c.kind == "webhook")).all() == []


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "http://8.8.8.8/", "https://169.254.169.254/", "nothing", "https://h.invalid/"],
)
def test_an_address_that_is_not_reached_is_refused_when_it_is_named(
    client: FlaskClient, headers: dict[str, str], url: str
) -> None:
    answer = client.post("/v1/webhooks", json={"url": url}, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "assay.webhook.refused")


def test_an_address_that_became_private_is_refused_when_something_is_sent(
    client: FlaskClient, services: Services, headers: dict[str, str]
) -> None:
    receiver = Receiver()
    with serving(receiver) as url:
        made = create(client, headers, url)
        client.post(f"/v1/webhooks/{made['id']}/test", headers=headers)
        strict = replace(services, settings=replace(services.settings, webhook_networks=""))
        with working(strict):
            until(lambda: _states(services) == ["failed"], lambda: _states(services))
    assert receiver.came == []


def _states(services: Services) -> list[str]:
    with reading(services.engine) as connection:
        return list(connection.execute(select(rows.c.state).where(rows.c.kind == "webhook")).scalars())


def test_webhooks_are_their_owner_s_and_need_credentials(
    client: FlaskClient, services: Services, headers: dict[str, str]
) -> None:
    made = create(client, headers, "http://127.0.0.1/")
    other = ApiKeys(services.engine).create("other", SCOPES, services.clock()).text
    others = {"Authorization": f"Bearer {other}"}
    assert client.get("/v1/webhooks").status_code == 401
    assert client.post("/v1/webhooks", json={"url": "https://8.8.8.8/"}).status_code == 401
    assert client.get("/v1/webhooks", headers=others).get_json() == {"webhooks": []}
    for method, path in (("delete", ""), ("post", "/test")):
        answer = getattr(client, method)(f"/v1/webhooks/{made['id']}{path}", headers=others)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "assay.webhook.unknown")
    assert "secret" not in client.get("/v1/webhooks", headers=headers).get_json()["webhooks"][0]
    assert client.delete(f"/v1/webhooks/{made['id']}", headers=headers).status_code == 204


def test_one_owner_has_so_many_and_no_more(client: FlaskClient, headers: dict[str, str]) -> None:
    for _ in range(10):
        create(client, headers, "http://127.0.0.1/")
    answer = client.post("/v1/webhooks", json={"url": "http://127.0.0.1/"}, headers=headers)
    assert answer.get_json()["code"] == "assay.webhook.refused"


def test_the_key_of_secrets_is_made_once_and_private(tmp_path: Path) -> None:
    key = open_webhook_key(tmp_path)
    assert open_webhook_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "webhook-key").stat().st_mode) == 0o600
    (tmp_path / "webhook-key").write_text("00ff")
    with pytest.raises(FileUnusable):
        open_webhook_key(tmp_path)
