"""Statements of TPMs, written by software: what is accepted, and every single thing that is not."""

from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime, timedelta
from struct import pack
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.errors import AttestationRefused
from authn.devices.attestation import prepare_attestation, verify_attestation
from authn.devices.attestation.attested import Terms
from authn.devices.attestation.tpm import prepare_tpm
from authn.devices.attestation.tpm_parse import parse_certify_info, parse_public, parse_signature
from tests.doubles.pki import TestPki, new_key
from tests.doubles.tpm_statements import (
    ATTESTATION_KEY_ATTRIBUTES,
    CHALLENGE,
    DEVICE_ATTRIBUTES,
    SoftStatement,
    certify_info,
    endorsement,
    public_area,
    signature,
    text,
)

FIXED_TPM, FIXED_PARENT, MADE_THERE = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
PKI = TestPki("Maker")


def unpadded(value: object) -> bytes:
    assert isinstance(value, str)
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def test_a_whole_statement_gives_level_3_and_says_which_tpm_it_is() -> None:
    made = SoftStatement(pki=PKI)
    attested = made.verified()
    assert (attested.fmt, attested.level) == ("tpm2", 3)
    assert attested.spki == made.device_key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert dict(attested.facts) == {
        "attested_by": PKI.root.certificate.subject.rfc4514_string(),
        "maker": "TEST",
        "model": "Model T",
        "version": "id:00010002",
        "firmware": "2019102300163636",
    }


def test_the_format_stands_in_the_table_with_both_its_steps() -> None:
    made = SoftStatement(pki=PKI)
    prepared = prepare_attestation(made.first, CHALLENGE, made.asked().terms)
    assert prepared.answer.keys() == {"credential_blob", "encrypted_secret"}
    sent = made.second(secret=prepared.state[:32])
    attested = verify_attestation(sent, made.asked(state=prepared.state))
    assert attested is not None
    assert attested.level == 3


def test_the_secret_is_new_every_time_and_never_in_the_answer() -> None:
    made = SoftStatement(pki=PKI)
    one, two = (prepare_tpm(made.first, CHALLENGE, made.asked().terms) for _ in range(2))
    assert one.state[:32] != two.state[:32]
    assert one.state[32:] == two.state[32:]
    assert one.state[:32] not in b"".join(unpadded(v) for v in one.answer.values())


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())],
    ids=["RSA 2048", "P-384"],
)
def test_other_kinds_of_endorsement_keys_are_taken(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    assert SoftStatement(pki=PKI, endorsement_key=key).verified().level == 3


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())],
    ids=["RSA 1024", "secp256k1"],
)
def test_an_endorsement_key_of_no_known_kind_is_refused(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    with pytest.raises(AttestationRefused, match="RSA 2048"):
        _ = SoftStatement(pki=PKI, endorsement_key=key).state


def test_a_modulus_that_is_none_is_refused() -> None:
    even = rsa.RSAPublicNumbers(65537, (1 << 2047) + 2).public_key()
    made = SoftStatement(pki=PKI)
    der = endorsement(PKI, even).public_bytes(Encoding.DER)
    with pytest.raises(AttestationRefused, match="can be encrypted for"):
        prepare_tpm({**made.first, "x5c": [base64.b64encode(der).decode()]}, CHALLENGE, made.asked().terms)


ATTESTATION_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "not fixed to its TPM": ({"attributes": ATTESTATION_KEY_ATTRIBUTES & ~FIXED_TPM}, "to stay there"),
    "not fixed to its parent": ({"attributes": ATTESTATION_KEY_ATTRIBUTES & ~FIXED_PARENT}, "to stay there"),
    "brought in": ({"attributes": ATTESTATION_KEY_ATTRIBUTES & ~MADE_THERE}, "to stay there"),
    "not restricted": ({"attributes": ATTESTATION_KEY_ATTRIBUTES & ~RESTRICTED}, "signs other things"),
    "not for signing": ({"attributes": ATTESTATION_KEY_ATTRIBUTES & ~SIGN}, "signs other things"),
    "also decrypts": ({"attributes": ATTESTATION_KEY_ATTRIBUTES | DECRYPT}, "signs other things"),
    "any scheme": ({"scheme": pack(">H", 0x0010)}, "signs other things"),
    "unknown attribute": ({"attributes": ATTESTATION_KEY_ATTRIBUTES | 1 << 31}, "attributes that are not"),
    "reserved attribute": ({"attributes": ATTESTATION_KEY_ATTRIBUTES | 1}, "attributes that are not known"),
    "RSA": ({"kind": 0x0001}, "not that of an elliptic-curve key"),
    "named with SHA-1": ({"name_algorithm": 0x0004}, "not named with SHA-256"),
    "P-384": ({"curve": 0x0004}, "not that of a key on P-256"),
    "Schnorr": ({"scheme": pack(">HH", 0x001C, 0x000B)}, "not that of a key for ECDSA"),
    "SHA-1": ({"scheme": pack(">HH", 0x0018, 0x0004)}, "not that of a key for SHA-256"),
    "symmetric": ({"symmetric": pack(">HHH", 0x0006, 128, 0x0043)}, "a key that encrypts"),
    "derivation": ({"derivation": pack(">HH", 0x0020, 0x000B)}, "key derivation scheme"),
    "policy too long": ({"policy": bytes(65)}, "a part of 65 bytes"),
    "no point": ({"point": (1, 1)}, "no point of P-256"),
    "trailing byte": ({"more": b"\0"}, "trailing bytes"),
}


