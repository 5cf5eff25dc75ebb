"""The two steps with a real TPM (swtpm): what it opens and certifies, and what it does not."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from authn.core.errors import AttestationRefused
from authn.devices.attestation import prepare_attestation, verify_attestation
from authn.devices.attestation.attested import Asked, Attested, Prepared, Terms
from authn.devices.attestation.tpm_credential import EndorsementKey, make_credential
from authn.devices.attestation.tpm_parse import parse_public
from authn.pki.roots import load_roots
from signer.core.errors import KeyUnavailable
from signer.keys import create_key, tpm2_attest
from signer.keys.attesting import AttestingKey
from signer.keys.tpm2_context import tpm_context
from tests.doubles.pki import new_key
from tests.doubles.swtpm import SoftTpm, running_swtpm
from tests.doubles.tpm_statements import (
    ATTESTATION_KEY_ATTRIBUTES,
    DEVICE_ATTRIBUTES,
    name_of,
    public_area,
    text,
)

pytestmark = pytest.mark.token
CHALLENGE = secrets.token_bytes(32)


@pytest.fixture
def key(tpm: SoftTpm, tmp_path: Path) -> AttestingKey:
    return made_in(tpm, tmp_path)


def made_in(tpm: SoftTpm, folder: Path) -> AttestingKey:
    key = create_key(tpm.uri(folder / f"{secrets.token_hex(4)}.pem"))
    assert isinstance(key, AttestingKey)
    return key


def terms_of(tpm: SoftTpm) -> Terms:
    return Terms(formats=frozenset({"tpm2"}), tpm_roots=load_roots(tpm.roots))


def verified(
    tpm: SoftTpm, prepared: Prepared, sent: Mapping[str, object], challenge: bytes = CHALLENGE
) -> Attested:
    asked = Asked(challenge=challenge, at=datetime.now(UTC), terms=terms_of(tpm), state=prepared.state)
    found = verify_attestation(sent, asked)
    assert found is not None
    return found


def prepared_for(tpm: SoftTpm, key: AttestingKey, challenge: bytes = CHALLENGE) -> Prepared:
    return prepare_attestation(key.attestation_request(), challenge, terms_of(tpm))


@pytest.mark.parametrize("kind", ["EK-HIGH-ECC384", "EK-RSA2048"])
def test_a_key_made_in_a_tpm_is_attested_with_either_endorsement_key(
    tpm: SoftTpm, key: AttestingKey, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(tpm2_attest, "ENDORSEMENT_KINDS", (kind,))
    prepared = prepared_for(tpm, key)
    attested = verified(tpm, prepared, key.attest(CHALLENGE, prepared.answer))
    assert attested.level == 3
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert attested.spki == key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    facts = dict(attested.facts)
    assert facts["model"] == "swtpm"
    assert str(facts["attested_by"]).startswith("CN=swtpm-localca")


def test_the_parser_reads_what_the_tpm_writes(tpm: SoftTpm, key: AttestingKey) -> None:
    prepared = prepared_for(tpm, key)
    sent = key.attest(CHALLENGE, prepared.answer)
    public = parse_public(_bytes(sent["key"]), "the key")
    assert public.attributes == DEVICE_ATTRIBUTES
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert public.key == key.public_key()
    attestation_key = parse_public(_bytes(sent["attestation_key"]), "the key")
    assert attestation_key.attributes == ATTESTATION_KEY_ATTRIBUTES


def _bytes(value: object) -> bytes:
    assert isinstance(value, str)
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def test_a_key_with_a_pin_is_attested_too(
    tpm: SoftTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAM_PIN", "1234")
    key = create_key(tpm.uri(tmp_path / "key.pem", pin="env:CAM_PIN"))
    assert isinstance(key, AttestingKey)
    prepared = prepared_for(tpm, key)
    assert verified(tpm, prepared, key.attest(CHALLENGE, prepared.answer)).level == 3


def test_a_secret_of_the_endorsement_hierarchy_is_used_where_the_tpm_has_one(
    tpm: SoftTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tpm2_pytss.constants import ESYS_TR

    monkeypatch.setenv("ENDORSEMENT", "endorsed")
    monkeypatch.setattr(tpm2_attest, "ENDORSEMENT_KINDS", ("EK-RSA2048",))
    bare = made_in(tpm, tmp_path)
    key = create_key(tpm.uri(tmp_path / "key.pem", endorsement="env:ENDORSEMENT"))
    assert isinstance(key, AttestingKey)
    with tpm_context(tpm.tcti) as context:
        context.hierarchy_change_auth(ESYS_TR.ENDORSEMENT, b"endorsed")
    try:
        with pytest.raises(KeyUnavailable, match="endorsement hierarchy"):
            bare.attestation_request()
        prepared = prepared_for(tpm, key)
        assert verified(tpm, prepared, key.attest(CHALLENGE, prepared.answer)).level == 3
    finally:
        with tpm_context(tpm.tcti) as context:
            context.tr_set_auth(ESYS_TR.ENDORSEMENT, b"endorsed")
            context.hierarchy_change_auth(ESYS_TR.ENDORSEMENT, b"")


KINDS = {
    "EK-RSA2048": "RSA 2048, SHA-256, AES-128",
    "EK-ECC256": "P-256, SHA-256, AES-128",
    "EK-HIGH-ECC256": "P-256, SHA-256, AES-128",
    "EK-HIGH-ECC384": "P-384, SHA-384, AES-256",
    "EK-HIGH-RSA3072": "RSA 3072, SHA-384, AES-256",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tpm_opens_what_was_made_without_one_for_every_kind_of_endorsement_key(
    tpm: SoftTpm, kind: str
) -> None:
    """TPM2_ActivateCredential of the TCG's reference code against ``make_credential``."""
    secret = secrets.token_bytes(32)
    for value in (secret, b"x"):
        assert _opened(tpm, kind, lambda ek, name, value=value: make_credential(ek, value, name)) == value


