"""Certificates as real authorities issue them: read, and judged over the bytes that were signed."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authn.pki.chains import verify_signer_path
from signer.core.accepted import ignore_accepted
from signer.proof.certificates import (
    Certificate,
    Transcribed,
    issued_by,
    issuer_name,
    read_foreign,
    read_pem,
    subject_name,
)
from signer.proof.der import encoded
from signer.proof.path import PathRefused
from signer.proof.transcript import transcript
from signer.proof.usages import SIGNER_USAGES
from signer.proof.walk import find_path
from tests.doubles.pki import DEVICE_EKUS, Issued, TestPki, issue, name, new_key, now
from tests.doubles.spellings import (
    TELETEX,
    Change,
    numbered,
    relabelled,
    respelt,
    signed,
    spelt_default,
    stated_as_uncritical,
    true_as_one,
    unsigned,
    with_zone,
    without_seconds,
)

NOW = datetime.now(UTC)
NAMED = {
    "underscore": ("Responder_NOV_2024", relabelled("Responder_NOV_2024")),
    "ampersand": ("Smith & Sons", relabelled("Smith & Sons")),
    "at sign": ("ops@example.org", relabelled("ops@example.org")),
    "asterisk": ("Camera *", relabelled("Camera *")),
    "latin letters": ("Müller", relabelled("Müller")),
    "latin-1": ("Müller", relabelled("Müller", coding="latin-1")),
    "teletex latin-1": ("Société", relabelled("Société", TELETEX, "latin-1")),
}
SPELT: dict[str, Change] = {
    "cA FALSE spelt out": spelt_default,
    "critical FALSE spelt out": stated_as_uncritical,
    "TRUE as 01": true_as_one,
    "times without seconds": without_seconds,
    "times with a zone": with_zone,
}


@pytest.fixture(autouse=True)
def as_in_the_product() -> Iterator[None]:
    with warnings.catch_warnings():
        ignore_accepted()
        yield


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def chain_of(leaf: Certificate, *above: Certificate, root: Certificate) -> tuple[Certificate, ...]:
    return find_path(leaf, above, (root,), at=NOW, usages=SIGNER_USAGES, nested=False)


@pytest.mark.parametrize("spelling", NAMED)
def test_a_name_in_the_wrong_kind_of_string_is_read_and_its_path_holds(pki: TestPki, spelling: str) -> None:
    text, change = NAMED[spelling]
    leaf = pki.leaf(text)
    der = respelt(leaf.certificate, pki.issuing, change)
    found = read_foreign(der)
    assert text in found.subject.rfc4514_string()
    assert found.public_bytes(Encoding.DER) == der
    assert ssl.PEM_cert_to_DER_cert(found.public_bytes(Encoding.PEM).decode()) == der
    path = verify_signer_path(found, leaf.intermediates, pki.device_roots, at=NOW)
    assert path == (found, pki.issuing.certificate, pki.root.certificate)


@pytest.mark.parametrize("spelling", SPELT)
def test_defaults_and_truths_in_another_spelling_are_read_and_the_path_holds(
    pki: TestPki, spelling: str
) -> None:
    leaf = pki.leaf()
    found = read_foreign(respelt(leaf.certificate, pki.issuing, SPELT[spelling]))
    assert isinstance(found, Transcribed)
    path = verify_signer_path(found, leaf.intermediates, pki.device_roots, at=NOW)
    assert path[-1] == pki.root.certificate


@pytest.mark.parametrize("number", [b"\0", b"\x80", b"\xff\xff", b"\0\0\x07"])
def test_a_serial_number_that_nobody_should_give_is_read(pki: TestPki, number: bytes) -> None:
    leaf = pki.leaf()
    found = read_foreign(signed(numbered(number)(leaf.certificate.tbs_certificate_bytes), pki.issuing))
    assert found.serial_number == int.from_bytes(number, "big", signed=True)
    assert issued_by(found, pki.issuing.certificate)


def odd_tree() -> tuple[Certificate, Certificate, Certificate, Issued]:
    """Root, issuing authority and leaf, all three with an underscore in a PrintableString."""
    texts = ("Odd_Root", "Odd_Issuing", "odd_leaf")
    changes = [relabelled(text) for text in texts]
    root_key, issuing_key, leaf_key = new_key(), new_key(), new_key()
    root = issue(name(texts[0]), root_key.public_key(), issuer=None, issuer_key=root_key, ca=True)
    above = Issued(certificate=root, key=root_key)
    issuing = issue(name(texts[1]), issuing_key.public_key(), issuer=above, ca=True, path_length=0)
    between = Issued(certificate=issuing, key=issuing_key)
    leaf = issue(name(texts[2]), leaf_key.public_key(), issuer=between, ekus=DEVICE_EKUS)
    return (
        read_foreign(respelt(leaf, between, *changes)),
        read_foreign(respelt(issuing, above, *changes)),
        read_foreign(respelt(root, above, *changes)),
        Issued(certificate=leaf, key=leaf_key),
    )


def test_leaf_intermediate_and_root_may_all_be_spelt_so() -> None:
    leaf, issuing, root, _ = odd_tree()
    assert all(isinstance(c, Transcribed) for c in (leaf, issuing, root))
    assert chain_of(leaf, issuing, root=root) == (leaf, issuing, root)
    assert read_pem(root.public_bytes(Encoding.PEM)) == (root,)
    assert issuer_name(leaf) == subject_name(issuing) != leaf.issuer.public_bytes()


def test_what_is_checked_is_what_was_signed_and_not_the_transcript(pki: TestPki) -> None:
    leaf = pki.leaf("odd_leaf")
    relabelled_afterwards = read_foreign(unsigned(leaf.certificate, relabelled("odd_leaf")))
    assert isinstance(relabelled_afterwards, Transcribed)
    assert relabelled_afterwards.read == leaf.certificate  # whose signature holds
    with pytest.raises(PathRefused):
        chain_of(relabelled_afterwards, *leaf.intermediates, root=pki.root.certificate)


@pytest.mark.parametrize("position", [0, 1])
def test_a_changed_bit_of_what_was_signed_breaks_the_path(position: int) -> None:
    path = list(odd_tree()[:3])
    whole = path[position].public_bytes(Encoding.DER)
    at = whole.index(b"Odd_" if position else b"odd_")
    path[position] = read_foreign(whole[:at] + b"X" + whole[at + 1 :])
    with pytest.raises(PathRefused):
        chain_of(*path[:2], root=path[2])


def test_a_twin_of_an_odd_root_leads_nowhere() -> None:
    leaf, issuing, _, _ = odd_tree()
    twin = odd_tree()[2]
    with pytest.raises(PathRefused):
        chain_of(leaf, issuing, root=twin)


@pytest.mark.parametrize(
    "knobs",
    [
        {"ca": True},
        {"usages": ("key_agreement",)},
        {"not_after": now() - timedelta(hours=1)},
        {"extra": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),)},
    ],
    ids=["a CA", "cannot sign", "expired", "unknown critical"],
)
def test_a_transcript_hides_nothing_that_forbids_signing(pki: TestPki, knobs: dict[str, object]) -> None:
    leaf = pki.leaf("odd_leaf", **knobs)  # type: ignore[arg-type]
    found = read_foreign(respelt(leaf.certificate, pki.issuing, relabelled("odd_leaf")))
    with pytest.raises(PathRefused):
        chain_of(found, *leaf.intermediates, root=pki.root.certificate)


def unparsable(oid: str, critical: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x30\x80"), critical


def test_an_extension_that_decides_nothing_may_be_unreadable(pki: TestPki) -> None:
    leaf = pki.leaf(extra=(unparsable("2.5.29.31", False),))
    found = read_foreign(leaf.certificate.public_bytes(Encoding.DER))
    assert chain_of(found, *leaf.intermediates, root=pki.root.certificate)[0] == found


@pytest.mark.parametrize(("oid", "critical"), [("2.5.29.31", True), ("2.5.29.30", False)])
def test_an_extension_that_may_decide_something_may_not(pki: TestPki, oid: str, critical: bool) -> None:
    leaf = pki.leaf(extra=(unparsable(oid, critical),))
    with pytest.raises(ValueError, match="cannot be read"):
        read_foreign(leaf.certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize(
    "make", [lambda der: der[:-1], lambda der: der + b"\0", lambda der: b"", lambda der: b"\x30\x00"]
)
def test_what_is_no_certificate_is_one_kind_of_error(pki: TestPki, make: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError):
        read_foreign(make(pki.root.certificate.public_bytes(Encoding.DER)))


def test_nesting_without_end_is_refused_at_once() -> None:
    deep = encoded(0x05, b"")
    for _ in range(200):
        deep = encoded(0x30, deep)
    with pytest.raises(ValueError):
        transcript(deep)
