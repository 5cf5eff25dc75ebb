"""Certificates of strangers: read whole or refused by one kind of error, and without a word to the user."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from signer.core.accepted import ignore_accepted
from signer.proof.certificates import issued_by, read_certificate
from signer.proof.path import PathRefused
from signer.proof.walk import find_path
from tests.conftest import ROOT
from tests.doubles.pki import DEVICE_EKUS, TSA_EKUS, TestPki, new_key, now


def certificate(serial: bytes = b"\x01", country: str = "DE") -> bytes:
    """Self-signed, then changed where a builder would refuse; the signature does not matter for reading."""
    key = new_key()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, country, _validate=False)])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now())
        .not_valid_after(now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    return built.replace(b"\x02\x01\x01", b"\x02\x01" + serial, 1)


def test_an_ordinary_certificate_is_read() -> None:
    assert read_certificate(certificate()).serial_number == 1


@pytest.mark.parametrize("serial", [b"\x00", b"\xff", b"\x80"], ids=["zero", "minus-one", "least"])
def test_a_serial_number_that_is_not_positive_is_refused_before_anybody_warns(serial: bytes) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="serial number is not positive"):
            read_certificate(certificate(serial))
    assert said == []


def test_a_root_may_have_the_serial_number_zero() -> None:
    with warnings.catch_warnings():
        ignore_accepted()
        assert read_certificate(certificate(b"\x00"), least_serial=0).serial_number == 0


@pytest.mark.parametrize(
    "der", [b"", b"\x30\x00", b"\x30\x02\x30\x00", b"\x30\x80", certificate()[:-1], certificate() + b"\0"],
    ids=["empty", "nothing", "no fields", "indefinite", "cut", "trailing"],
)  # fmt: skip
def test_what_is_no_certificate_is_one_kind_of_error(der: bytes) -> None:
    with pytest.raises(ValueError):
        read_certificate(der)


def test_a_name_of_the_wrong_length_is_accepted_in_silence_and_refused_where_warnings_are_errors() -> None:
    odd = certificate(country="DEU")
    with pytest.raises(ValueError, match="length"):
        read_certificate(odd)
    with warnings.catch_warnings(record=True) as said:
        ignore_accepted()
        assert read_certificate(odd).subject.rfc4514_string() == "C=DEU"
    assert said == []


def test_the_command_says_nothing_of_its_own_about_such_certificates() -> None:
    """The filters are set where a process begins, not around each reading: threads share them."""
    code = (
        "import warnings, sys; from authn.cli import main; sys.argv = ['assay', '--version']\n"
        "try: main()\nexcept SystemExit: pass\n"
        'warnings.warn("Parsed a serial number which wasn\'t positive (i.e., ...")\n'
        'warnings.warn("Attribute\'s length must be >= 2 and <= 2, but it was 3")\n'
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_path_that_was_found_is_not_found_again_where_a_certificate_has_run_out(pki: TestPki) -> None:
    leaf = pki.leaf()
    usages = frozenset(DEVICE_EKUS)
    at = leaf.certificate.not_valid_before_utc + timedelta(minutes=1)
    given = (leaf.certificate, leaf.intermediates, pki.device_roots)
    found = find_path(*given, at=at, usages=usages)
    assert find_path(*given, at=at + timedelta(minutes=1), usages=usages) is found
    for other in (leaf.certificate.not_valid_before_utc, leaf.certificate.not_valid_after_utc):
        away = timedelta(days=1) if other > at else -timedelta(days=1)
        with pytest.raises(PathRefused):
            find_path(*given, at=other + away, usages=usages)
    with pytest.raises(PathRefused):
        find_path(leaf.certificate, leaf.intermediates, TestPki().device_roots, at=at, usages=usages)
    with pytest.raises(PathRefused):
        find_path(*given, at=at, usages=frozenset(TSA_EKUS))


def test_what_an_issuer_signed_is_remembered_for_those_two_certificates_alone(pki: TestPki) -> None:
    leaf, other = pki.leaf(), TestPki()
    for _ in range(2):
        assert issued_by(leaf.certificate, leaf.intermediates[0])
        assert not issued_by(leaf.certificate, other.leaf().intermediates[0])
        assert not issued_by(leaf.intermediates[0], leaf.certificate)
