"""Enrolling over HTTP, and what strangers may read of the registry."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

from authn.service.services import Services
from authn.web import create_app
from tests.authn.web.conftest import TOKEN, rows
from tests.doubles.requests import csr_of, stolen_csr

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def enrol(client: FlaskClient, name: str = "camera", csr: bytes | None = None):
    body = {"name": name, "csr": (csr or csr_of()).decode()}
    return client.post("/v1/devices", json=body, headers=BEARER)


def test_an_enrolled_device_gets_its_chain_the_roots_and_the_time_stamp_address(
    client: FlaskClient, services: Services
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    answer = enrol(client, csr=csr_of(key))
    assert answer.status_code == 201
    body = answer.get_json()
    leaf, issuing = x509.load_pem_x509_certificates(body["chain"].encode())
    assert leaf.public_key() == key.public_key()
    assert issuing == services.authority.issuing
    assert x509.load_pem_x509_certificate(body["signer_roots"].encode()) == services.authority.device_roots[0]
    assert x509.load_pem_x509_certificate(body["tsa_roots"].encode()) == services.authority.tsa_roots[0]
    assert body["tsa_url"] == "http://localhost/tsa"
    assert answer.headers["Location"] == f"/v1/devices/{body['device_id']}"
    assert rows(services) == (1, 1, 0)


def test_the_same_name_and_key_again_gets_a_new_certificate_for_the_same_device(
    client: FlaskClient, services: Services
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first, second = (enrol(client, csr=csr_of(key)).get_json() for _ in range(2))
    assert first["device_id"] == second["device_id"]
    assert first["chain"] != second["chain"]
    assert rows(services) == (1, 2, 0)


def test_the_registry_shows_status_but_no_key_or_request(client: FlaskClient, services: Services) -> None:
    device_id = enrol(client).get_json()["device_id"]
    services.registry.revoke("camera", reason="lost", now=datetime.now(UTC))
    (listed,) = client.get("/v1/devices").get_json()["devices"]
    one = client.get(f"/v1/devices/{device_id}").get_json()
    assert listed["revocation_reason"] == one["revocation_reason"] == "lost"
    assert listed["revoked_at"].endswith("Z")
    assert listed["assurance"].startswith("software key")
    assert set(one) - set(listed) == {"attestations", "certificates"}
    assert set(one["certificates"][0]) == {"serial", "not_before", "not_after"}


def test_an_unknown_device_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/v1/devices/nobody")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "assay.device.unknown")


def test_an_external_time_stamp_authority_is_passed_on(services: Services) -> None:
    from dataclasses import replace

    elsewhere = replace(services, settings=replace(services.settings, tsa_url="https://tsa.example.org/"))
    assert enrol(create_app(elsewhere).test_client()).get_json()["tsa_url"] == "https://tsa.example.org/"


def test_a_public_address_is_where_devices_are_sent(services: Services) -> None:
    from dataclasses import replace

    settings = replace(services.settings, public_url="https://assay.example.org/base/")
    client = create_app(replace(services, settings=settings)).test_client()
    assert enrol(client).get_json()["tsa_url"] == "https://assay.example.org/base/tsa"


P384 = csr_of(ec.generate_private_key(ec.SECP384R1())).decode()
GOOD = csr_of().decode()
STOLEN = "-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "assay.request.bad"),
        (b"{", 400, "assay.request.bad"),
        (b"[" * 20_000, 400, "assay.request.bad"),
        (b"\xff\xfe", 400, "assay.request.bad"),
        (b'["name"]', 400, "assay.request.bad"),
        ({"name": "camera"}, 400, "assay.request.bad"),
        ({"csr": GOOD}, 400, "assay.request.bad"),
        ({"name": 1, "csr": GOOD}, 400, "assay.request.bad"),
        ({"name": None, "csr": GOOD}, 400, "assay.request.bad"),
        ({"name": "camera", "csr": GOOD, "assurance_level": "4"}, 400, "assay.request.bad"),
        ({"name": "../../etc", "csr": GOOD}, 400, "assay.request.bad"),
        ({"name": "", "csr": GOOD}, 400, "assay.request.bad"),
        ({"name": "camera", "csr": "nonsense"}, 400, "assay.device.requestUnreadable"),
        ({"name": "camera", "csr": "\udcff"}, 400, "assay.device.requestUnreadable"),
        ({"name": "camera", "csr": P384}, 403, "assay.device.enrolmentRefused"),
        ({"name": "camera", "csr": "A" * 40_000}, 413, "assay.request.tooLarge"),
    ],
)
def test_a_bad_enrolment_is_refused_and_leaves_no_row(
    client: FlaskClient, services: Services, body: object, status: int, code: str
) -> None:
    sent = {"data": body, "content_type": "application/json"} if isinstance(body, bytes) else {"json": body}
    answer = client.post("/v1/devices", headers=BEARER, **sent)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert rows(services) == (0, 0, 0)


def test_a_request_without_proof_of_possession_leaves_no_row(client: FlaskClient, services: Services) -> None:
    import base64

    stolen = STOLEN % base64.encodebytes(stolen_csr()).decode()
    answer = enrol(client, csr=stolen.encode())
    assert answer.get_json()["code"] == "assay.device.enrolmentRefused"
    assert "not signed by its own key" in answer.get_json()["detail"]
    assert rows(services) == (0, 0, 0)


def test_a_taken_name_leaves_no_second_row(client: FlaskClient, services: Services) -> None:
    enrol(client)
    answer = enrol(client)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "assay.device.exists")
    assert rows(services) == (1, 1, 0)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer wrong", f"Bearer {TOKEN}x"],
)
def test_without_the_token_nothing_of_the_body_is_looked_at(
    client: FlaskClient, services: Services, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = client.post("/v1/devices", data=b"{", content_type="application/json", headers=headers)
    found = (answer.status_code, answer.get_json()["code"], "WWW-Authenticate" in answer.headers)
    if authorization in ("Bearer wrong", f"Bearer {TOKEN}x"):
        assert found == (403, "assay.device.enrolmentRefused", False)
    else:
        assert found == (401, "assay.request.unauthenticated", True)
    assert TOKEN not in answer.text
    assert rows(services) == (0, 0, 0)


def test_a_form_is_no_enrolment(client: FlaskClient) -> None:
    answer = client.post("/v1/devices", data={"name": "camera", "csr": GOOD}, headers=BEARER)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")
