"""Enrolling with a challenge, over HTTP on both databases: who is admitted at which level, and who is not."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.serving import make_server

from authn.cli import cli
from authn.core.config import load_settings
from authn.devices import ASSURANCE_LEVELS, ASSURANCE_LIMITS
from authn.devices.snapshot import record_json, record_of
from authn.home.enrolment import enrol_device
from authn.service.enrolment.challenges import LIFETIME, decode
from authn.service.services import Services
from authn.service.wiring import open_services
from authn.store.engine import reading
from authn.store.schema import attestations, certificates, devices, log_opening
from authn.web import create_app
from signer.core.errors import ServiceRefused
from tests.authn.web.conftest import TOKEN, InlineExaminer
from tests.doubles.android import (
    FAILED,
    IMPORTED,
    SELF_SIGNED,
    SIGNER,
    SOFTWARE,
    STRONG_BOX,
    TEE,
    UNVERIFIED,
    Maker,
    Phone,
)
from tests.doubles.keys import ScriptedKey
from tests.doubles.requests import csr_of
from tests.doubles.webauthn import Authenticator
from tests.programs import require_program

BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOW = datetime.now(UTC)
MAKER = Maker(now=NOW)
AT_ONCE = 6


def google_revokes(folder: Path, entries: dict[str, Any]) -> None:
    """As of the clock of this test, which need not be the file system's."""
    file, now = folder / "status.json", datetime.now(UTC).timestamp()
    file.write_text(json.dumps({"entries": entries}))
    os.utime(file, (now, now))


def settings_of(folder: Path, url: str, **others: object) -> Any:
    (folder / "roots.pem").write_bytes(MAKER.root().public_bytes(Encoding.PEM))
    google_revokes(folder, {})
    found: dict[str, object] = {
        "home": folder / "home",
        "database_url": url,
        "enrolment_token": TOKEN,
        "attestation_formats": "none android-key",
        "android_roots": (folder / "roots.pem",),
        "android_status": (folder / "status.json",),
        "android_signatures": SIGNER.hex(),
        "android_packages": "org.example.camera org.example.other",
    }
    return load_settings(environ={}, **(found | others))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """Services on a database and settings of the test's choice; closed at its end."""
    running: list[Services] = []

    def open_(url: str = "", **others: object) -> Services:
        settings = settings_of(tmp_path, url, **others)
        running.append(open_services(settings, confine=lambda *_: InlineExaminer(True)))
        return running[-1]

    yield open_
    for services in running:
        services.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """For tests that leave behind what they name themselves."""
    settings = settings_of(tmp_path_factory.mktemp("shared"), "")
    services = open_services(settings, confine=lambda *_: InlineExaminer(True))
    yield services
    services.close()


@pytest.fixture
def services(opened: Callable[..., Services]) -> Services:
    return opened()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def challenge_of(client: FlaskClient) -> str:
    answer = client.post("/v1/enrolment/challenge", headers=BEARER)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["challenge"])


def request_of(
    key: ec.EllipticCurvePrivateKey,
    challenge: str,
    phone: Phone | None = None,
    *,
    name: str = "phone",
    maker: Maker = MAKER,
) -> dict[str, Any]:
    """What a phone whose key is attested sends."""
    return {
        "name": name,
        "csr": csr_of(key, challenge=challenge).decode(),
        "challenge": challenge,
        "attestation": maker.attestation(key, decode(challenge), phone),
    }


def enrol(client: FlaskClient, body: object) -> Any:
    return client.post("/v1/enrolment", json=body, headers=BEARER)


def counts(services: Services) -> tuple[int, int, int]:
    """How many devices, certificates and attestations there are."""
    with reading(services.engine) as connection:
        found = [
            connection.execute(select(func.count()).select_from(t)).scalar_one()
            for t in (devices, certificates, attestations)
        ]
    return found[0], found[1], found[2]


