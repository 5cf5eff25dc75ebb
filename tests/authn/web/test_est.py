"""EST (RFC 7030) by its standard clients: openssl and curl enrol without anything of ours."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from authn.service.services import Services
from authn.web import create_app
from tests.authn.web.conftest import TOKEN, rows
from tests.doubles.requests import csr_of, stolen_csr
from tests.programs import require_program

ENROL, RENEW = "/.well-known/est/simpleenroll", "/.well-known/est/simplereenroll"
KIND = {"Content-Type": "application/pkcs10"}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"est:{TOKEN}".encode()).decode()}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def body(key: ec.EllipticCurvePrivateKey | None = None, *, ask: str = "camera") -> bytes:
    return base64.encodebytes(x509.load_pem_x509_csr(csr_of(key, ask=ask)).public_bytes(Encoding.DER))


def certificates(answer: bytes) -> list[x509.Certificate]:
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer))


def code(answer: bytes) -> str:
    return str(json.loads(answer)["code"])


@pytest.mark.parametrize("who", [BASIC, BEARER], ids=["basic", "bearer"])
def test_a_device_enrols_with_the_token(client: FlaskClient, services: Services, who: dict[str, str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    answer = client.post(ENROL, data=body(key), headers={**KIND, **who})
    assert answer.status_code == 200
    assert answer.content_type == "application/pkcs7-mime; smime-type=certs-only"
    assert answer.headers["Content-Transfer-Encoding"] == "base64"
    (leaf,) = certificates(answer.data)
    assert leaf.public_key() == key.public_key()
    leaf.verify_directly_issued_by(services.authority.issuing)
    assert services.registry.find("camera").name == "camera"


def test_a_certificate_that_the_log_has_not_taken_is_handed_out_by_no_door(
    client: FlaskClient, services: Services
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    services.log.halt("a witness has seen another history", "both notes")
    for path, who in ((ENROL, BASIC), (RENEW, {})):
        answer = client.post(path, data=body(key), headers={**KIND, **who})
        assert (answer.status_code, code(answer.data)) == (503, "assay.log.halted")
    assert rows(services) == (1, 1, 0)  # it waits for the log


@pytest.mark.parametrize("form", ["PEM", "DER", "one line"])
def test_clients_that_armour_the_request_otherwise_are_understood(client: FlaskClient, form: str) -> None:
    pem = csr_of()
    der = x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER)
    data = {"PEM": pem, "DER": der, "one line": base64.b64encode(der)}[form]
    assert client.post(ENROL, data=data, headers={**KIND, **BASIC}).status_code == 200


def test_who_says_nothing_is_asked_and_who_says_the_wrong_thing_is_refused(
    client: FlaskClient, services: Services
) -> None:
    silent = client.post(ENROL, data=body(), headers=KIND)
    assert (silent.status_code, code(silent.data)) == (401, "assay.request.unauthenticated")
    assert silent.headers["WWW-Authenticate"].startswith("Basic ")
    for wrong in ("Basic " + base64.b64encode(b"est:wrong").decode(), "Bearer wrong", "Basic", "Digest x=1"):
        refused = client.post(ENROL, data=body(), headers={**KIND, "Authorization": wrong})
        assert refused.status_code in (401, 403), wrong
    assert rows(services)[:2] == (0, 0)


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"", 400), (b"!!!", 400), (b"AAAA", 400), (base64.b64encode(stolen_csr()), 403), (bytes(40_000), 413)],
    ids=["empty", "no base64", "no request", "no possession", "huge"],
)
def test_a_body_that_proves_nothing_enrols_nobody(
    client: FlaskClient, services: Services, data: bytes, status: int
) -> None:
    for path in (ENROL, RENEW):
        assert client.post(path, data=data, headers={**KIND, **BASIC}).status_code == status
    assert rows(services)[:2] == (0, 0)


def of_version(version: int) -> bytes:
    der = base64.b64decode(body())
    at = der.index(b"\x02\x01\x00")  # the version, which PKCS#10 has as 0
    return der[: at + 2] + bytes([version]) + der[at + 3 :]


@pytest.mark.parametrize("version", [1, 2, 3, 29, 0x7F, 0x80, 0xFF])
def test_a_request_of_another_version_is_refused_in_words(
    client: FlaskClient, services: Services, version: int
) -> None:
    der = of_version(version)
    for path in (ENROL, RENEW):
        for data in (base64.b64encode(der), der):
            answer = client.post(path, data=data, headers={**KIND, **BASIC})
            found = (answer.status_code, answer.get_json()["code"])
            assert found == (400, "assay.device.requestUnreadable")
    answer = client.post(
        "/v1/devices",
        json={"name": "camera", "csr": pem(der)},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.device.requestUnreadable")
    assert rows(services) == (0, 0, 0)


def pem(der: bytes) -> str:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


def test_another_kind_of_body_is_refused(client: FlaskClient) -> None:
    for path in (ENROL, RENEW):
        answer = client.post(path, data=body(), headers={**BASIC, "Content-Type": "text/plain"})
        assert answer.status_code == 415


def test_a_name_that_cannot_be_a_device_is_refused(client: FlaskClient) -> None:
    assert client.post(ENROL, data=body(ask="../up"), headers={**KIND, **BASIC}).status_code == 400


def test_an_enrolled_key_renews_by_possession_alone(client: FlaskClient, services: Services) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first = certificates(client.post(ENROL, data=body(key), headers={**KIND, **BASIC}).data)[0]
    again = client.post(RENEW, data=body(key), headers=KIND)
    assert certificates(again.data) == [first]  # a replay within the hour makes nothing new
    assert rows(services)[:2] == (1, 1)
    services.revocations.revoke_certificate(first.serial_number, reason="x", now=services.clock())
    (second,) = certificates(client.post(RENEW, data=body(key), headers=KIND).data)
    assert second != first
    assert second.public_key() == key.public_key()


def test_a_key_that_is_unknown_renamed_or_revoked_gets_nothing(
    client: FlaskClient, services: Services
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert client.post(RENEW, data=body(key), headers=KIND).status_code == 403
    client.post(ENROL, data=body(key), headers={**KIND, **BASIC})
    assert client.post(RENEW, data=body(key, ask="other"), headers=KIND).status_code == 403
    services.revocations.revoke_device("camera", reason="stolen", now=services.clock())
    assert client.post(RENEW, data=body(key), headers=KIND).status_code == 403
    assert rows(services)[:2] == (1, 1)


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(services))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/.well-known/est"
    server.shutdown()
    thread.join()
    server.server_close()


def shell(command: str, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openssl_and_curl_enrol_and_renew_without_our_client(url: str, tmp_path: Path) -> None:
    for program in ("openssl", "curl", "base64", "bash"):
        require_program(program)
    shell(
        'curl -fsS "$URL/cacerts" | base64 -d | openssl pkcs7 -inform DER -print_certs -out cas.pem\n'
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem "
        "-subj /CN=front-desk -outform DER | base64 > request\n"
        'curl -fsS -u "est:$TOKEN" -H "Content-Type: application/pkcs10" --data-binary @request '
        '"$URL/simpleenroll" | base64 -d | openssl pkcs7 -inform DER -print_certs -out first.pem\n'
        'curl -fsS -H "Content-Type: application/pkcs10" --data-binary @request '
        '"$URL/simplereenroll" | base64 -d | openssl pkcs7 -inform DER -print_certs -out second.pem\n',
        tmp_path,
        URL=url,
        TOKEN=TOKEN,
    )
    for leaf in ("first.pem", "second.pem"):
        verify = f"openssl verify -x509_strict -CAfile cas.pem {leaf} && openssl x509 -in {leaf} -noout"
        assert ": OK" in shell(verify, tmp_path)
        assert "front-desk" in shell(f"openssl x509 -in {leaf} -noout -subject", tmp_path)
    same = "diff <(openssl x509 -in first.pem -noout -pubkey) <(openssl pkey -in key.pem -pubout)"
    assert shell(same, tmp_path) == ""