@pytest.mark.parametrize("defect", ATTESTATION_KEYS)
def test_an_attestation_key_with_one_defect_is_refused_in_the_first_step_already(defect: str) -> None:
    knobs, says = ATTESTATION_KEYS[defect]
    with pytest.raises(AttestationRefused, match=says):
        _ = SoftStatement(pki=PKI, attestation_knobs=knobs).state


@pytest.mark.parametrize("defect", ATTESTATION_KEYS)
def test_an_attestation_key_with_one_defect_is_refused_in_the_second_step_too(defect: str) -> None:
    knobs, says = ATTESTATION_KEYS[defect]
    sound, made = SoftStatement(pki=PKI), SoftStatement(pki=PKI, attestation_knobs=knobs)
    made.state = sound.state
    with pytest.raises(AttestationRefused, match=says):
        made.verified()


DEVICE_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "not fixed to its TPM": ({"attributes": DEVICE_ATTRIBUTES & ~FIXED_TPM}, "to stay there"),
    "not fixed to its parent": ({"attributes": DEVICE_ATTRIBUTES & ~FIXED_PARENT}, "to stay there"),
    "brought in": ({"attributes": DEVICE_ATTRIBUTES & ~MADE_THERE}, "to stay there"),
    "not for signing": ({"attributes": DEVICE_ATTRIBUTES & ~SIGN}, "not one that signs"),
    "restricted": ({"attributes": DEVICE_ATTRIBUTES | RESTRICTED}, "not one that signs"),
    "also decrypts": ({"attributes": DEVICE_ATTRIBUTES | DECRYPT}, "not one that signs"),
    "SHA-384": ({"scheme": pack(">HH", 0x0018, 0x000C)}, "not that of a key for SHA-256"),
    "trailing byte": ({"more": b"\0"}, "trailing bytes"),
}


@pytest.mark.parametrize("defect", DEVICE_KEYS)
def test_a_device_key_with_one_defect_is_refused_although_it_is_certified(defect: str) -> None:
    knobs, says = DEVICE_KEYS[defect]
    with pytest.raises(AttestationRefused, match=f"the device's key.*{says}"):
        SoftStatement(pki=PKI, device_knobs=knobs).verified()


def test_a_device_key_may_leave_its_scheme_open_and_have_a_policy() -> None:
    for knobs in ({"scheme": pack(">H", 0x0010)}, {"policy": bytes(32)}):
        assert SoftStatement(pki=PKI, device_knobs=knobs).verified().level == 3


CERTIFICATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "not by a TPM": ({"magic": 0xFF544346}, "not made by a TPM"),
    "a quote": ({"kind": 0x8018}, "something else than a certification"),
    "a certified creation": ({"kind": 0x801A}, "something else than a certification"),
    "another question": ({"extra_data": bytes(32)}, "another challenge or another secret"),
    "no question": ({"extra_data": b""}, "another challenge or another secret"),
    "the challenge itself": ({"extra_data": CHALLENGE}, "another challenge or another secret"),
    "another key": ({"name": b"\x00\x0b" + bytes(32)}, "about another key"),
    "a key without a name": ({"name": b""}, "about another key"),
    "a third truth": ({"safe": 2}, "truth value"),
    "trailing byte": ({"more": b"\0"}, "trailing bytes"),
}