def test_a_key_that_nobody_vouches_for_is_at_level_0(client: FlaskClient, services: Services) -> None:
    key, challenge = new_key(), challenge_of(client)
    body = {"name": "camera", "csr": csr_of(key, challenge=challenge).decode(), "challenge": challenge}
    answer = enrol(client, body)
    assert (answer.status_code, answer.get_json()["assurance_level"]) == (201, 0)
    (leaf, _) = x509.load_pem_x509_certificates(answer.get_json()["chain"].encode())
    assert leaf.public_key() == key.public_key()
    assert answer.headers["Location"] == f"/v1/devices/{answer.get_json()['device_id']}"
    assert services.registry.find("camera").attestation_fmt is None
    assert counts(services) == (1, 1, 0)


def test_a_challenge_says_how_long_it_is_good_and_what_the_service_takes(client: FlaskClient) -> None:
    answer = client.post("/v1/enrolment/challenge", headers=BEARER)
    body = answer.get_json()
    assert body["formats"] == ["android-key", "none"]
    assert len(decode(body["challenge"])) == 32
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= LIFETIME
    assert answer.headers["Cache-Control"] == "no-store"
    assert challenge_of(client) != body["challenge"]


@pytest.mark.parametrize(("security", "level"), [(TEE, 3), (STRONG_BOX, 4)])
def test_an_attested_key_gets_the_level_of_its_hardware_and_the_evidence_is_kept(
    opened: Callable[..., Services],
    database_url: str,
    security: int,
    level: int,
) -> None:
    services = opened(database_url)
    client, key = create_app(services).test_client(), new_key()
    body = request_of(key, challenge_of(client), Phone(level=security))
    answer = enrol(client, body)
    assert (answer.status_code, answer.get_json()["assurance_level"]) == (201, level)
    shown = client.get("/v1/devices/phone").get_json()
    assert shown["assurance"] == ASSURANCE_LEVELS[level]
    assert shown["assurance_limit"] == ASSURANCE_LIMITS[level]
    assert (shown["assurance_level"], shown["attestation_fmt"]) == (level, "android-key")
    (examined,) = shown["attestations"]
    assert examined["level"] == level
    assert examined["facts"]["boot_state"] == "VERIFIED"
    assert examined["facts"]["attestationIdModel"] == "Example One"
    (kept,) = services.registry.attestations_of(shown["device_id"])
    assert json.loads(kept.statement) == body["attestation"]
    record = services.registry.find("phone")
    assert record_of(record_json(record)) == record
    assert logged(services)[-1]["assurance_level"] == level
    assert logged(services)[-1]["attestation_sha256"] == sha256(kept.statement).hexdigest()


def logged(services: Services) -> list[dict[str, Any]]:
    """The records of certificates in the log."""
    with reading(services.engine) as connection:
        query = select(log_opening.c.record).where(log_opening.c.kind == "certificate.issued")
        return [json.loads(r) for r in connection.execute(query.order_by(log_opening.c.idx)).scalars()]


def worse(body: dict[str, Any], **changed: object) -> dict[str, Any]:
    return {**body, "attestation": {**body["attestation"], **changed}}


def other_maker() -> Maker:
    return Maker(now=NOW)