def _opened(tpm: SoftTpm, kind: str, make: Any, *, foreign: bytes | None = None) -> bytes:
    """What the TPM opens with its endorsement key of that kind. ``foreign``: a public area that is loaded in
    place of the attestation key."""
    from tpm2_pytss.constants import ESYS_TR
    from tpm2_pytss.internal.templates import ek_template
    from tpm2_pytss.types import TPM2B_ENCRYPTED_SECRET, TPM2B_ID_OBJECT, TPM2B_SENSITIVE_CREATE

    template = ek_template.lookup(kind).template
    with tpm_context(tpm.tcti) as context:
        made, public, *_ = context.create_primary(TPM2B_SENSITIVE_CREATE(), template, ESYS_TR.ENDORSEMENT)
        area = public.publicArea
        endorsement_key = load_der_public_key(area.to_der())
        assert isinstance(endorsement_key, EndorsementKey)
        with (
            made as handle,
            _beside(context, foreign) as (attestation_key, name),
            tpm2_attest._allowed_to_use(context, area) as session,
        ):
            credential = make(endorsement_key, name)
            return bytes(
                context.activate_credential(
                    attestation_key,
                    handle,
                    TPM2B_ID_OBJECT(credential.blob),
                    TPM2B_ENCRYPTED_SECRET(credential.secret),
                    session1=ESYS_TR.PASSWORD,
                    session2=session,
                )
            )


@contextmanager
def _beside(context: Any, foreign: bytes | None) -> Iterator[tuple[Any, bytes]]:
    """The real attestation key, or a public area of ours, with its name."""
    if foreign is None:
        with tpm2_attest._attestation_key(context) as (handle, public):
            yield handle, bytes(public.get_name())
    else:
        with load_public(context, foreign) as handle:
            yield handle, name_of(foreign)


def load_public(context: Any, public: bytes) -> Any:
    """As an external object: a TPM believes whatever its public area says, and knows no private part."""
    from tpm2_pytss.constants import ESYS_TR
    from tpm2_pytss.types import TPM2B_PUBLIC, TPMT_PUBLIC

    area, _ = TPMT_PUBLIC.unmarshal(public)
    return context.load_external(TPM2B_PUBLIC(area), hierarchy=ESYS_TR.NULL)