@pytest.mark.parametrize("defect", CERTIFICATIONS)
def test_a_certification_with_one_defect_is_refused_although_it_is_signed(defect: str) -> None:
    knobs, says = CERTIFICATIONS[defect]
    with pytest.raises(AttestationRefused, match=says):
        SoftStatement(pki=PKI, info_knobs=knobs).verified()


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"algorithm": 0x0014}, "not signed with ECDSA"),
        ({"digest": 0x0004}, "not signed over SHA-256"),
        ({"more": b"\0"}, "trailing bytes"),
    ],
    ids=["RSA", "SHA-1", "trailing byte"],
)
def test_a_signature_of_another_kind_is_refused(knobs: dict[str, Any], says: str) -> None:
    with pytest.raises(AttestationRefused, match=says):
        SoftStatement(pki=PKI, signature_knobs=knobs).verified()


def test_another_attestation_key_than_the_one_of_the_first_step_is_refused() -> None:
    made, other = SoftStatement(pki=PKI), SoftStatement(pki=PKI)
    other.chain = made.chain
    other.state = made.state
    with pytest.raises(AttestationRefused, match="not asked for with these keys"):
        other.verified()


def test_another_endorsement_certificate_than_the_one_of_the_first_step_is_refused() -> None:
    made, other = SoftStatement(pki=PKI), SoftStatement(pki=PKI)
    sent = {**made.second(), "x5c": other.first["x5c"]}
    with pytest.raises(AttestationRefused, match="not asked for with these keys"):
        made.verified(sent)


def test_a_certification_signed_by_another_key_is_refused() -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    forged = signature(new_key(), unpadded(sent["certify_info"]))
    with pytest.raises(AttestationRefused, match="not signed by the attestation key"):
        made.verified({**sent, "signature": text(forged)})


def test_an_answer_to_another_challenge_is_refused() -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    with pytest.raises(AttestationRefused, match="another challenge"):
        made.verified(sent, challenge=bytes(32))


def test_without_the_secret_nothing_is_certified() -> None:
    made = SoftStatement(pki=PKI)
    for secret in (bytes(32), b"", made.state[:31]):
        with pytest.raises(AttestationRefused, match="another secret"):
            made.verified(made.second(secret=secret))


@pytest.mark.parametrize("state", [b"", bytes(98), bytes(32)], ids=["none", "zeros", "a secret alone"])
def test_a_challenge_that_was_asked_for_without_the_first_step_is_refused(state: bytes) -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second(secret=state[:32])
    with pytest.raises(AttestationRefused, match="not asked for with these keys"):
        made.verified(sent, state=state)


ENDORSEMENTS: dict[str, dict[str, Any]] = {
    "for TLS": {"ekus": (ExtendedKeyUsageOID.CLIENT_AUTH,)},
    "for anything": {"ekus": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
    "for nothing named": {"ekus": ()},
    "an authority": {"ca": True},
    "a signer": {"usages": ("digital_signature",)},
    "an issuer too": {"usages": ("key_agreement", "key_cert_sign")},
    "no usage": {"usages": ()},
    "not saying whether it is an authority": {"basic_constraints": False},
    "expired": {"not_after": datetime.now(UTC) - timedelta(hours=1)},
    "not yet valid": {"not_before": datetime.now(UTC) + timedelta(hours=1)},
    "by a leaf": {"issuer": PKI.leaf()},
    "by another maker of the same name": {"issuer": TestPki("Maker").issuing},
    "critical and unknown": {
        "extra": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),)
    },
}


@pytest.mark.parametrize("defect", ENDORSEMENTS)
def test_an_endorsement_certificate_with_one_defect_is_refused(defect: str) -> None:
    with pytest.raises(AttestationRefused, match="no maker of TPMs that we rely on"):
        SoftStatement(pki=PKI, endorsement_knobs=ENDORSEMENTS[defect]).verified()


def test_without_the_maker_in_the_list_or_the_authority_between_nothing_is_believed() -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    with pytest.raises(AttestationRefused, match="relies on no maker"):
        made.verified(sent, terms=Terms())
    with pytest.raises(AttestationRefused, match="no maker of TPMs that we rely on"):
        made.verified(sent, terms=Terms(tpm_roots=TestPki().device_roots))
    x5c = sent["x5c"]
    assert isinstance(x5c, list)
    with pytest.raises(AttestationRefused, match="no maker of TPMs that we rely on"):
        made.verified({**sent, "x5c": x5c[:1]})