ATTESTATION, CHALLENGE, ENROLMENT = (
    "assay.device.attestationRefused",
    "assay.device.challengeRefused",
    "assay.device.enrolmentRefused",
)
REFUSED: dict[str, tuple[Callable[[str, str], dict[str, Any]], str, str]] = {
    "another challenge": (
        lambda c, other: request_of(k := new_key(), c) | {"attestation": MAKER.attestation(k, decode(other))},
        ATTESTATION,
        "another challenge",
    ),
    "another key": (
        lambda c, _: request_of(new_key(), c) | {"attestation": MAKER.attestation(new_key(), decode(c))},
        ATTESTATION,
        "another key",
    ),
    "software": (lambda c, _: request_of(new_key(), c, Phone(level=SOFTWARE)), ATTESTATION, "in software"),
    "a TEE's word for software": (
        lambda c, _: request_of(new_key(), c, Phone(level=TEE, keymint_level=SOFTWARE)),
        ATTESTATION,
        "in software",
    ),
    "unlocked": (lambda c, _: request_of(new_key(), c, Phone(locked=False)), ATTESTATION, "unlocked"),
    "unverified": (lambda c, _: request_of(new_key(), c, Phone(boot=UNVERIFIED)), ATTESTATION, "UNVERIFIED"),
    "self-signed boot": (
        lambda c, _: request_of(new_key(), c, Phone(boot=SELF_SIGNED)),
        ATTESTATION,
        "SELF_SIGNED",
    ),
    "failed boot": (lambda c, _: request_of(new_key(), c, Phone(boot=FAILED)), ATTESTATION, "FAILED"),
    "imported": (lambda c, _: request_of(new_key(), c, Phone(origin=IMPORTED)), ATTESTATION, "not made"),
    "decrypts": (lambda c, _: request_of(new_key(), c, Phone(purposes=(1, 2))), ATTESTATION, "than sign"),
    "another application": (
        lambda c, _: request_of(new_key(), c, Phone(package="org.example.stranger")),
        ATTESTATION,
        "another application",
    ),
    "another signer": (
        lambda c, _: request_of(new_key(), c, Phone(signer=bytes(32))),
        ATTESTATION,
        "another signer",
    ),
    "another root": (lambda c, _: request_of(new_key(), c, maker=other_maker()), ATTESTATION, "pinned root"),
    "no chain": (lambda c, _: worse(request_of(new_key(), c), x5c=[]), ATTESTATION, "1 to 8"),
    "no list": (lambda c, _: worse(request_of(new_key(), c), x5c="MIIB"), ATTESTATION, "1 to 8"),
    "no base64": (lambda c, _: worse(request_of(new_key(), c), x5c=["*", "*"]), ATTESTATION, "base64"),
    "no certificate": (lambda c, _: worse(request_of(new_key(), c), x5c=["AA==", "AA=="]), ATTESTATION, ""),
    "an unknown member": (lambda c, _: worse(request_of(new_key(), c), level=4), ATTESTATION, "'level'"),
    "a format that is not taken": (
        lambda c, _: worse(request_of(new_key(), c), fmt="packed"),
        ATTESTATION,
        "android-key, none",
    ),
    "no format": (lambda c, _: request_of(new_key(), c) | {"attestation": {}}, ATTESTATION, "formats"),
    "none with evidence": (lambda c, _: worse(request_of(new_key(), c), fmt="none"), ATTESTATION, "'x5c'"),
    "an old request": (
        lambda c, _: request_of(k := new_key(), c) | {"csr": csr_of(k).decode()},
        ENROLMENT,
        "challengePassword",
    ),
    "a request for another challenge": (
        lambda c, other: request_of(k := new_key(), c) | {"csr": csr_of(k, challenge=other).decode()},
        ENROLMENT,
        "challengePassword",
    ),
    "a challenge of nobody": (
        lambda c, _: request_of(new_key(), c) | {"challenge": "A" * 43},
        CHALLENGE,
        "not given to you",
    ),
    "an empty challenge": (
        lambda c, _: request_of(new_key(), c) | {"challenge": ""},
        CHALLENGE,
        "no challenge",
    ),
    "a challenge that is no text of a database": (
        lambda c, _: request_of(new_key(), c) | {"challenge": "\0" * 43},
        CHALLENGE,
        "no challenge",
    ),
    "a challenge that is no Unicode": (
        lambda c, _: request_of(new_key(), c) | {"challenge": "\ud800" * 43},
        CHALLENGE,
        "no challenge",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_hold_is_refused_writes_nothing_and_uses_nothing_up(shared: Services, why: str) -> None:
    make, code, sentence = REFUSED[why]
    client, before = create_app(shared).test_client(), (counts(shared), len(logged(shared)))
    challenge, other = challenge_of(client), challenge_of(client)
    answer = enrol(client, make(challenge, other))
    assert (answer.status_code, answer.get_json()["code"]) == (403, code)
    assert sentence in answer.get_json()["detail"]
    assert answer.content_type == "application/problem+json"
    assert (counts(shared), len(logged(shared))) == before
    name = why.replace(" ", "-").replace("'", "")
    assert enrol(client, request_of(new_key(), challenge, name=name)).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "csr": "y"},
        {"name": "x", "csr": "y", "challenge": 1},
        {"name": "x", "csr": "y", "challenge": "z", "attestation": "none"},
        {"name": "x", "csr": "y", "challenge": "z", "assurance_level": 4},
        [],
    ],
    ids=["no challenge", "a number", "a text for an object", "an unknown field", "a list"],
)
def test_a_body_that_cannot_be_meant_is_a_bad_request(shared: Services, body: object) -> None:
    client, before = create_app(shared).test_client(), counts(shared)
    answer = enrol(client, body)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
    assert counts(shared) == before


