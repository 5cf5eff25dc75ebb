"""Taking in captures: only from whoever signed them, each once, and with a word about numbers seen before."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine, delete, func, select
from werkzeug.test import TestResponse

from authn.core.evidence import Axis, Outcome
from authn.devices.registry import Registry
from authn.devices.snapshot import record_json, record_of
from authn.provenance.logs import LogTrust, log_axis
from authn.provenance.own import read_own
from authn.service.access.keys import ApiKeys
from authn.store.captures import Capture, TakenCaptures
from authn.store.engine import reading, writing
from authn.store.schema import captures
from authn.tlog.log.check import check_log
from authn.tlog.log.reader import destroy_salt
from authn.web import create_app
from signer.claim import CaptureClaim, DeviceAssertion
from signer.credential import sign_media
from signer.http_signature import RequestSigner
from tests.doubles.homes import Home, open_home, receipt_text
from tests.doubles.photos import photo
from tests.faults.test_database_gone import media

NOBODY: dict[str, str] = {}


@dataclass(frozen=True)
class Camera:
    home: Home
    name: str
    key: ec.EllipticCurvePrivateKey
    enrolled: dict[str, Any]

    def shoot(self, counter: int, seed: int = 0) -> bytes:
        """Signed and stamped; another ``seed`` is another scene."""
        device = DeviceAssertion(device_id=self.enrolled["device_id"], counter=counter, nonce=bytes(16))
        claim = CaptureClaim(title="photo", captured_at=datetime.now(UTC), device=device)
        chain = self.enrolled["chain"].encode()
        signed = sign_media(photo(seed=seed), "image/jpeg", claim, self.key, chain)
        return self.home.stamp(signed)

    def send(self, capture: bytes) -> TestResponse:
        signer = RequestSigner(key=self.key, clock=lambda: datetime.now(UTC))
        url = "http://localhost/v1/captures"
        return self.home.upload(capture, signer.headers("POST", url, capture, "image/jpeg"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = open_home(tmp_path / "home")
    with closing(opened.services):
        yield opened


def camera(home: Home, name: str = "camera") -> Camera:
    key = ec.generate_private_key(ec.SECP256R1())
    return Camera(home, name, key, home.enrol(name, key).get_json())


def size(home: Home) -> int:
    return home.services.log.reader.head().size


def device_findings(home: Home, capture: bytes) -> tuple[str, list[str]]:
    answer = home.client.post("/v1/verifications", data=capture, content_type="image/jpeg")
    axis = answer.get_json()["cryptographic"]["axes"]["device"]
    return axis["outcome"], [finding["code"] for finding in axis["findings"]]


# whose


def test_a_device_hands_in_its_own_capture(home: Home) -> None:
    mine = camera(home)
    capture, before = mine.shoot(1), size(home)
    answer = mine.send(capture)
    assert answer.status_code == 201
    assert size(home) == before + 1
    trust = LogTrust(logs=(home.services.log.verifier,))
    axis = log_axis(read_own(media(capture)), receipt_text(answer), trust)
    assert axis.outcome is Outcome.ESTABLISHED


def test_another_device_cannot_hand_in_somebody_s_capture(home: Home) -> None:
    mine, other = camera(home), camera(home, "other")
    capture, before = mine.shoot(1), size(home)
    answer = other.send(capture)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "assay.access.denied")
    assert size(home) == before
    assert mine.send(capture).status_code == 201


def test_whoever_does_not_say_who_asks_hands_in_nothing_also_in_an_open_service(home: Home) -> None:
    capture, before = camera(home).shoot(1), size(home)
    answer = home.upload(capture, NOBODY)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "assay.request.unauthenticated")
    assert size(home) == before


@pytest.mark.parametrize(("scope", "status"), [("captures:create", 201), ("devices:read", 403)])
def test_a_machine_hands_in_captures_of_others_where_its_scope_says_so(
    home: Home, scope: str, status: int
) -> None:
    key = ApiKeys(home.services.engine).create("archive", frozenset({scope}), datetime.now(UTC))
    capture = camera(home).shoot(1)
    assert home.upload(capture, {"Authorization": f"Bearer {key.text}"}).status_code == status


def test_a_revoked_device_hands_in_nothing(home: Home) -> None:
    mine = camera(home)
    capture, before = mine.shoot(1), size(home)
    home.services.revocations.revoke_device("camera", reason="stolen", now=home.services.clock())
    assert mine.send(capture).status_code == 401
    assert size(home) == before + 1  # the revocation


def test_what_nobody_asked_for_beside_a_capture_is_refused(home: Home) -> None:
    key = ApiKeys(home.services.engine).create("archive", frozenset({"captures:create"}), datetime.now(UTC))
    bearer = {"Authorization": f"Bearer {key.text}"}
    capture, before = camera(home).shoot(1), size(home)
    asked = {"data": capture, "content_type": "image/jpeg"}
    unknown = home.client.post("/v1/captures?as_of=2026-01-02T03:04:05Z", headers=bearer, **asked)
    form = {"file": (io.BytesIO(capture), "a.jpg"), "as_of": "2026-01-02T03:04:05Z"}
    field = home.client.post("/v1/captures", headers=bearer, data=form)
    wrong = home.client.post("/v1/captures", headers={**bearer, "Content-Digest": "sha-256=:AAAA:"}, **asked)
    for answer, named in ((unknown, "'as_of'"), (field, "'as_of'"), (wrong, "Content-Digest")):
        assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
        assert named in answer.get_json()["detail"]
    assert size(home) == before


# once


def test_the_same_capture_gets_the_same_entry_however_often_it_is_sent(home: Home, tmp_path: Path) -> None:
    mine = camera(home)
    capture = mine.shoot(1)
    first = mine.send(capture).get_json()
    grown = size(home)
    home.services.log.append(())
    for _ in range(3):
        again = mine.send(capture).get_json()
        assert (again["index"], again["counter_also_in"]) == (first["index"], [])
    assert again["receipt"] == first["receipt"]
    restarted = open_home(tmp_path / "home")
    with closing(restarted.services):
        assert restarted.upload(capture).get_json()["index"] == first["index"]
    assert size(home) == grown
    check_log(home.services.engine, home.services.log.verifier)


def test_sent_by_many_at_once_it_is_logged_once(home: Home) -> None:
    mine = camera(home)
    capture, before = mine.shoot(1), size(home)
    home.upload(mine.shoot(2, seed=2))

    app = create_app(home.services)  # once: CPython 3.11 compiles in one thread at a time only

    def send(_: int) -> int:
        own = Home(home.services, app.test_client())
        return int(Camera(own, mine.name, mine.key, mine.enrolled).send(capture).get_json()["index"])

    with ThreadPoolExecutor(6) as pool:
        indices = set(pool.map(send, range(12)))
    assert len(indices) == 1
    assert size(home) == before + 2


def test_a_capture_whose_salt_was_destroyed_leaves_no_trace_and_is_logged_anew(home: Home) -> None:
    mine = camera(home)
    capture = mine.shoot(1)
    index = mine.send(capture).get_json()["index"]
    destroy_salt(home.services.engine, index)
    with reading(home.services.engine) as connection:
        assert connection.execute(select(func.count()).select_from(captures)).scalar_one() == 0
    assert mine.send(capture).get_json()["index"] == index + 1


# numbers


def test_a_number_that_was_seen_before_is_named_in_the_answer_and_in_both_reports(home: Home) -> None:
    """As after a backup of the device was restored."""
    mine = camera(home)
    first, second, third = mine.shoot(5), mine.shoot(5, seed=1), mine.shoot(6, seed=2)
    one = mine.send(first).get_json()
    assert (one["counter"], one["counter_also_in"]) == (5, [])
    assert device_findings(home, first) == ("established", ["assay.device.registered"])
    two = mine.send(second).get_json()
    assert (two["counter"], two["counter_also_in"]) == (5, [one["index"]])
    assert mine.send(third).get_json()["counter_also_in"] == []
    both = ("established", ["assay.device.registered", "assay.device.counterRepeated"])
    assert device_findings(home, first) == device_findings(home, second) == both
    assert device_findings(home, third) == ("established", ["assay.device.registered"])
    assert mine.send(first).get_json()["counter_also_in"] == [two["index"]]


def test_two_devices_may_count_alike(home: Home) -> None:
    mine, other = camera(home), camera(home, "other")
    assert mine.send(mine.shoot(5)).get_json()["counter_also_in"] == []
    assert other.send(other.shoot(5, seed=1)).get_json()["counter_also_in"] == []


def test_a_capture_that_was_stamped_anew_is_the_same_capture(home: Home) -> None:
    mine = camera(home)
    device = DeviceAssertion(device_id=mine.enrolled["device_id"], counter=5, nonce=bytes(16))
    claim = CaptureClaim(title="photo", captured_at=datetime.now(UTC), device=device)
    signed = sign_media(photo(), "image/jpeg", claim, mine.key, mine.enrolled["chain"].encode())
    first, second = home.stamp(signed), home.stamp(signed)
    assert first != second
    assert mine.send(first).status_code == 201
    assert mine.send(second).get_json()["counter_also_in"] == []
    assert device_findings(home, first)[1] == ["assay.device.registered"]


def test_what_the_registry_says_of_numbers_goes_into_bundles(home: Home) -> None:
    mine = camera(home)
    for seed in range(2):
        mine.send(mine.shoot(5, seed=seed))
    record = home.services.registry.find("camera")
    assert record.repeated_counters == (5,)
    assert record_of(record_json(record)) == record  # type: ignore[arg-type]
    old = {k: v for k, v in record_json(record).items() if k != "repeated_counters"}
    assert record_of(old).repeated_counters == ()


def test_both_databases_remember_the_first_salt(home: Home) -> None:
    remembered(home.services.engine, camera(home).enrolled["device_id"])


def test_postgresql_remembers_it_too(tmp_path: Path, postgresql: str) -> None:
    from tests.doubles.postgres import new_database

    home = open_home(tmp_path / "home", new_database(postgresql))
    with closing(home.services):
        remembered(home.services.engine, camera(home).enrolled["device_id"])


def remembered(engine: Engine, device_id: str) -> None:
    taken, now = TakenCaptures(engine), datetime.now(UTC)

    def capture(name: str, claim: str, counter: int | None) -> Capture:
        return Capture(record_sha256=name, claim_sha256=claim, device_id=device_id, counter=counter)

    one = capture("a" * 64, "1" * 64, 5)
    assert taken.remember(one, b"first", now).salt == b"first"
    assert taken.remember(one, b"second", now).salt == b"first"
    taken.placed(one, 7)
    taken.placed(one, 8)  # it has its place
    assert taken.remember(capture("b" * 64, "2" * 64, 5), b"x", now).others == (7,)
    assert taken.remember(capture("c" * 64, "1" * 64, 5), b"x", now).others == ()
    assert taken.remember(capture("d" * 64, "3" * 64, None), b"x", now).others == ()
    second, numbers = capture("b" * 64, "2" * 64, 5), Registry(engine).find(device_id).repeated_counters
    taken.placed(second, 9)
    assert (numbers, Registry(engine).find(device_id).repeated_counters) == ((), (5,))
    with writing(engine) as connection:  # as when an entry of the log is forgotten
        connection.execute(delete(captures).where(captures.c.record_sha256 == second.record_sha256))
    assert Registry(engine).find(device_id).repeated_counters == ()


def test_an_axis_that_is_not_established_is_named_before_anything_is_remembered(home: Home) -> None:
    mine = camera(home)
    device = DeviceAssertion(device_id=mine.enrolled["device_id"], counter=5, nonce=bytes(16))
    claim = CaptureClaim(title="photo", captured_at=datetime.now(UTC), device=device)
    unstamped = sign_media(photo(), "image/jpeg", claim, mine.key, mine.enrolled["chain"].encode())
    answer = mine.send(unstamped)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "assay.capture.refused")
    assert Axis.TIME.value in answer.get_json()["detail"]
    with reading(home.services.engine) as connection:
        assert connection.execute(select(func.count()).select_from(captures)).scalar_one() == 0