def test_an_attestation_key_made_by_software_opens_nothing_although_a_tpm_stands_by(tpm: SoftTpm) -> None:
    software = public_area(new_key(), ATTESTATION_KEY_ATTRIBUTES)
    with pytest.raises(KeyUnavailable, match="authPolicy is not available"):
        _opened(tpm, "EK-RSA2048", lambda ek, name: make_credential(ek, bytes(32), name), foreign=software)


def test_a_tpm_certifies_no_key_of_which_it_has_the_public_part_alone(tpm: SoftTpm) -> None:
    software = public_area(new_key(), DEVICE_ATTRIBUTES)
    with (
        pytest.raises(KeyUnavailable, match="authPolicy is not available"),
        tpm_context(tpm.tcti) as context,
        load_public(context, software) as handle,
        tpm2_attest._attestation_key(context) as (attestation_key, _),
    ):
        tpm2_attest._certify(context, handle, attestation_key, bytes(32))


def test_a_secret_for_another_attestation_key_stays_closed(tpm: SoftTpm) -> None:
    other = name_of(public_area(new_key(), ATTESTATION_KEY_ATTRIBUTES))
    with pytest.raises(KeyUnavailable, match="wrapped by another TPM"):
        _opened(tpm, "EK-RSA2048", lambda ek, _: make_credential(ek, bytes(32), other))