def test_a_name_that_stands_twice_is_a_bad_request(shared: Services) -> None:
    client = create_app(shared).test_client()
    twice = b'{"name": "a", "name": "b", "csr": "", "challenge": ""}'
    answer = client.post("/v1/enrolment", data=twice, content_type="application/json", headers=BEARER)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")


@pytest.mark.parametrize("path", ["/v1/enrolment", "/v1/enrolment/challenge"])
@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 403)])
def test_without_the_token_there_is_neither_challenge_nor_enrolment(
    shared: Services, path: str, token: str, status: int
) -> None:
    client = create_app(shared).test_client()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert client.post(path, data=b"{", headers=headers).status_code == status


def test_a_challenge_is_answered_once(opened: Callable[..., Services], database_url: str) -> None:
    services = opened(database_url)
    client = create_app(services).test_client()
    body = request_of(new_key(), challenge_of(client))
    assert enrol(client, body).status_code == 201
    again = enrol(client, body)
    assert (again.status_code, again.get_json()["code"]) == (403, CHALLENGE)
    assert "used before" in again.get_json()["detail"]
    assert counts(services) == (1, 1, 1)


def test_of_answers_at_the_same_time_one_wins(
    opened: Callable[..., Services],
    database_url: str,
) -> None:
    services = opened(database_url)
    app, key = create_app(services), new_key()
    body = request_of(key, challenge_of(app.test_client()))
    ready = threading.Barrier(AT_ONCE)

    def post(_: int) -> int:
        client = app.test_client()
        ready.wait()
        return int(enrol(client, body).status_code)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = sorted(pool.map(post, range(AT_ONCE)))
    assert found == [201] + [403] * (AT_ONCE - 1)
    assert counts(services) == (1, 1, 1)


def test_a_challenge_expires(services: Services) -> None:
    later = replace(services, clock=lambda: datetime.now(UTC) + LIFETIME + timedelta(seconds=1))
    challenge = challenge_of(create_app(services).test_client())
    answer = enrol(create_app(later).test_client(), request_of(new_key(), challenge))
    assert (answer.status_code, answer.get_json()["code"]) == (403, CHALLENGE)
    assert "expired" in answer.get_json()["detail"]
    assert counts(services) == (0, 0, 0)


def test_a_challenge_is_good_for_the_token_that_asked_for_it(services: Services) -> None:
    challenge = challenge_of(create_app(services).test_client())
    changed = create_app(replace(services, enrolment_token="another-token-of-the-operator"))
    answer = changed.test_client().post(
        "/v1/enrolment",
        json=request_of(new_key(), challenge),
        headers={"Authorization": "Bearer another-token-of-the-operator"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, CHALLENGE)


def test_a_taken_name_leaves_the_challenge_and_no_row(client: FlaskClient, services: Services) -> None:
    enrol(client, request_of(new_key(), challenge_of(client)))
    challenge = challenge_of(client)
    answer = enrol(client, request_of(new_key(), challenge))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "assay.device.exists")
    assert counts(services) == (1, 1, 1)
    assert enrol(client, request_of(new_key(), challenge, name="second")).status_code == 201


@pytest.mark.parametrize("path", ["api", "est"])
def test_a_renewal_of_the_same_key_keeps_its_level(
    client: FlaskClient, services: Services, path: str
) -> None:
    key = new_key()
    enrol(client, request_of(key, challenge_of(client), Phone(level=TEE)))
    if path == "api":
        csr = csr_of(key).decode()
        answer = client.post("/v1/devices", json={"name": "phone", "csr": csr}, headers=BEARER)
        assert (answer.status_code, answer.get_json()["assurance_level"]) == (201, 3)
    else:
        der = x509.load_pem_x509_csr(csr_of(key, ask="phone")).public_bytes(Encoding.DER)
        answer = later(services).post(
            "/.well-known/est/simplereenroll", data=base64.b64encode(der), content_type="application/pkcs10"
        )
        assert answer.status_code == 200
    assert services.registry.find("phone").assurance_level == 3
    assert counts(services) == (1, 2, 1)
    assert [(r["assurance_level"], r["attestation_sha256"] is None) for r in logged(services)] == [
        (3, False), (3, True),
    ]  # fmt: skip


