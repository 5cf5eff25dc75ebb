"""Signers of real products, and certificates as real authorities spell them: no intact file is accused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authn.core.errors import MediaError
from authn.core.evidence import Axis, EngineView, Outcome
from authn.core.media import open_media
from authn.core.report import Report
from authn.pki.roots import TrustRoots, load_roots
from authn.provenance.answers import EngineAnswer, EngineState, EngineTraits
from authn.provenance.limits import known_limits
from authn.provenance.own import OwnReading, read_own
from signer.core.accepted import ignore_accepted
from signer.proof.certificates import Certificate, Transcribed, read_foreign
from signer.proof.timestamp import parse_response
from signer.proof.usages import CLAIM_SIGNING, SIGNER_USAGES
from signer.staple import bytes_to_stamp, staple
from tests.doubles.pki import DEVICE_EKUS, Issued, TestPki, issue, name, new_key, now, pem_of
from tests.doubles.signed import Registered, examiner_for, media, signed_photo
from tests.doubles.spellings import numbered, relabelled, respelt, signed
from tests.doubles.stamps import Stamp, integer

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
AT_THE_CLOCK = {"signingCredential.expired", "signingCredential.untrusted", "claimSignature.outsideValidity"}
E, R, A, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.ABSENT, Outcome.NOT_EXAMINED


@pytest.fixture(autouse=True)
def as_in_the_product() -> Iterator[None]:
    with warnings.catch_warnings():
        ignore_accepted()
        yield


def examined(path: Path, roots: TrustRoots) -> Report:
    examiner = examiner_for(TestPki(), roots=roots)
    return examiner.examine(open_media(path), as_of=AS_OF)


def brought_along(path: Path) -> tuple[Certificate, ...]:
    """The last certificate of the chain that the file carries, as a reader would put it into a list."""
    return read_own(open_media(path)).certificates[-1:]


def outcome(report: Report, axis: Axis) -> Outcome:
    return report.cryptographic.axis(axis).outcome


def intact_but_for_the_day(engine: EngineView) -> bool:
    """c2pa-rs judges validity at the clock: what it says of that is another thing in five years. Of a part of
    the file alone an engine is asked where there is nothing against it."""
    if engine.state == "read" and engine.detail.startswith("asked "):
        return True
    failures = {c for c in engine.codes if not c.startswith("timeStamp.")}
    return engine.state in ("Trusted", "Valid") or (engine.state == "Invalid" and failures <= AT_THE_CLOCK)


def test_no_public_file_that_both_engines_call_intact_is_refuted(suites: Path) -> None:
    roots = TrustRoots(
        signer=load_roots([suites / "c2pa/roots/test_roots.pem", suites / "found/signers/root.pem"]),
        tsa=load_roots([suites / "c2pa/roots/digicert_tsa_root.pem"]),
    )
    examiner = examiner_for(TestPki(), roots=roots)
    files = [f for part in ("c2pa", "found") for f in sorted((suites / part).rglob("*")) if f.is_file()]
    intact = []
    for path in files:
        try:
            report = examiner.examine(open_media(path), as_of=AS_OF)
        except MediaError:  # lists, tables and bombs lie there too
            continue
        if all(map(intact_but_for_the_day, report.cryptographic.engines)):
            intact.append(path.name)
            # the one film whose tables of positions are not bound (test_bound_in_part)
            axes = (Axis.CREDENTIAL, *([Axis.INTEGRITY] if path.name != "video1.mp4" else []))
            for axis in axes:
                assert outcome(report, axis) is E, (path.name, report.cryptographic.axis(axis).findings)
    assert len(intact) >= 38


def test_a_printable_string_with_an_underscore_accuses_nobody(suites: Path) -> None:
    path = suites / "found/signers/printable_underscore.jpg"
    report = examined(path, TrustRoots(signer=brought_along(path)))
    for axis in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER):
        assert outcome(report, axis) is E, axis
    assert "ECC256_Signer_2026" in report.cryptographic.chain[0].subject
    assert isinstance(read_own(open_media(path)).certificates[0], Transcribed)


def test_the_time_stamps_of_a_maker_s_authority_with_such_a_name_prove_the_time(suites: Path) -> None:
    """Its signer, ended since, is then judged at that time and under an authority with a usage of its own."""
    path = suites / "found/signers/FireflyTrain.jpg"
    tsa = load_roots([suites / "c2pa/roots/digicert_tsa_root.pem"])
    report = examined(path, TrustRoots(signer=brought_along(path), tsa=tsa))
    assert outcome(report, Axis.INTEGRITY) is E
    assert outcome(report, Axis.TIME) is E
    assert outcome(report, Axis.SIGNER) is E
    strict = examined(path, TrustRoots(signer=load_roots([suites / "found/signers/root.pem"]), tsa=tsa))
    assert outcome(strict, Axis.INTEGRITY) is E
    assert "signingCredential.untrusted" in [f.code for f in strict.cryptographic.axis(Axis.SIGNER).findings]


@pytest.mark.parametrize("text", ["field_unit", "Smith & Sons", "ops@example.org"])
def test_a_photo_signed_under_such_a_name_is_established_like_any_other(text: str) -> None:
    pki = TestPki()
    leaf = pki.leaf(text)
    odd = read_foreign(respelt(leaf.certificate, pki.issuing, relabelled(text)))
    chain = odd.public_bytes(Encoding.PEM) + pem_of(*leaf.intermediates)
    data = signed_photo(leaf, chain_pem=chain)
    report = examiner_for(pki, registry=Registered(leaf)).examine(media(data))
    for axis in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER, Axis.DEVICE):
        assert outcome(report, axis) is E, (axis, report.cryptographic.axis(axis).findings)


def test_a_root_of_the_list_may_be_spelt_so_too(tmp_path: Path) -> None:
    """Given as a file, to our own check and to both engines."""
    text = "Root_2026"
    key = new_key()
    plain = issue(name(text), key.public_key(), issuer=None, issuer_key=key, ca=True)
    above = Issued(certificate=plain, key=key)
    odd = read_foreign(respelt(plain, above, relabelled(text)))
    pki = TestPki()
    leaf = pki.leaf(issuer=above)
    issued = read_foreign(respelt(leaf.certificate, above, relabelled(text)))
    file = tmp_path / "root.pem"
    file.write_bytes(odd.public_bytes(Encoding.PEM))
    roots = TrustRoots(signer=load_roots([file]))
    data = signed_photo(leaf, chain_pem=issued.public_bytes(Encoding.PEM) + odd.public_bytes(Encoding.PEM))
    report = examiner_for(pki, roots=roots).examine(media(data))
    assert outcome(report, Axis.INTEGRITY) is E
    assert outcome(report, Axis.SIGNER) is E, report.cryptographic.axis(Axis.SIGNER).findings


def test_a_maker_s_signer_under_its_own_usage_is_trusted_once_its_root_is_given(suites: Path) -> None:
    path = suites / "found/signers/Designer.jpeg"
    examiner = examiner_for(TestPki(), roots=TrustRoots(signer=brought_along(path)))
    report = examiner.examine(open_media(path), as_of=datetime(2025, 6, 1, tzinfo=UTC))
    assert outcome(report, Axis.SIGNER) is E, report.cryptographic.axis(Axis.SIGNER).findings
    assert outcome(report, Axis.INTEGRITY) is E
    narrow = TrustRoots(signer=brought_along(path), usages=frozenset({CLAIM_SIGNING}))
    report = examiner_for(TestPki(), roots=narrow).examine(
        open_media(path), as_of=datetime(2025, 6, 1, tzinfo=UTC)
    )
    assert report.cryptographic.axis(Axis.SIGNER).findings[0].code == "signingCredential.invalid"
    assert outcome(report, Axis.INTEGRITY) is E


def test_an_engine_whose_usages_cannot_be_set_is_not_heard_about_one_that_was_added() -> None:
    maker = x509.ObjectIdentifier("1.3.6.1.4.1.99999.7")
    answer = EngineAnswer(
        by=EngineTraits(name="fixed", version="1", takes_usages=False), state=EngineState.READ
    )
    own = OwnReading(store_found=True, certificates=(TestPki().leaf(ekus=(maker,)).certificate,))
    (limit, _) = known_limits(own, (answer,), SIGNER_USAGES | {maker})
    assert (limit.axis, "usages cannot be set" in limit.reason) == (Axis.SIGNER, True)
    assert [a.axis for a in known_limits(own, (answer,), SIGNER_USAGES)] == [Axis.INTEGRITY]


def test_an_unreadable_authority_leaves_the_signer_open_and_the_bytes_established() -> None:
    pki = TestPki()
    leaf = pki.leaf()
    mute = (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), b"\x30\x80"), False)
    key, name_of = pki.issuing.key, pki.issuing.certificate.subject
    unreadable = issue(name_of, key.public_key(), issuer=pki.root, ca=True, path_length=0, extra=(mute,))
    data = signed_photo(leaf, chain_pem=pem_of(leaf.certificate, unreadable))
    report = examiner_for(pki).examine(media(data))
    assert outcome(report, Axis.INTEGRITY) is E
    assert outcome(report, Axis.SIGNER) is N
    assert "cannot be read" in report.cryptographic.axis(Axis.SIGNER).findings[0].detail


def test_a_certificate_that_was_changed_until_nobody_can_read_it_is_refuted_by_its_signature(
    suites: Path,
) -> None:
    path = suites / "found/signers/printable_underscore.jpg"
    found = open_media(path)
    broken = replace(
        found, data=found.data.replace(bytes.fromhex("0603551d13"), bytes.fromhex("0603551d1e"), 1)
    )
    own = read_own(broken)
    assert own.malformed is False
    assert own.signature_holds is False  # the certificates stand under the signature, and one was changed
    assert "cannot be read by our own check" in own.unreadable[0]


def test_where_the_key_alone_can_be_read_the_bytes_are_judged_and_the_signer_is_not() -> None:
    pki = TestPki()
    mute = (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), b"\x30\x80"), False)
    leaf = pki.leaf(extra=(mute,))
    report = examiner_for(pki, registry=Registered()).examine(media(signed_photo(leaf)))
    assert outcome(report, Axis.CREDENTIAL) is E
    assert outcome(report, Axis.INTEGRITY) is E
    for axis in (Axis.SIGNER, Axis.DEVICE):
        assert outcome(report, axis) is N
    assert "cannot be read" in report.cryptographic.axis(Axis.SIGNER).findings[0].detail


def test_a_signer_whose_key_cannot_be_read_is_not_examined_and_not_accused(suites: Path) -> None:
    path = suites / "found/signers/printable_underscore.jpg"
    found = open_media(path)
    curve, unknown = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03017f")
    own = read_own(replace(found, data=found.data.replace(curve, unknown, 1)))
    assert (own.signature_holds, own.malformed, own.certificates) == (None, False, ())
    assert "cannot be read by our own check" in own.failure


@pytest.mark.parametrize("number", [b"\0", b"\x80", b"\x7f" * 21], ids=["zero", "negative", "21 bytes"])
@pytest.mark.parametrize("whose", ["root", "leaf"])
def test_a_serial_number_that_nobody_should_give_accuses_nobody(number: bytes, whose: str) -> None:
    key, leaf_key = new_key(), new_key()
    plain = issue(name("Root"), key.public_key(), issuer=None, issuer_key=key, ca=True)
    above = Issued(certificate=plain, key=key)
    leaf = issue(name("leaf"), leaf_key.public_key(), issuer=above, ekus=DEVICE_EKUS)
    serials = {"root": b"\x05", "leaf": b"\x06", whose: number}
    odd_root = read_foreign(signed(numbered(serials["root"])(plain.tbs_certificate_bytes), above))
    odd_leaf = read_foreign(signed(numbered(serials["leaf"])(leaf.tbs_certificate_bytes), above))
    chain = odd_leaf.public_bytes(Encoding.PEM) + odd_root.public_bytes(Encoding.PEM)
    data = signed_photo(Issued(certificate=leaf, key=leaf_key), chain_pem=chain)
    roots = TrustRoots(signer=(odd_root,))
    report = examiner_for(TestPki(), roots=roots).examine(media(data))
    for axis in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER):
        assert outcome(report, axis) is E, (axis, report.cryptographic.axis(axis).findings)


def test_a_path_that_we_alone_refuse_for_its_form_is_open_and_names_the_reason() -> None:
    """An authority whose basic constraints are not marked critical, which RFC 5280 asks of authorities."""
    pki = TestPki()
    key = new_key()
    lax = (x509.BasicConstraints(ca=True, path_length=0), False)
    certificate = issue(
        name("Lax"), key.public_key(), issuer=pki.root, ca=True, basic_constraints=False, extra=(lax,)
    )
    leaf = pki.leaf(issuer=Issued(certificate=certificate, key=key))
    report = examiner_for(pki).examine(media(signed_photo(leaf)))
    axis = report.cryptographic.axis(Axis.SIGNER)
    assert [e.state for e in report.cryptographic.engines] == ["Trusted", "Trusted"]
    assert (axis.outcome, axis.findings[0].outcome) == (N, N)
    assert "criticality" in axis.findings[0].detail


def not_strict(photo: bytes, authority: Issued, at: datetime) -> bytes:
    """``photo`` with a token of SignedData version 1, as a large maker's own authority stamps."""
    stamp = Stamp(authority=authority, message=bytes_to_stamp(photo, "image/jpeg"), at=at, nonce=7)
    stamp.signed_data_version = integer(1)
    return staple(photo, "image/jpeg", parse_response(stamp.response()))