def test_the_authority_between_may_be_in_the_list_instead() -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    x5c = sent["x5c"]
    assert isinstance(x5c, list)
    terms = Terms(tpm_roots=(PKI.issuing.certificate,))
    assert made.verified({**sent, "x5c": x5c[:1]}, terms=terms).level == 3


def test_the_certificate_is_judged_at_the_time_that_is_given() -> None:
    made = SoftStatement(pki=PKI)
    with pytest.raises(AttestationRefused, match="no maker of TPMs that we rely on"):
        made.verified(at=datetime.now(UTC) + timedelta(days=200))


@pytest.mark.parametrize("member", ["x5c", "attestation_key", "key", "certify_info", "signature"])
def test_a_bit_that_is_turned_over_anywhere_is_noticed(member: str) -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    value = sent[member]
    whole = base64.b64decode(value[0]) if isinstance(value, list) else unpadded(value)
    for i in range(len(whole)):
        changed = bytearray(whole)
        changed[i] ^= 1 << i % 8
        other: object = text(bytes(changed))
        if isinstance(value, list):
            other = [base64.b64encode(changed).decode(), *value[1:]]
        with pytest.raises(AttestationRefused):
            made.verified({**sent, member: other})


@pytest.mark.parametrize("member", ["attestation_key", "key", "certify_info", "signature"])
def test_a_part_that_is_cut_short_anywhere_is_refused_as_that(member: str) -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    whole = unpadded(sent[member])
    parse = {"certify_info": parse_certify_info, "signature": parse_signature}.get(
        member, lambda data: parse_public(data, "the key")
    )
    for end in range(len(whole)):
        with pytest.raises(AttestationRefused):
            made.verified({**sent, member: text(whole[:end])})
        with pytest.raises(AttestationRefused, match="ends too early"):
            parse(whole[:end])


@pytest.mark.parametrize("member", ["x5c", "attestation_key", "key", "certify_info", "signature"])
@pytest.mark.parametrize("value", [None, 1, [], "", "=", "é", "A" * 100_000, [1]], ids=repr)
def test_a_member_of_another_type_is_refused(member: str, value: object) -> None:
    if isinstance(value, str) and len(value) > 10:
        value = value[:100_000]
    made = SoftStatement(pki=PKI)
    with pytest.raises(AttestationRefused):
        made.verified({**made.second(), member: value})


def test_members_that_are_missing_or_unknown_are_refused() -> None:
    made = SoftStatement(pki=PKI)
    sent = made.second()
    for member in sent.keys() - {"fmt"}:
        with pytest.raises(AttestationRefused, match="lacks the member"):
            made.verified({k: v for k, v in sent.items() if k != member})
    with pytest.raises(AttestationRefused, match="unknown member 'level'"):
        made.verified({**sent, "level": 4})
    with pytest.raises(AttestationRefused, match="unknown member 'key'"):
        prepare_tpm({**made.first, "key": sent["key"]}, CHALLENGE, made.asked().terms)


@given(data=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_come_the_parsers_end_with_one_sentence(data: bytes) -> None:
    for parse in (parse_certify_info, parse_signature, lambda d: parse_public(d, "the key")):
        with pytest.raises(AttestationRefused):
            parse(data)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_is_changed_in_good_bytes_the_parsers_parse_it_or_end_with_one_sentence(
    data: st.DataObject,
) -> None:
    key = new_key()
    good = data.draw(
        st.sampled_from(
            [
                (parse_certify_info, certify_info(bytes(34), bytes(32))),
                (parse_signature, signature(key, b"x")),
                (lambda d: parse_public(d, "the key"), public_area(key, DEVICE_ATTRIBUTES)),
            ]
        )
    )
    parse, whole = good
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(AttestationRefused):
        parse(bytes(changed))


def test_leading_zeros_of_a_coordinate_may_be_left_out() -> None:
    key = next(k for k in iter(new_key, None) if k.public_key().public_numbers().x < 1 << 248)
    numbers = key.public_key().public_numbers()
    whole = public_area(key, DEVICE_ATTRIBUTES)
    short = whole[:-68] + pack(">H", 31) + numbers.x.to_bytes(31, "big") + whole[-34:]
    assert parse_public(short, "the key").key == key.public_key()
    assert parse_public(short, "the key").name != parse_public(whole, "the key").name