def later(services: Services) -> FlaskClient:
    """Two hours on: within one, EST gives the newest certificate again."""
    return create_app(replace(services, clock=lambda: datetime.now(UTC) + timedelta(hours=2))).test_client()


def test_another_key_is_another_device_and_starts_at_level_0(client: FlaskClient, services: Services) -> None:
    enrol(client, request_of(new_key(), challenge_of(client)))
    for name, status in (("phone", 409), ("phone-2", 201)):
        csr = csr_of(ask=name).decode()
        answer = client.post("/v1/devices", json={"name": name, "csr": csr}, headers=BEARER)
        assert answer.status_code == status
    assert services.registry.find("phone-2").assurance_level == 0


def test_evidence_that_comes_later_raises_the_level_and_never_lowers_it(
    client: FlaskClient, services: Services
) -> None:
    key = new_key()
    client.post("/v1/devices", json={"name": "phone", "csr": csr_of(key).decode()}, headers=BEARER)
    levels = []
    for security in (TEE, STRONG_BOX, TEE):
        body = request_of(key, challenge_of(client), Phone(level=security))
        levels.append(enrol(client, body).get_json()["assurance_level"])
    assert levels == [3, 4, 4]
    assert services.registry.find("phone").assurance_level == 4
    assert counts(services) == (1, 4, 3)


@pytest.mark.parametrize("formats", ["packed", "packed none"])
@pytest.mark.parametrize(("below_a_root", "level"), [(True, 4), (False, 0)], ids=["x5c", "self"])
def test_a_webauthn_key_is_enrolled_at_the_level_of_who_vouches_for_it(
    opened: Callable[..., Services], tmp_path: Path, below_a_root: bool, level: int, formats: str
) -> None:
    authenticator = Authenticator(rp_id="assay.example.org", origin="https://assay.example.org:8443", now=NOW)
    (tmp_path / "maker.pem").write_bytes(authenticator.root_certificate().public_bytes(Encoding.PEM))
    services = opened(
        attestation_formats=formats,
        public_url="https://assay.example.org:8443/here",
        webauthn_hardware_roots=(tmp_path / "maker.pem",),
    )
    client = create_app(services).test_client()
    challenge = challenge_of(client)
    authenticator.challenge = decode(challenge)
    body = {
        "name": "key",
        "csr": csr_of(authenticator.key, challenge=f"{challenge} {authenticator.origin}").decode(),
        "challenge": challenge,
        "attestation": authenticator.packed(chain=None if below_a_root else ()),
    }
    answer = enrol(client, body)
    if level == 0 and formats == "packed":  # its own word is nobody's word
        assert (answer.status_code, answer.get_json()["code"]) == (403, ATTESTATION)
        assert counts(services) == (0, 0, 0)
        return
    assert (answer.status_code, answer.get_json()["assurance_level"]) == (201, level)
    assert services.registry.find("key").attestation_fmt == ("packed" if level else None)
    assert counts(services) == (1, 1, 1)


@pytest.mark.parametrize("names", ["", " ", " https://other.example", " https://assay.example.org.evil"])
def test_a_challenge_that_another_service_passed_on_enrols_nobody(
    opened: Callable[..., Services], names: str
) -> None:
    services = opened(public_url="https://assay.example.org/base/")
    client, key = create_app(services).test_client(), new_key()
    challenge = challenge_of(client)
    passed_on = request_of(key, challenge) | {"csr": csr_of(key, challenge=challenge + names).decode()}
    answer = enrol(client, passed_on)
    assert (answer.status_code, answer.get_json()["code"]) == (403, ENROLMENT)
    assert "was not made for this service, https://assay.example.org" in answer.get_json()["detail"]
    assert counts(services) == (0, 0, 0)
    meant = csr_of(key, challenge=f"{challenge} https://assay.example.org").decode()
    assert enrol(client, passed_on | {"csr": meant}).get_json()["assurance_level"] == 4


