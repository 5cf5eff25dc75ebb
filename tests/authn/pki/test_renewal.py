"""After three years the issuing authority gets a new certificate: old photos, devices and lists go on."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from authn.cli import cli
from authn.core.config import Settings, load_settings
from authn.core.errors import Unavailable
from authn.pki.authority import open_authority, renew_issuing
from authn.pki.chains import verify_signer_path
from authn.pki.crl import build_crl
from tests.doubles.pki import pem_of
from tests.doubles.requests import csr_of
from tests.programs import require_program

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
LATER = START + timedelta(days=3 * 365 - 30)
DEVICE_ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Case:
    settings: Settings

    @property
    def pki(self) -> Path:
        return self.settings.home / "pki"

    def issue(self, at: datetime) -> tuple[x509.Certificate, ...]:
        key = ec.generate_private_key(ec.SECP256R1())
        return open_authority(self.settings, at).issue_device(csr_of(key), DEVICE_ID, "camera", at)

    def files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.pki.iterdir()}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    settings = load_settings(environ={}, home=tmp_path / "home")
    open_authority(settings, START)
    return Case(settings)


def test_name_and_key_stay_and_what_was_issued_before_is_good_at_its_time(case: Case) -> None:
    roots = open_authority(case.settings, START).device_roots
    old_chain, old = case.issue(START), open_authority(case.settings, START).issuing
    new = renew_issuing(case.settings, LATER)
    assert (new.subject, new.public_key()) == (old.subject, old.public_key())
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert open_authority(case.settings, LATER).issuing == new
    assert (case.pki / f"device-issuing.{old.serial_number:x}.pem").read_bytes() == pem_of(old)
    new_chain = case.issue(LATER)
    verify_signer_path(old_chain[0], old_chain[1:], roots, at=START + timedelta(hours=1))
    verify_signer_path(new_chain[0], new_chain[1:], roots, at=LATER + timedelta(days=60))
    verify_signer_path(old_chain[0], (new,), roots, at=START + timedelta(hours=1))
    assert new_chain[0].not_valid_after_utc > old.not_valid_after_utc


def test_a_list_of_the_renewed_authority_is_the_list_of_the_certificates_before(
    case: Case, tmp_path: Path
) -> None:
    openssl = require_program("openssl")
    chain = case.issue(LATER - timedelta(days=1))
    renew_issuing(case.settings, LATER)
    authority = open_authority(case.settings, LATER)
    crl = build_crl(authority.issuer, (), number=7, this_update=LATER, next_update=LATER + timedelta(days=1))
    (tmp_path / "list.pem").write_bytes(x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM))
    (tmp_path / "above.pem").write_bytes(pem_of(*authority.device_roots, authority.issuing))
    (tmp_path / "leaf.pem").write_bytes(pem_of(chain[0]))
    when = str(int((LATER + timedelta(hours=1)).timestamp()))
    command = [
        openssl,
        "verify",
        "-attime",
        when,
        "-crl_check",
        "-CRLfile",
        "list.pem",
        "-CAfile",
        "above.pem",
        "leaf.pem",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "leaf.pem: OK", done.stderr


def test_without_the_root_s_key_nothing_changes_and_the_sentence_says_what_to_bring(case: Case) -> None:
    (case.pki / "device-root.key.pem").unlink()
    before = case.files()
    with pytest.raises(Unavailable, match=r"bring device-root\.key\.pem and device-root\.pin back"):
        renew_issuing(case.settings, LATER)
    assert case.files() == before


def test_a_root_that_ends_as_soon_cannot_renew(case: Case) -> None:
    renew_issuing(case.settings, START + timedelta(days=8 * 365))
    before = case.files()
    with pytest.raises(Unavailable, match="a new root is needed"):
        renew_issuing(case.settings, START + timedelta(days=9 * 365))
    assert case.files() == before


def test_the_command_renews(case: Case) -> None:
    runner = CliRunner(env={"ASSAY_HOME": str(case.settings.home)})
    done = runner.invoke(cli, ["pki", "renew"])
    assert done.exit_code == 0, done.output
    assert "valid until" in done.stdout
