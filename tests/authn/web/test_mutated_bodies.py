"""Bodies of every kind that the service reads, changed at random: every answer is one that was meant."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AttributeOID, NameOID
from flask.testing import FlaskClient

from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from signer.proof.timestamp import build_request
from tests.authn.web.conftest import TOKEN
from tests.doubles.media import tiny_jpeg

ROUNDS = 150
KEY = ec.generate_private_key(ec.SECP256R1())
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def csr() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cam")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"a")
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def enrolment() -> bytes:
    pem = base64.encodebytes(csr()).decode()
    text = f"-----BEGIN CERTIFICATE REQUEST-----\n{pem}-----END CERTIFICATE REQUEST-----\n"
    attestation = {"fmt": "packed", "attStmt": {"x5c": ["AA"], "sig": "AA"}, "authData": "AA"}
    return json.dumps(
        {"name": "cam", "csr": text, "challenge": "A" * 43, "attestation": attestation}
    ).encode()


def device() -> bytes:
    return json.dumps({k: v for k, v in json.loads(enrolment()).items() if k in ("name", "csr")}).encode()


def form() -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    field = b'\r\n--x\r\nContent-Disposition: form-data; name="as_of"\r\n\r\n2026-01-02T03:04:05Z'
    return part + b"Content-Type: image/jpeg\r\n\r\n" + tiny_jpeg() + field + b"\r\n--x--\r\n"


def status_request(services: Services) -> bytes:
    issuing = services.authority.issuing
    return (
        ocsp.OCSPRequestBuilder()
        .add_certificate(issuing, issuing, hashes.SHA256())
        .build()
        .public_bytes(Encoding.DER)
    )


KINDS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "est": ("/.well-known/est/simpleenroll", "application/pkcs10", csr),
    "est base64": ("/.well-known/est/simplereenroll", "application/pkcs10", lambda: base64.b64encode(csr())),
    "stamps": ("/tsa", "application/timestamp-query", lambda: build_request(b"message", 99)),
    "devices": ("/v1/devices", "application/json", device),
    "enrolment": ("/v1/enrolment", "application/json", enrolment),
    "challenge": ("/v1/enrolment/challenge", "application/json", lambda: b'{"fmt": "tpm2", "ek": "AA"}'),
    "form": ("/v1/verifications", "multipart/form-data; boundary=x", form),
    "page": ("/reports", "multipart/form-data; boundary=x", form),
    "file": ("/v1/verifications", "image/jpeg", tiny_jpeg),
    "capture": ("/v1/captures", "image/jpeg", tiny_jpeg),
}


def changed(body: bytes, seed: str) -> Iterator[bytes]:
    moments = random.Random(seed)
    for at in range(0, len(body), max(1, len(body) // 40)):
        yield body[:at]
        yield body[:at] + bytes([body[at] ^ 1 << moments.randrange(8)]) + body[at + 1 :]
    for _ in range(ROUNDS):
        mutant = bytearray(body)
        for _ in range(moments.randrange(1, 4)):
            at = moments.randrange(len(mutant))
            match moments.randrange(4):
                case 0:
                    mutant[at] = moments.choice((0, 1, 0x30, 0x7F, 0x80, 0xFF))
                case 1:
                    del mutant[at : at + moments.randrange(1, 9)]
                case 2:
                    mutant[at:at] = mutant[at : at + 8]
                case _:
                    mutant[at] = moments.randrange(256)
            mutant = mutant or bytearray(b"\0")
        yield bytes(mutant)


@pytest.mark.parametrize("kind", KINDS)
def test_no_body_is_a_defect_of_ours(client: FlaskClient, services: Services, kind: str) -> None:
    path, content_type, make = KINDS[kind]
    headers = BEARER
    if kind == "capture":
        key = ApiKeys(services.engine).create("any", frozenset({"captures:create"}), datetime.now(UTC))
        headers = {"Authorization": f"Bearer {key.text}"}
    for body in changed(make(), kind):
        answer = client.post(path, data=body, content_type=content_type, headers=headers)
        assert answer.status_code != 500, body.hex()


def test_no_question_about_a_certificate_is_one(client: FlaskClient, services: Services) -> None:
    for body in changed(status_request(services), "status"):
        answer = client.post("/pki/ocsp", data=body, content_type="application/ocsp-request")
        assert answer.status_code != 500, body.hex()
        encoded = base64.urlsafe_b64encode(body).decode()
        assert client.get(f"/pki/ocsp/{encoded}").status_code != 500, body.hex()