def test_no_other_door_takes_a_request_that_was_made_for_another_service(
    opened: Callable[..., Services],
) -> None:
    services = opened(public_url="https://assay.example.org")
    client = create_app(services).test_client()

    def answers(csr: bytes) -> list[int]:
        der = base64.b64encode(x509.load_pem_x509_csr(csr).public_bytes(Encoding.DER))
        kind = {"Content-Type": "application/pkcs10"}
        body = {"name": "camera", "csr": csr.decode()}
        return [
            client.post("/v1/devices", json=body, headers=BEARER).status_code,
            client.post("/.well-known/est/simpleenroll", data=der, headers={**BEARER, **kind}).status_code,
        ]

    assert answers(csr_of(challenge=f"{'A' * 43} https://other.example")) == [403, 403]
    assert counts(services) == (0, 0, 0)
    assert answers(csr_of(challenge="what other clients write here")) == [201, 200]


def test_a_key_that_google_has_revoked_is_refused(opened: Callable[..., Services], tmp_path: Path) -> None:
    services = opened()
    entries = {f"{MAKER.batch_serial:x}": {"status": "REVOKED", "reason": "KEY_COMPROMISE"}}
    google_revokes(tmp_path, entries)
    client = create_app(services).test_client()
    answer = enrol(client, request_of(new_key(), challenge_of(client)))
    assert (answer.status_code, answer.get_json()["code"]) == (403, ATTESTATION)
    assert "REVOKED" in answer.get_json()["detail"]
    assert counts(services) == (0, 0, 0)


def test_a_key_that_leaked_after_its_devices_enrolled_is_found_again(
    opened: Callable[..., Services], tmp_path: Path
) -> None:
    services = opened()
    client = create_app(services).test_client()
    for name in ("phone", "phone-2", "lost"):
        assert enrol(client, request_of(new_key(), challenge_of(client), name=name)).status_code == 201
    client.post("/v1/devices", json={"name": "camera", "csr": csr_of().decode()}, headers=BEARER)
    services.registry.revoke("lost", reason="lost", now=datetime.now(UTC))

    def recheck() -> tuple[int, list[str]]:
        environ = {
            "ASSAY_HOME": str(tmp_path / "home"),
            "ASSAY_ANDROID_STATUS": str(tmp_path / "status.json"),
        }
        done = CliRunner().invoke(cli, ["device", "recheck"], env=environ)
        return done.exit_code, done.stdout.splitlines()

    assert recheck() == (0, [])
    entries = {f"{MAKER.batch_serial:x}": {"status": "REVOKED"}}
    google_revokes(tmp_path, entries)
    code, lines = recheck()
    assert code == 1
    assert [line.partition(":")[0] for line in lines] == ["phone", "phone-2"]
    assert all(f"{MAKER.batch_serial:x}" in line and "REVOKED" in line for line in lines)
    assert services.registry.find("phone").revoked_at is None


@pytest.mark.parametrize("kind", ["old", "of the future", "missing", "no list", "no entries"])
def test_without_a_current_list_of_revoked_keys_no_android_key_is_taken(
    opened: Callable[..., Services], tmp_path: Path, kind: str
) -> None:
    services, file = opened(), tmp_path / "status.json"
    if kind == "missing":
        file.unlink()
    elif kind in ("old", "of the future"):
        at = datetime.now(UTC) + timedelta(hours=49 if kind == "of the future" else -49)
        os.utime(file, (at.timestamp(), at.timestamp()))
    else:
        file.write_text('{"entries": []}' if kind == "no entries" else "[]")
    client = create_app(services).test_client()
    challenge = challenge_of(client)
    answer = enrol(client, request_of(new_key(), challenge))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "assay.unavailable")
    assert counts(services) == (0, 0, 0)
    assert any("revoked Android keys" in r or "status.json" in r for r in services.why_not_ready())
    none = {"name": "camera", "csr": csr_of(challenge=challenge).decode(), "challenge": challenge}
    assert enrol(client, none).status_code == 201


