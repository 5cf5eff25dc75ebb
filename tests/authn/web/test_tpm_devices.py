"""A device whose key lies in a TPM (swtpm), from enrolment over HTTP to an established photo."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from authn.core.config import Settings, load_settings
from authn.core.errors import SettingsError
from authn.core.evidence import Axis, Outcome
from authn.devices import ASSURANCE_LEVELS
from authn.home.enrolment import enrol_device, make_csr, renew_device
from authn.service.enrolment.challenges import decode
from authn.service.services import Services
from authn.service.wiring import open_services
from authn.web import create_app
from signer.client import Client
from signer.core.errors import ServiceRefused, TimestampRejected
from signer.http_signature import RequestSigner
from signer.keys import create_key, open_key
from signer.keys.attesting import AttestingKey
from signer.proof.timestamp import build_request, parse_response
from tests.authn.web.conftest import TOKEN, InlineExaminer
from tests.doubles.pki import TestPki
from tests.doubles.signed import Registered, examiner_for, media, signed_photo, stamped_photo
from tests.doubles.swtpm import SoftTpm, running_swtpm

pytestmark = pytest.mark.token
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    services: Services
    client: FlaskClient
    address: str

    def device(self, folder: Path) -> Settings:
        return load_settings(
            environ={}, home=folder / "device", service_url=self.address, enrolment_token=TOKEN
        )


@pytest.fixture
def service(tpm: SoftTpm, tmp_path: Path) -> Iterator[Running]:
    """Takes keys in TPMs of this maker, and no others; asks everybody for credentials."""
    settings = load_settings(
        environ={},
        home=tmp_path / "service",
        enrolment_token=TOKEN,
        attestation_formats="tpm2",
        tpm_roots=tpm.roots,
        access="required",
    )
    services = open_services(settings, confine=lambda *_: InlineExaminer(True))
    app = create_app(services)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Running(
        services=services, client=app.test_client(), address=f"http://127.0.0.1:{server.server_port}"
    )
    server.shutdown()
    thread.join(10)
    services.close()


def attesting(uri: str) -> Any:
    key = create_key(uri)
    assert isinstance(key, AttestingKey)
    return key


def answered(service: Running, key: Any, name: str = "camera") -> dict[str, Any]:
    """What a device sends after both steps."""
    asked = service.client.post(
        "/v1/enrolment/challenge", json=key.attestation_request(), headers=BEARER
    ).get_json()
    return {
        "name": name,
        "csr": make_csr(key, name, asked["challenge"]).decode(),
        "challenge": asked["challenge"],
        "attestation": key.attest(decode(asked["challenge"]), asked["answer"]),
    }


def enrol(service: Running, body: dict[str, Any]) -> tuple[int, str]:
    answer = service.client.post("/v1/enrolment", json=body, headers=BEARER)
    return answer.status_code, str(answer.get_json().get("detail", ""))


def test_a_device_with_a_key_in_a_tpm_is_enrolled_at_level_3_and_renewed(
    service: Running, tpm: SoftTpm, tmp_path: Path
) -> None:
    levels: list[int] = []
    settings = service.device(tmp_path)
    identity = enrol_device(
        settings, "camera", key_uri=tpm.uri(tmp_path / "key.pem"), now=NOW, tell_level=levels.append
    )
    assert levels == [3]
    record = service.services.registry.find("camera")
    assert (record.assurance_level, record.attestation_fmt) == (3, "tpm2")
    (kept,) = service.services.registry.attestations_of(record.device_id)
    assert json.loads(kept.statement)["fmt"] == "tpm2"
    renewed = renew_device(settings, "camera", now=NOW)
    assert renewed.device_id == identity.device_id
    assert service.services.registry.find("camera").assurance_level == 3


def test_its_requests_are_signed_in_the_tpm(service: Running, tpm: SoftTpm, tmp_path: Path) -> None:
    enrol_device(service.device(tmp_path), "camera", key_uri=tpm.uri(tmp_path / "key.pem"), now=NOW)
    key = open_key(tpm.uri(tmp_path / "key.pem"))
    request = build_request(b"a signature", nonce=7)
    with pytest.raises(TimestampRejected, match="401"):
        Client().stamp(f"{service.address}/tsa", request)
    client = Client(signer=lambda: RequestSigner(key=key, clock=lambda: datetime.now(UTC)))
    assert parse_response(client.stamp(f"{service.address}/tsa", request))


def test_the_same_answer_is_taken_once(service: Running, tpm: SoftTpm, tmp_path: Path) -> None:
    body = answered(service, attesting(tpm.uri(tmp_path / "key.pem")))
    assert enrol(service, body) == (201, "")
    status, says = enrol(service, body)
    assert status == 403
    assert "used before" in says


def test_an_answer_is_good_for_no_other_challenge(service: Running, tpm: SoftTpm, tmp_path: Path) -> None:
    key = attesting(tpm.uri(tmp_path / "key.pem"))
    body, later = answered(service, key), answered(service, key)
    status, says = enrol(service, {**later, "attestation": body["attestation"]})
    assert status == 403
    assert "another challenge or another secret" in says


def test_a_challenge_that_was_asked_for_without_the_first_step_does_not_do(
    service: Running, tpm: SoftTpm, tmp_path: Path
) -> None:
    key = attesting(tpm.uri(tmp_path / "key.pem"))
    body = answered(service, key)
    plain = service.client.post("/v1/enrolment/challenge", headers=BEARER).get_json()["challenge"]
    changed = {"challenge": plain, "csr": make_csr(key, "camera", plain).decode()}
    status, says = enrol(service, {**body, **changed})
    assert status == 403
    assert "not asked for with these keys" in says


def test_a_software_key_is_not_enrolled_by_the_evidence_for_the_key_in_the_tpm(
    service: Running, tpm: SoftTpm, tmp_path: Path
) -> None:
    body = answered(service, attesting(tpm.uri(tmp_path / "key.pem")))
    software = ec.generate_private_key(ec.SECP256R1())
    status, says = enrol(service, {**body, "csr": make_csr(software, "camera", body["challenge"]).decode()})
    assert status == 403
    assert "another key" in says
    assert enrol(service, body) == (201, "")


def test_where_only_tpms_are_taken_neither_files_nor_tpms_of_nobody_are(
    service: Running, tmp_path: Path
) -> None:
    with pytest.raises(ServiceRefused, match="formats tpm2"):
        enrol_device(service.device(tmp_path), "camera", now=NOW)
    with (
        running_swtpm(tmp_path / "bare", endorsed=False) as bare,
        pytest.raises(ServiceRefused, match="tpm2"),
    ):
        enrol_device(service.device(tmp_path), "bare", key_uri=bare.uri(tmp_path / "bare.pem"), now=NOW)
    with running_swtpm(tmp_path / "other") as other, pytest.raises(ServiceRefused, match="no maker of TPMs"):
        enrol_device(service.device(tmp_path), "other", key_uri=other.uri(tmp_path / "other.pem"), now=NOW)
    assert service.services.registry.list() == ()


def test_the_format_needs_a_list_of_makers(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="tpm2 needs tpm_roots"):
        load_settings(environ={}, home=tmp_path, attestation_formats="tpm2 none")


def test_a_photo_signed_by_a_key_in_a_tpm_is_established_on_every_axis(tpm: SoftTpm, tmp_path: Path) -> None:
    pki = TestPki()
    key = create_key(tpm.uri(tmp_path / "key.pem"))
    leaf = pki.leaf(key=key)
    registry = Registered(leaf, assurance_level=3)
    data = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    report = examiner_for(pki, registry=registry).examine(media(data))
    outcomes = {a.axis: a.outcome for a in report.cryptographic.axes}
    assert outcomes == dict.fromkeys(Axis, Outcome.ESTABLISHED) | {Axis.LOG: Outcome.ABSENT}
    (finding,) = report.cryptographic.axis(Axis.DEVICE).findings
    facts = dict(finding.facts)
    assert (facts["assurance_level"], facts["assurance"]) == (3, ASSURANCE_LEVELS[3])