def test_a_token_that_is_not_strict_leaves_the_time_open_and_the_rest_as_it_is() -> None:
    pki = TestPki()
    data = not_strict(signed_photo(pki.leaf()), pki.tsa_leaf(), now())
    report = examiner_for(pki).examine(media(data))
    (finding, *_) = report.cryptographic.axis(Axis.TIME).findings
    assert (finding.code, finding.outcome) == ("assay.timestamp.notStrict", N)
    assert "version 1" in finding.detail
    assert outcome(report, Axis.TIME) is N
    for axis in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER):
        assert outcome(report, axis) is E, axis


def test_a_signer_that_ended_since_is_not_accused_where_such_a_token_may_be_older() -> None:
    pki = TestPki()
    leaf = pki.leaf(not_after=now() + timedelta(days=2))
    data = not_strict(signed_photo(leaf), pki.tsa_leaf(), now())
    report = examiner_for(pki).examine(media(data), as_of=datetime.now(UTC) + timedelta(days=3))
    assert outcome(report, Axis.SIGNER) is N
    assert outcome(report, Axis.INTEGRITY) is E


@pytest.mark.parametrize("broken", ["signature", "imprint"])
def test_but_one_whose_signature_or_imprint_differs_is_refuted(broken: str) -> None:
    pki = TestPki()
    photo = signed_photo(pki.leaf())
    message = b"another photo" if broken == "imprint" else bytes_to_stamp(photo, "image/jpeg")
    stamp = Stamp(authority=pki.tsa_leaf(), message=message, at=now(), nonce=7)
    stamp.signed_data_version = integer(1)
    token = parse_response(stamp.response())
    if broken == "signature":
        token = token[:-1] + bytes([token[-1] ^ 1])
    report = examiner_for(pki).examine(media(staple(photo, "image/jpeg", token)))
    assert outcome(report, Axis.TIME) is R