def test_where_none_is_not_taken_no_door_lets_a_key_in_that_nobody_vouches_for(
    opened: Callable[..., Services],
) -> None:
    services = opened(attestation_formats="android-key")
    client, key = create_app(services).test_client(), new_key()
    challenge = challenge_of(client)
    csr = csr_of(challenge=challenge).decode()
    der = base64.b64encode(x509.load_pem_x509_csr(csr_of()).public_bytes(Encoding.DER))
    kind = {"Content-Type": "application/pkcs10"}
    answers = [
        enrol(client, {"name": "camera", "csr": csr, "challenge": challenge}),
        client.post("/v1/devices", json={"name": "camera", "csr": csr_of().decode()}, headers=BEARER),
        client.post("/.well-known/est/simpleenroll", data=der, headers={**BEARER, **kind}),
    ]
    for answer in answers:
        assert (answer.status_code, json.loads(answer.data)["code"]) == (403, ATTESTATION)
    assert counts(services) == (0, 0, 0)
    assert enrol(client, request_of(key, challenge_of(client))).status_code == 201
    renewed = client.post("/v1/devices", json={"name": "phone", "csr": csr_of(key).decode()}, headers=BEARER)
    assert (renewed.status_code, renewed.get_json()["assurance_level"]) == (201, 4)


class PhoneKey(ScriptedKey):
    """A key that knows where it is, as a backend's would."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        super().__init__(key, lambda data: key.sign(data, ec.ECDSA(x509_hash())))
        self.real = key

    def attestation_request(self) -> dict[str, object]:
        return {"fmt": "android-key"}

    def attest(self, challenge: bytes, answer: object) -> dict[str, object]:
        return MAKER.attestation(self.real, challenge)


def x509_hash() -> Any:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(services))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_openssl_and_curl_enrol_without_our_client(services: Services, url: str, tmp_path: Path) -> None:
    for program in ("openssl", "curl", "bash"):
        require_program(program)
    script = """
    challenge=$(curl -fsS -X POST -H "Authorization: Bearer $TOKEN" "$URL/v1/enrolment/challenge" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["challenge"])')
    printf '%s\\n' '[req]' prompt=no distinguished_name=d attributes=a '[d]' CN=x '[a]' \
        "challengePassword=$challenge $URL" > csr.conf
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -config csr.conf \
        -out csr.pem
    python3 -c 'import json, sys; print(json.dumps({
        "name": "front-desk", "csr": open("csr.pem").read(), "challenge": sys.argv[1]}))' "$challenge" > body
    curl -fsS -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d @body \\
        "$URL/v1/enrolment"
    """
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "URL": url, "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["assurance_level"] == 0
    assert services.registry.find("front-desk").name == "front-desk"


@pytest.mark.parametrize("attesting", [True, False])
def test_a_device_enrols_over_http_and_a_key_that_can_attest_does(
    services: Services, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attesting: bool
) -> None:
    if attesting:
        phone_key = PhoneKey(new_key())
        monkeypatch.setattr("authn.home.enrolment.open_key", lambda _uri: phone_key)
    device = load_settings(environ={}, home=tmp_path / "device", service_url=url, enrolment_token=TOKEN)
    told: list[int] = []
    identity = enrol_device(device, "phone", now=NOW, tell_level=told.append)
    assert told == [4 if attesting else 0]
    assert services.registry.find("phone").device_id == identity.device_id
    assert services.registry.find("phone").assurance_level == told[0]


def test_a_device_says_whom_it_talks_to_and_is_enrolled_nowhere_else(
    opened: Callable[..., Services], tmp_path: Path
) -> None:
    services = opened(public_url="http://127.0.0.1:1")
    server = make_server("127.0.0.1", 0, create_app(services))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    device = load_settings(environ={}, home=tmp_path / "device", service_url=address, enrolment_token=TOKEN)
    try:
        with pytest.raises(ServiceRefused, match="not made for this service"):
            enrol_device(device, "phone", now=NOW)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert counts(services) == (0, 0, 0)
    assert not (tmp_path / "device" / "devices" / "phone" / "device.json").exists()


def test_this_home_takes_the_same_evidence_as_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authn.home.enrolment.open_key", lambda _uri: PhoneKey(new_key()))
    told: list[int] = []
    enrol_device(settings_of(tmp_path, ""), "phone", now=datetime.now(UTC), tell_level=told.append)
    assert told == [4]
    told.clear()
    unaware = settings_of(tmp_path, "", attestation_formats="none")
    enrol_device(unaware, "phone-2", now=datetime.now(UTC), tell_level=told.append)
    assert told == [0]
