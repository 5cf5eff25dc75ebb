"""``tpm2``: a key in a TPM 2.0, by credential activation and TPM2_Certify, in two steps.

First the device sends its endorsement certificate and the public area of an attestation key; it gets, beside
the challenge, a secret that only the TPM with both keys can open. Then it sends a certification of its key by
the attestation key over SHA-256(challenge, secret). So a maker vouches for the TPM, the secret shows that
the attestation key is in it, and the attestation key, which signs nothing but what its TPM states, says that
the device's key was made there and stays there (docs/formats/tpm.md).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from authn.core.errors import AttestationRefused
from authn.core.keys import spki_of
from authn.devices.attestation.attested import (
    Asked,
    Attested,
    Prepared,
    Terms,
    base64_chain,
    base64url,
    members,
)
from authn.devices.attestation.tpm_credential import endorsement_key, make_credential
from authn.devices.attestation.tpm_endorsement import describe, read_chain, verify_endorsement
from authn.devices.attestation.tpm_parse import (
    DECRYPT,
    NEVER_LEAVES,
    RESTRICTED,
    SIGN,
    PublicArea,
    parse_certify_info,
    parse_public,
    parse_signature,
)

FMT = "tpm2"
LEVEL = 3
SECRET_BYTES = 32
MAX_PUBLIC_BYTES, MAX_CERTIFY_BYTES, MAX_SIGNATURE_BYTES = 512, 512, 128
ATTESTATION_KEY, DEVICE_KEY = "the public area of the attestation key", "the public area of the device's key"


def prepare_tpm(sent: Mapping[str, object], challenge: bytes, terms: Terms) -> Prepared:
    """The first step. The secret opens nothing yet, so the certificate is judged in the second.

    Raises ``AttestationRefused``.
    """
    x5c, encoded = members(sent, "x5c", "attestation_key")
    chain = base64_chain(x5c)
    key = endorsement_key(read_chain(chain[:1])[0])
    attestation_key = _attestation_key(base64url(encoded, "attestation_key", MAX_PUBLIC_BYTES))
    secret = secrets.token_bytes(SECRET_BYTES)
    credential = make_credential(key, secret, attestation_key.name)
    return Prepared(
        answer={
            "credential_blob": _text(credential.blob),
            "encrypted_secret": _text(credential.secret),
        },
        state=secret + _asked_with(chain[0], attestation_key),
    )


def verify_tpm(sent: Mapping[str, object], asked: Asked) -> Attested:
    """The second step: level 3. Raises ``AttestationRefused``."""
    x5c, encoded_ak, encoded_key, encoded_info, encoded_signature = members(
        sent, "x5c", "attestation_key", "key", "certify_info", "signature"
    )
    chain = base64_chain(x5c)
    attestation_key = _attestation_key(base64url(encoded_ak, "attestation_key", MAX_PUBLIC_BYTES))
    secret, asked_with = asked.state[:SECRET_BYTES], asked.state[SECRET_BYTES:]
    if not compare_digest(asked_with, _asked_with(chain[0], attestation_key)):
        raise AttestationRefused("the challenge was not asked for with these keys of this TPM")
    key = _device_key(base64url(encoded_key, "key", MAX_PUBLIC_BYTES))
    certified = base64url(encoded_info, "certify_info", MAX_CERTIFY_BYTES)
    signature = base64url(encoded_signature, "signature", MAX_SIGNATURE_BYTES)
    _verify_signature(attestation_key.key, parse_signature(signature), certified)
    info = parse_certify_info(certified)
    if not compare_digest(info.extra_data, qualifying_data(asked.challenge, secret)):
        raise AttestationRefused("the certification answers another challenge or another secret")
    if not compare_digest(info.name, key.name):
        raise AttestationRefused("the certification is about another key")
    certificates = read_chain(chain)
    root = verify_endorsement(certificates, asked.terms.tpm_roots, asked.at)
    facts = (
        ("attested_by", root.subject.rfc4514_string()[:200]),
        *describe(certificates[0]),
        ("firmware", f"{info.firmware:016x}"),
    )
    return Attested(fmt=FMT, level=LEVEL, spki=spki_of(key.key), facts=facts)


def qualifying_data(challenge: bytes, secret: bytes) -> bytes:
    """What the attestation key is asked to sign beside the key's name."""
    return sha256(challenge + secret).digest()


def _attestation_key(public: bytes) -> PublicArea:
    """Signs only what its TPM states (restricted), and is in it for good."""
    found = parse_public(public, ATTESTATION_KEY)
    if not found.has(NEVER_LEAVES):
        raise AttestationRefused("the attestation key was not made in a TPM to stay there")
    if not found.has(RESTRICTED | SIGN) or found.attributes & DECRYPT or not found.signs_alone:
        raise AttestationRefused("the attestation key signs other things than statements of its TPM")
    return found


def _device_key(public: bytes) -> PublicArea:
    found = parse_public(public, DEVICE_KEY)
    if not found.has(NEVER_LEAVES):
        raise AttestationRefused("the device's key was not made in a TPM to stay there")
    if not found.has(SIGN) or found.attributes & (DECRYPT | RESTRICTED):
        raise AttestationRefused("the device's key is not one that signs, and nothing else")
    return found


def _asked_with(certificate: bytes, attestation_key: PublicArea) -> bytes:
    return sha256(certificate).digest() + attestation_key.name


def _verify_signature(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as e:
        raise AttestationRefused("the certification is not signed by the attestation key") from e


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
