"""The list, OCSP and the issuer over HTTP; asked by openssl and curl from the real service too."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from flask.testing import FlaskClient

from authn.pki.crl import look_up, read_crl
from authn.service.services import Services
from signer.capture import sign_file
from signer.client import Client
from signer.device import DeviceIdentity
from signer.spool import Spool
from tests.authn.web.test_serve import Running, address, enrolled_at, start
from tests.conftest import ROOT
from tests.doubles.media import tiny_jpeg
from tests.doubles.requests import csr_of
from tests.programs import require_program


@pytest.fixture
def leaf(services: Services) -> x509.Certificate:
    return services.intake.enrol("camera", csr_of(), services.clock()).chain[0]


def ask(leaf: x509.Certificate, issuer: x509.Certificate) -> bytes:
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256())
    return request.add_extension(x509.OCSPNonce(b"\xff" * 30), False).build().public_bytes(Encoding.DER)


def test_a_revocation_is_in_the_next_list_and_the_next_answer(
    client: FlaskClient, services: Services, leaf: x509.Certificate
) -> None:
    issuing = x509.load_der_x509_certificate(client.get("/pki/issuing").data)
    assert issuing == services.authority.issuing
    before = client.get("/pki/crl")
    assert before.content_type == "application/pkix-crl"
    assert look_up(read_crl(before.data), leaf, issuing, as_of=services.clock()) is None
    services.revocations.revoke_device("camera", reason="stolen", now=services.clock())
    after = read_crl(client.get("/pki/crl").data)
    assert look_up(after, leaf, issuing, as_of=services.clock()) is not None
    kind = {"Content-Type": "application/ocsp-request"}
    answer = client.post("/pki/ocsp", data=ask(leaf, issuing), headers=kind)
    assert answer.content_type == "application/ocsp-response"
    parsed = ocsp.load_der_ocsp_response(answer.data)
    assert parsed.certificate_status is ocsp.OCSPCertStatus.REVOKED


def test_a_list_is_not_sent_twice_to_who_has_it(client: FlaskClient) -> None:
    first = client.get("/pki/crl")
    again = client.get("/pki/crl", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert "max-age=30" in first.headers["Cache-Control"]


def test_a_request_in_the_address_may_hold_any_base64(
    client: FlaskClient, services: Services, leaf: x509.Certificate
) -> None:
    asked = ask(leaf, services.authority.issuing)
    encoded = base64.b64encode(asked).decode()
    assert "//" in encoded  # what a router that tidies addresses would break
    answer = client.get(f"/pki/ocsp/{encoded}")
    assert answer.status_code == 200
    parsed = ocsp.load_der_ocsp_response(answer.data)
    assert parsed.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert parsed.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"\xff" * 30


@pytest.mark.parametrize("encoded", ["no base64!", "A", "A" * 4000])
def test_an_address_that_holds_no_request_is_a_bad_request(client: FlaskClient, encoded: str) -> None:
    answer = client.get(f"/pki/ocsp/{encoded}")
    assert (answer.status_code, json.loads(answer.data)["code"]) == (400, "assay.request.bad")


def test_a_body_of_another_kind_or_too_large_is_refused(client: FlaskClient) -> None:
    assert client.post("/pki/ocsp", data=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    kind = {"Content-Type": "application/ocsp-request"}
    assert client.post("/pki/ocsp", data=bytes(5000), headers=kind).status_code == 413


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("pki-serve") / "home"
    with start(home) as process:
        yield Running(process=process, url=address(process), home=home)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def identity(running: Running, tmp_path_factory: pytest.TempPathFactory) -> DeviceIdentity:
    return enrolled_at(running, tmp_path_factory.mktemp("pki-device"))


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def assay(*arguments: str, home: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = "from authn.cli import main; main()"
    environ = {"ASSAY_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_a_revocation_reaches_openssl_curl_and_a_reader_without_network_within_a_minute(
    running: Running, identity: DeviceIdentity, tmp_path: Path
) -> None:
    openssl, curl = require_program("openssl"), require_program("curl")
    photo, spool = tmp_path / "photo.jpg", Spool(tmp_path / "spool")
    photo.write_bytes(tiny_jpeg((640, 480)))
    sign_file(photo, identity, spool=spool)
    client = Client(service_url=running.url)
    spool.stamp_all(lambda query: client.stamp(identity.tsa_url, query), identity.tsa_roots)
    (tmp_path / "root.pem").write_bytes((running.home / "pki" / "device-root.pem").read_bytes())
    leaf = x509.load_pem_x509_certificates(identity.chain_pem)[0]
    (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (tmp_path / "issuing.pem").write_bytes((running.home / "pki" / "device-issuing.pem").read_bytes())
    query = (openssl, "ocsp", "-sha256", "-issuer", "issuing.pem", "-cert", "leaf.pem")
    query += ("-url", f"{running.url}/pki/ocsp", "-CAfile", "root.pem", "-verify_other", "issuing.pem")
    good = run(*query, cwd=tmp_path)
    assert "leaf.pem: good" in good.stdout, good.stderr
    assert "Response verify OK" in good.stderr
    assert "WARNING" not in good.stderr  # the nonce came back

    revoke = ("device", "revoke", "camera", "--reason", "stolen", "--cause", "keyCompromise")
    since = "2026-01-01T00:00:00Z"
    done = assay(*revoke, "--invalid-since", since, home=running.home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    revoked = run(*query, cwd=tmp_path)
    assert "leaf.pem: revoked" in revoked.stdout
    assert "keyCompromise" in revoked.stdout
    fetched = run(curl, "-fsS", f"{running.url}/pki/crl", "-o", "list.crl", cwd=tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    report = json.loads(running.post("/v1/verifications", photo.read_bytes(), "image/jpeg"))
    assert report["cryptographic"]["axes"]["revocation"]["outcome"] == "refuted"

    reader = ("verify", "--json", "--no-heuristics", "--signer-roots", "root.pem", "--crl", "list.crl")
    tsa = ("--tsa-roots", str(running.home / "pki" / "tsa-root.pem"))
    told = assay(*reader, *tsa, "photo.jpg", home=tmp_path / "nobody", cwd=tmp_path)
    assert told.returncode == 1, told.stderr
    axis = json.loads(told.stdout)["cryptographic"]["axes"]["revocation"]
    assert axis["outcome"] == "refuted"
    assert axis["findings"][0]["code"] == "signingCredential.revoked"
    assert "its proven time" in axis["findings"][0]["detail"]

    shown = assay("pki", "show", "list.crl", home=tmp_path / "nobody", cwd=tmp_path)
    assert f"{leaf.serial_number:x}" in shown.stdout
    written = assay("pki", "crl", "--out", "own.crl", home=running.home, cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert leaf.serial_number in read_crl((tmp_path / "own.crl").read_bytes()).entries
