"""Enrolling a device of this machine, again after a crash, with a token, and through the command line."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from authn.cli import cli
from authn.core.config import Settings, load_settings
from authn.core.errors import (
    AuthnError,
    BadRequest,
    DeviceExists,
    EnrolmentRefused,
    SettingsError,
    UnknownDevice,
)
from authn.devices.registry import open_registry
from authn.home.enrolment import _verify_trust, enrol_device, renew_device
from authn.pki.authority import open_authority
from signer.client import Enrolment
from signer.core.errors import KeyUnavailable, ServiceRefused, ServiceUnavailable
from signer.device import next_counter
from signer.keys import create_key, open_key
from signer.keys.software import file_key_uri
from tests.conftest import ROOT
from tests.doubles.requests import csr_of
from tests.doubles.tokens import MODULE, SoftToken, configure_softhsm

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={}, home=tmp_path / "home")


def leaf_of(chain_pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(chain_pem)[0]


def test_an_enrolled_device_has_a_key_of_its_own_and_a_row(settings: Settings) -> None:
    identity = enrol_device(settings, "camera", now=NOW)
    key = open_key(identity.key_uri)
    assert leaf_of(identity.chain_pem).public_key() == key.public_key()
    assert identity.tsa_roots == open_authority(settings).tsa_roots
    (device,) = open_registry(settings.database).list()
    assert (device.device_id, device.name) == (identity.device_id, "camera")
    for name in ("key.pem", "key.pin", "device.json"):
        assert (identity.folder / name).stat().st_mode & 0o777 == 0o600


def test_enrolling_twice_is_refused_and_names_the_way_on(settings: Settings) -> None:
    enrol_device(settings, "camera", now=NOW)
    with pytest.raises(DeviceExists, match="assay device renew camera"):
        enrol_device(settings, "camera", now=NOW)
    assert len(open_registry(settings.database).list()) == 1


@pytest.mark.parametrize("lost", [("device.json",), ("device.json", "chain.pem", "counter", "tsa-roots.pem")])
def test_an_enrolment_that_died_goes_on_with_its_key_and_its_device(
    settings: Settings, lost: tuple[str, ...]
) -> None:
    first = enrol_device(settings, "camera", now=NOW)
    for name in lost:
        (first.folder / name).unlink()
    second = enrol_device(settings, "camera", now=NOW)
    assert (second.device_id, second.key_uri) == (first.device_id, first.key_uri)
    assert len(open_registry(settings.database).list()) == 1


def test_a_renewal_keeps_the_key_and_goes_on_counting(settings: Settings) -> None:
    first = enrol_device(settings, "camera", now=NOW)
    assert next_counter(first.folder) == 1
    second = renew_device(settings, "camera", now=NOW + timedelta(days=80))
    old, new = leaf_of(first.chain_pem), leaf_of(second.chain_pem)
    assert new.public_key() == old.public_key()
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert next_counter(second.folder) == 2


def test_only_what_is_enrolled_here_can_be_renewed(settings: Settings) -> None:
    with pytest.raises(UnknownDevice):
        renew_device(settings, "camera", now=NOW)


def test_a_revoked_device_is_not_renewed(settings: Settings) -> None:
    before = enrol_device(settings, "camera", now=NOW)
    open_registry(settings.database).revoke("camera", reason="lost", now=NOW)
    with pytest.raises(EnrolmentRefused):
        renew_device(settings, "camera", now=NOW)
    assert (before.folder / "chain.pem").read_bytes() == before.chain_pem


@pytest.mark.parametrize("name", ["../elsewhere", "", "a/b", ".hidden"])
def test_a_name_that_leads_out_of_the_folder_makes_nothing(settings: Settings, name: str) -> None:
    with pytest.raises(BadRequest):
        enrol_device(settings, name, now=NOW)
    assert not settings.home.exists()


def test_a_key_that_exists_but_cannot_be_opened_is_not_made_anew(settings: Settings, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("not a key")
    (tmp_path / "pin").write_text("1234")
    with pytest.raises(KeyUnavailable):
        enrol_device(settings, "camera", key_uri=f"file:{key}?pin=file:{tmp_path / 'pin'}", now=NOW)
    assert key.read_text() == "not a key"
    assert not (settings.home / "assay.db").exists()


def test_enrolling_over_http_needs_a_token(tmp_path: Path) -> None:
    remote = load_settings(environ={}, home=tmp_path, service_url="http://127.0.0.1:9")
    with pytest.raises(SettingsError, match="ASSAY_ENROLMENT_TOKEN"):
        enrol_device(remote, "camera", now=NOW)


def test_a_service_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    remote = load_settings(
        environ={}, home=tmp_path, service_url="http://127.0.0.1:9", enrolment_token="x" * 16
    )
    with pytest.raises(ServiceUnavailable):
        enrol_device(remote, "camera", now=NOW)
    assert list(tmp_path.iterdir()) == []


class WrongCertificate(http.server.BaseHTTPRequestHandler):
    """A service that enrols whoever asks, with a certificate for its own key."""

    chain = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        texts = dict.fromkeys(("name", "tsa_url", "signer_roots", "tsa_roots"), "")
        challenge = {"challenge": "A" * 43, "formats": ["none"], "answer": {}}
        found = {**texts, **challenge, "device_id": "x", "assurance_level": 0, "chain": self.chain}
        body = json.dumps(found).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def wrong_service() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WrongCertificate) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["another key's", "none"])
def test_a_service_that_answers_with_a_certificate_that_does_not_fit_is_refused(
    wrong_service: str, tmp_path: Path, kind: str
) -> None:
    authority = open_authority(load_settings(environ={}, home=tmp_path / "service"), NOW)
    (leaf, _) = authority.issue_device(csr_of(ec.generate_private_key(ec.SECP256R1())), "x", "camera", NOW)
    WrongCertificate.chain = leaf.public_bytes(Encoding.PEM).decode() if kind != "none" else "nothing"
    device = load_settings(
        environ={}, home=tmp_path / "device", service_url=wrong_service, enrolment_token="x" * 16
    )
    with pytest.raises(ServiceRefused, match="certificate"):
        enrol_device(device, "camera", now=NOW)
    assert not (tmp_path / "device" / "devices" / "camera" / "device.json").exists()


def test_a_certificate_of_a_stranger_behind_the_device_s_own_is_refused(
    wrong_service: str, tmp_path: Path
) -> None:
    """Else it would lie among those that were asked for, and a monitor of the log would take it for one."""
    authority = open_authority(load_settings(environ={}, home=tmp_path / "service"), NOW)
    folder = tmp_path / "device" / "devices" / "camera"
    key = create_key(file_key_uri(folder / "key.pem", folder / "key.pin"))
    own, stranger = (authority.issue_device(csr_of(k), "x", "camera", NOW) for k in (key, None))
    device = load_settings(
        environ={}, home=tmp_path / "device", service_url=wrong_service, enrolment_token="x" * 16
    )
    WrongCertificate.chain = "".join(c.public_bytes(Encoding.PEM).decode() for c in (*own, stranger[0]))
    with pytest.raises(ServiceRefused, match="nobody asked for"):
        enrol_device(device, "camera", now=NOW)
    assert not (folder / "asked").exists()
    WrongCertificate.chain = "".join(c.public_bytes(Encoding.PEM).decode() for c in own)
    assert enrol_device(device, "camera", now=NOW).device_id == "x"


@pytest.fixture
def soft_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    monkeypatch.setenv("SOFTHSM2_CONF", "")  # restored at the end
    return configure_softhsm(tmp_path, 1)[0]


@pytest.mark.token
def test_a_key_can_be_made_in_a_token_and_never_lies_in_a_file(tmp_path: Path, soft_token: SoftToken) -> None:
    # In a process of its own: the module reads its configuration once.
    (tmp_path / "pin").write_text(soft_token.pin)
    uri = f"pkcs11:token={soft_token.label};object=cam?module-path={MODULE}&pin-source={tmp_path / 'pin'}"
    home = tmp_path / "home"
    enrolled = assay(home, "device", "enrol", "camera", "--key", uri)
    assert enrolled.returncode == 0, enrolled.stderr
    renewed = assay(home, "device", "renew", "camera")
    assert renewed.returncode == 0, renewed.stderr
    files = {path.name for path in (home / "devices" / "camera").iterdir()}
    assert "device.json" in files
    assert not files & {"key.pem", "key.pin"}
    assert soft_token.pin not in (home / "devices" / "camera" / "device.json").read_text()
    wrong = assay(home, "device", "enrol", "other", "--key", uri.replace("object=cam", "object=c2") + "x")
    assert wrong.returncode == 4
    assert "Traceback" not in wrong.stderr


def assay(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from authn.cli import main; main()", *arguments]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")} | {"ASSAY_HOME": str(home)}
    return subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def run(home: Path, *arguments: str) -> Result:
    return CliRunner(env={"ASSAY_HOME": str(home)}).invoke(cli, arguments)


def test_the_commands_enrol_list_show_and_revoke(tmp_path: Path) -> None:
    assert run(tmp_path, "device", "enrol", "camera").output.startswith("enrolled camera as ")
    assert "level 0" in run(tmp_path, "device", "list").output
    shown = run(tmp_path, "device", "show", "camera").output
    assert "software key" in shown
    assert "certificate " in shown
    since = datetime.now(UTC) - timedelta(days=1)
    revoked = run(
        tmp_path, "device", "revoke", "camera", "--reason", "stolen", "--invalid-since", since.isoformat()
    )
    assert f"revoked, invalid since {since:%Y-%m-%d %H:%M:%S}Z: stolen" in revoked.output
    (line,) = run(tmp_path, "device", "list", "--json").output.splitlines()
    assert json.loads(line)["revocation_reason"] == "stolen"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("show", "nobody"), UnknownDevice),
        (("revoke", "nobody", "--reason", "x"), UnknownDevice),
        (("revoke", "nobody", "--reason", "x", "--invalid-since", "yesterday"), BadRequest),
        (("revoke", "nobody", "--reason", "x", "--invalid-since", "2026-01-01T00:00:00"), BadRequest),
        (("renew", "nobody"), UnknownDevice),
        (("enrol", "a/b"), BadRequest),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_a_typed_error(
    tmp_path: Path, arguments: tuple[str, ...], expected: type[AuthnError]
) -> None:
    assert run(tmp_path, "device", "enrol", "camera").exit_code == 0
    result = run(tmp_path, "device", *arguments)
    assert type(result.exception) is expected


def test_a_revocation_without_a_reason_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "device", "revoke", "camera").exit_code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"signer_roots_pem": b"no certificate"},
        {"tsa_roots_pem": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"log_key": "a log without a key"},
        {"log_key": "log.example.org+00000000+AAAA"},
    ],
    ids=str,
)
def test_what_a_home_would_judge_by_is_read_before_it_is_kept(wrong: dict[str, Any]) -> None:
    good = Enrolment(
        device_id="d",
        name="d",
        assurance_level=0,
        chain_pem=b"",
        tsa_url="",
        signer_roots_pem=b"",
        tsa_roots_pem=b"",
    )
    _verify_trust(good)
    with pytest.raises(ServiceRefused, match="the service answered with"):
        _verify_trust(replace(good, **wrong))