@pytest.mark.parametrize("part", ["credential_blob", "encrypted_secret"])
def test_an_answer_with_a_changed_byte_stays_closed(tpm: SoftTpm, key: AttestingKey, part: str) -> None:
    prepared = prepared_for(tpm, key)
    whole = _bytes(prepared.answer[part])
    for place in (2, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(KeyUnavailable, match="does not open the service's secret"):
            key.attest(CHALLENGE, {**prepared.answer, part: text(bytes(changed))})


@pytest.mark.parametrize(
    "value", ["", "*", "A" * 4000, "A" * 900, "QQ"], ids=["empty", "no base64", "too long", "long", "short"]
)
@pytest.mark.parametrize("part", ["credential_blob", "encrypted_secret"])
def test_an_answer_that_is_none_is_one_sentence(key: AttestingKey, part: str, value: str) -> None:
    answer = {"credential_blob": text(bytes(70)), "encrypted_secret": text(bytes(100)), part: value}
    with pytest.raises(KeyUnavailable, match=r"service's (secret|answer)"):
        key.attest(CHALLENGE, answer)


def test_an_authority_that_the_maker_left_in_the_tpm_is_sent_along(tpm: SoftTpm, key: AttestingKey) -> None:
    """EK Credential Profile, 2.2.1.5.2: then the root alone is enough in the operator's list."""
    root, authority = (x509.load_pem_x509_certificate(r.read_bytes()) for r in tpm.roots)
    terms = Terms(formats=frozenset({"tpm2"}), tpm_roots=(root,))
    kept = (authority.public_bytes(Encoding.DER), b"\x30\x82" + b"\xff" * 40)  # and what is no certificate
    with pytest.raises(AttestationRefused, match="no maker of TPMs"):
        whole(key, terms)
    with tpm_context(tpm.tcti) as context:
        handles = [store(context, 0x01C00100 + i, data) for i, data in enumerate(kept)]
    try:
        x5c = key.attestation_request()["x5c"]
        assert isinstance(x5c, list)
        assert base64.b64decode(x5c[1]) == kept[0]
        assert len(x5c) == 2
        assert whole(key, terms).level == 3
    finally:
        with tpm_context(tpm.tcti) as context:
            for handle in handles:
                context.nv_undefine_space(context.tr_from_tpmpublic(handle))


def whole(key: AttestingKey, terms: Terms) -> Attested:
    prepared = prepare_attestation(key.attestation_request(), CHALLENGE, terms)
    asked = Asked(challenge=CHALLENGE, at=datetime.now(UTC), terms=terms, state=prepared.state)
    found = verify_attestation(key.attest(CHALLENGE, prepared.answer), asked)
    assert found is not None
    return found


def store(context: Any, index: int, data: bytes) -> int:
    from tpm2_pytss.constants import TPM2_ALG, TPMA_NV
    from tpm2_pytss.types import TPM2B_NV_PUBLIC, TPMS_NV_PUBLIC

    attributes = TPMA_NV.OWNERWRITE | TPMA_NV.AUTHWRITE | TPMA_NV.OWNERREAD | TPMA_NV.AUTHREAD
    place = TPMS_NV_PUBLIC(nvIndex=index, nameAlg=TPM2_ALG.SHA256, attributes=attributes, dataSize=len(data))
    handle = context.nv_define_space(b"", TPM2B_NV_PUBLIC(place))
    for at in range(0, len(data), 512):
        context.nv_write(handle, data[at : at + 512], at)
    return index


def test_another_tpm_neither_opens_the_secret_nor_answers_for_this_one(
    tpm: SoftTpm, key: AttestingKey, tmp_path: Path
) -> None:
    prepared = prepared_for(tpm, key)
    with running_swtpm(tmp_path / "other") as other:
        stranger = made_in(other, tmp_path)
        with pytest.raises(KeyUnavailable, match="does not open the service's secret"):
            stranger.attest(CHALLENGE, prepared.answer)
        theirs = prepare_attestation(stranger.attestation_request(), CHALLENGE, terms_of(other))
        sent = stranger.attest(CHALLENGE, theirs.answer)
        assert verified(other, theirs, sent).level == 3
        with pytest.raises(AttestationRefused, match="not asked for with these keys"):
            verified(tpm, prepared, sent)
        with pytest.raises(AttestationRefused, match="no maker of TPMs that we rely on"):
            verified(tpm, theirs, sent)


def test_an_answer_to_an_earlier_challenge_does_for_no_later_one(tpm: SoftTpm, key: AttestingKey) -> None:
    prepared = prepared_for(tpm, key)
    sent = key.attest(CHALLENGE, prepared.answer)
    later = secrets.token_bytes(32)
    with pytest.raises(AttestationRefused, match="another challenge"):
        verified(tpm, prepared_for(tpm, key, later), sent, later)
    with pytest.raises(AttestationRefused, match="another challenge"):
        verified(tpm, prepared, sent, later)


def test_the_certification_of_one_key_does_for_no_other_of_the_same_tpm(
    tpm: SoftTpm, key: AttestingKey, tmp_path: Path
) -> None:
    prepared = prepared_for(tpm, key)
    sent = key.attest(CHALLENGE, prepared.answer)
    neighbour = made_in(tpm, tmp_path).attest(CHALLENGE, prepared.answer)
    with pytest.raises(AttestationRefused, match="about another key"):
        verified(tpm, prepared, {**sent, "key": neighbour["key"]})


def test_a_tpm_without_a_certificate_of_its_maker_brings_no_evidence(tmp_path: Path) -> None:
    with running_swtpm(tmp_path / "tpm", endorsed=False) as bare:
        key = made_in(bare, tmp_path)
        assert key.attestation_request() == {"fmt": "none"}
        assert key.attest(CHALLENGE, {}) == {"fmt": "none"}


def test_a_certificate_for_another_key_than_the_tpm_s_is_noticed_by_the_device(
    tpm: SoftTpm, key: AttestingKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_for(tpm, key)
    found = tpm2_attest._endorsement
    root = x509.load_pem_x509_certificate(tpm.roots[0].read_bytes()).public_bytes(Encoding.DER)

    def wrong(context: Any) -> Any:
        endorsement = found(context)
        assert endorsement is not None
        return replace(endorsement, certificate=root)

    monkeypatch.setattr(tpm2_attest, "_endorsement", wrong)
    with pytest.raises(KeyUnavailable, match="for another key than its own"):
        key.attest(CHALLENGE, prepared.answer)
