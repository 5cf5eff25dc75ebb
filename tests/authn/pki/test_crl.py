"""Our list is what OpenSSL and pyca read; a list that may say less than it seems is refused."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from authn.pki.crl import (
    MAX_CRL_BYTES,
    Cause,
    CrlRefused,
    RevokedEntry,
    build_crl,
    crl_pem,
    look_up,
    read_crl,
)
from authn.pki.profile import Issuer
from signer.proof.certificates import read_foreign
from tests.doubles.pki import Issued, TestPki, issue, name, new_key
from tests.doubles.spellings import relabelled, respelt, respelt_list
from tests.programs import require_program

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
PKI = TestPki()
ISSUER = Issuer(certificate=PKI.issuing.certificate, key=PKI.issuing.ec_key)
Builder = x509.CertificateRevocationListBuilder


def entry(serial: int, **changes: object) -> RevokedEntry:
    values = {"revoked_at": NOW, "invalid_since": NOW - DAY, "cause": Cause.KEY_COMPROMISE, **changes}
    return RevokedEntry(serial=serial, **values)  # type: ignore[arg-type]


def our_list(*entries: RevokedEntry, number: int = 7, next_update: datetime = NOW + DAY) -> bytes:
    return build_crl(ISSUER, entries, number=number, this_update=NOW, next_update=next_update)


def openssl(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [require_program("openssl"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_what_is_written_is_read_back() -> None:
    entries = [entry(1), entry(0x80), entry(2**159 - 1, cause=Cause.UNSPECIFIED)]
    crl = read_crl(our_list(*entries))
    assert set(crl.entries.values()) == set(entries)
    assert (crl.number, crl.this_update, crl.next_update) == (7, NOW, NOW + DAY)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_arrives_as_pyca_reads_it(cause: Cause) -> None:
    (found,) = x509.load_der_x509_crl(our_list(entry(5, cause=cause)))
    reasons = [e.value.reason.value for e in found.extensions if isinstance(e.value, x509.CRLReason)]
    assert reasons == ([] if cause is Cause.UNSPECIFIED else [cause.value])


def test_pyca_reads_the_signature_and_every_extension() -> None:
    crl = x509.load_der_x509_crl(our_list(entry(5)))
    assert crl.is_signature_valid(ISSUER.certificate.public_key())  # type: ignore[arg-type]
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    identifier = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert identifier == x509.AuthorityKeyIdentifier.from_issuer_public_key(ISSUER.key.public_key())
    assert not any(e.critical for e in crl.extensions)


def test_times_after_2049_are_written_in_the_longer_form() -> None:
    late = datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read_crl(our_list(entry(5), next_update=late)).next_update == late


def test_openssl_reads_the_list_and_refuses_the_revoked_certificate_alone(tmp_path: Path) -> None:
    good, bad = PKI.leaf("good"), PKI.leaf("bad")
    (tmp_path / "list.der").write_bytes(our_list(entry(bad.certificate.serial_number)))
    done = openssl("crl", "-inform", "DER", "-in", "list.der", "-out", "list.pem", "-text", cwd=tmp_path)
    assert "Invalidity Date" in (tmp_path / "list.pem").read_text()
    assert done.returncode == 0, done.stderr
    (tmp_path / "root.pem").write_bytes(PKI.root.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "issuing.pem").write_bytes(ISSUER.certificate.public_bytes(Encoding.PEM))
    check = ("verify", "-crl_check", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuing.pem")
    answers = []
    for leaf in (good, bad):
        (tmp_path / "leaf.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
        answers.append(openssl(*check, "-CRLfile", "list.pem", "leaf.pem", cwd=tmp_path))
    assert answers[0].returncode == 0, answers[0].stderr
    assert answers[1].returncode != 0
    assert "certificate revoked" in answers[1].stderr


def test_openssl_accepts_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "list.der").write_bytes(our_list())
    (tmp_path / "issuing.pem").write_bytes(ISSUER.certificate.public_bytes(Encoding.PEM))
    done = openssl(
        "crl",
        "-inform",
        "DER",
        "-in",
        "list.der",
        "-noout",
        "-CAfile",
        "issuing.pem",
        "-verify",
        cwd=tmp_path,
    )
    assert "verify OK" in done.stderr


def test_a_long_list_is_made_in_linear_time() -> None:
    def seconds(count: int) -> float:
        entries = [entry(2**100 + i) for i in range(count)]
        started = time.process_time()
        our_list(*entries)
        return time.process_time() - started

    seconds(1000)
    assert seconds(20_000) < 60 * max(seconds(1000), 0.002)


def test_the_list_says_who_was_revoked_and_from_when() -> None:
    leaf = PKI.leaf().certificate
    crl = read_crl(our_list(entry(leaf.serial_number)))
    found = look_up(crl, leaf, ISSUER.certificate, as_of=NOW)
    assert found is not None
    assert found.invalid_since == NOW - DAY
    assert look_up(crl, PKI.leaf().certificate, ISSUER.certificate, as_of=NOW) is None


def test_pem_and_der_are_the_same_list() -> None:
    der = our_list(entry(5))
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    assert read_crl(pem).sha256 == read_crl(der).sha256


def test_a_list_that_is_out_of_date_accuses_nobody() -> None:
    leaf = PKI.leaf().certificate
    crl = read_crl(our_list(entry(leaf.serial_number)))
    with pytest.raises(CrlRefused, match="out of date"):
        look_up(crl, leaf, ISSUER.certificate, as_of=NOW + DAY + timedelta(seconds=1))


def test_a_list_of_another_issuer_is_refused() -> None:
    other = TestPki("Other")
    crl = read_crl(our_list())
    with pytest.raises(CrlRefused, match="another issuer"):
        look_up(crl, other.leaf().certificate, other.issuing.certificate, as_of=NOW)


def test_an_issuer_of_the_same_name_with_another_key_cannot_accuse() -> None:
    twin = TestPki()  # the same names, other keys
    leaf = twin.leaf().certificate
    crl = read_crl(our_list(entry(leaf.serial_number)))
    with pytest.raises(CrlRefused, match="not signed by"):
        look_up(crl, leaf, twin.issuing.certificate, as_of=NOW)


def test_an_issuer_that_may_not_sign_lists_is_refused() -> None:
    key = new_key()
    certificate = issue(
        name("no lists"), key.public_key(), issuer=PKI.root, ca=True, usages=("key_cert_sign",)
    )
    issuer = Issued(certificate=certificate, key=key)
    der = build_crl(
        Issuer(certificate=certificate, key=key), (), number=1, this_update=NOW, next_update=NOW + DAY
    )
    with pytest.raises(CrlRefused, match="not for signing lists"):
        look_up(read_crl(der), PKI.leaf(issuer=issuer).certificate, certificate, as_of=NOW)


def test_of_two_entries_for_one_certificate_the_earlier_time_counts() -> None:
    doubled = our_list(entry(5, invalid_since=NOW - 9 * DAY), entry(5, invalid_since=NOW - DAY))
    assert read_crl(doubled).entries[5].invalid_since == NOW - 9 * DAY


def foreign(change: Callable[[Builder], Builder], *, number: int | None = 1) -> bytes:
    builder = (
        Builder()
        .issuer_name(ISSUER.certificate.subject)
        .last_update(NOW)
        .next_update(NOW + DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ISSUER.key.public_key()), False)
    )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    return change(builder).sign(ISSUER.key, hashes.SHA256()).public_bytes(Encoding.DER)


def scope(**knobs: object) -> Callable[[Builder], Builder]:
    values: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
        **knobs,
    }
    point = x509.IssuingDistributionPoint(**values)  # type: ignore[arg-type]
    return lambda b: b.add_extension(point, critical=True)


def with_entry(extension: x509.ExtensionType, critical: bool) -> Callable[[Builder], Builder]:
    revoked = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(NOW)
    return lambda b: b.add_revoked_certificate(revoked.add_extension(extension, critical).build())


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
NARROW = {
    "indirect": (scope(indirect_crl=True), "indirect"),
    "delta": (lambda b: b.add_extension(x509.DeltaCRLIndicator(1), critical=True), "delta"),
    "partition": (scope(full_name=[x509.UniformResourceIdentifier("http://x/1")]), "a part"),
    "some reasons": (scope(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])), "a part"),
    "authorities only": (scope(only_contains_ca_certs=True), "not about"),
    "attributes only": (scope(only_contains_attribute_certs=True), "not about"),
    "unknown critical": (lambda b: b.add_extension(UNKNOWN, critical=True), "not evaluated"),
    "unknown critical in an entry": (with_entry(UNKNOWN, True), "not evaluated"),
    "entry of another issuer": (
        with_entry(x509.CertificateIssuer([x509.DirectoryName(name("other"))]), True),
        "indirect",
    ),
    "removal": (with_entry(x509.CRLReason(x509.ReasonFlags.remove_from_crl), False), "removal"),
}


@pytest.mark.parametrize("what", NARROW)
def test_a_list_that_says_less_than_it_seems_is_refused(what: str) -> None:
    change, why = NARROW[what]
    with pytest.raises(CrlRefused, match=why):
        read_crl(foreign(change))


def test_a_list_about_all_end_entities_is_read() -> None:
    assert read_crl(foreign(scope(only_contains_user_certs=True))).entries == {}


def test_a_list_without_a_number_is_refused() -> None:
    with pytest.raises(CrlRefused, match="cannot be evaluated"):
        read_crl(foreign(lambda b: b, number=None))


def test_every_cut_and_every_flipped_byte_is_a_refusal_or_another_list() -> None:
    whole = our_list(entry(5))
    leaf = PKI.leaf().certificate
    refused = 0
    for i in range(len(whole)):
        for broken in (whole[:i], whole[:i] + bytes([whole[i] ^ 0x41]) + whole[i + 1 :]):
            try:
                look_up(read_crl(broken), leaf, ISSUER.certificate, as_of=NOW)
            except CrlRefused:
                refused += 1
    assert refused == 2 * len(whole)


@pytest.mark.parametrize("data", [b"", b"0", b"-----BEGIN X509 CRL-----\n", bytes(100)])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(CrlRefused):
        read_crl(data)


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(CrlRefused, match="more than"):
        read_crl(bytes(MAX_CRL_BYTES + 1))


def test_the_list_of_an_issuer_whose_name_is_no_printable_string_is_heard() -> None:
    """Both certificate and list are judged over the bytes that were issued."""
    text = "Issuing_CA & Co"
    key, spelt = new_key(), relabelled(text)
    plain = issue(name(text), key.public_key(), issuer=PKI.root, ca=True, path_length=0)
    above = Issued(certificate=plain, key=key)
    issuer = read_foreign(respelt(plain, PKI.root, spelt))
    leaf_key = new_key()
    leaf = issue(name("device"), leaf_key.public_key(), issuer=above)
    revoked = read_foreign(respelt(leaf, above, spelt))
    listed = build_crl(
        Issuer(certificate=plain, key=key),
        [entry(revoked.serial_number)],
        number=1,
        this_update=NOW,
        next_update=NOW + DAY,
    )
    odd = respelt_list(listed, above, spelt)
    with pytest.raises(ValueError):
        x509.load_der_x509_crl(odd)
    crl = read_crl(odd)
    assert (crl.der, read_crl(crl_pem(crl)).der) == (odd, odd)
    assert look_up(crl, revoked, issuer, as_of=NOW) == entry(revoked.serial_number)
    at = odd.index(revoked.serial_number.to_bytes(20, "big").lstrip(b"\0"))
    with pytest.raises(CrlRefused, match="not signed"):
        look_up(read_crl(odd[:at] + bytes([odd[at] ^ 1]) + odd[at + 1 :]), revoked, issuer, as_of=NOW)
    relabelled_afterwards = respelt_list(listed, Issued(certificate=plain, key=new_key()), spelt)
    with pytest.raises(CrlRefused, match="not signed"):
        look_up(read_crl(relabelled_afterwards), revoked, issuer, as_of=NOW)
