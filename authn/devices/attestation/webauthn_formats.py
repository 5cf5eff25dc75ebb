"""``packed`` and ``apple``: who signed the attestation object (WebAuthn L3, 8.2 and 8.8).

The level follows from the list that the chain leads into. A self attestation is the key's own word: anybody
with a software key can write one, so it raises nothing. A key that its authenticator may copy to others stays
at level 1, whoever vouches for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from authn.core.errors import AttestationRefused
from authn.core.keys import spki_of
from authn.devices.attestation import cbor
from authn.devices.attestation.attested import (
    MAX_CERTIFICATE_BYTES,
    MAX_CERTIFICATES,
    Asked,
    Attested,
    Fact,
)
from authn.devices.attestation.webauthn import ES256, AttestationObject, read_attestation
from signer.proof.certificates import read_certificate
from signer.proof.der import DerError, single

AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
APPLE_NONCE = x509.ObjectIdentifier("1.2.840.113635.100.8.2")
OCTETS, SEQUENCE, TAGGED_1 = 0x04, 0x30, 0xA1
_EVALUATED = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})


def verify_packed(sent: Mapping[str, object], asked: Asked) -> Attested:
    """Raises ``AttestationRefused``."""
    found = read_attestation(sent, asked)
    alg, signature = found.statement.get("alg"), found.statement.get("sig")
    if alg != ES256 or not isinstance(signature, bytes):
        raise AttestationRefused("the packed statement is not signed with ES256")
    if "x5c" not in found.statement:
        _exactly(found, {"alg", "sig"})
        _verify(found.authenticator.key, signature, found.signed)
        return _attested(found, 0, (("attested_by", "itself"),))
    _exactly(found, {"alg", "sig", "x5c"})
    chain = _chain(found.statement["x5c"])
    _verify(chain[0].public_key(), signature, found.signed)
    check_packed_certificate(chain[0], found.authenticator.aaguid)
    terms = asked.terms.webauthn
    root = verify_chain(chain, (*terms.hardware_roots, *terms.other_roots), asked.at)
    hardware = root in terms.hardware_roots and not found.authenticator.synchronised
    return _attested(found, 4 if hardware else 2, (("attested_by", root.subject.rfc4514_string()),))


def verify_apple(sent: Mapping[str, object], asked: Asked) -> Attested:
    """Apple's anonymous attestation of a key in the Secure Enclave. Raises ``AttestationRefused``."""
    found = read_attestation(sent, asked)
    _exactly(found, {"x5c"})
    chain = _chain(found.statement["x5c"])
    if not compare_digest(_apple_nonce(chain[0]), sha256(found.signed).digest()):
        raise AttestationRefused("Apple's certificate is for another attestation")
    if spki_of(chain[0].public_key()) != found.authenticator.spki:
        raise AttestationRefused("Apple's certificate is for another key")
    root = verify_chain(chain, asked.terms.webauthn.apple_roots, asked.at)
    return _attested(found, 4, (("attested_by", root.subject.rfc4514_string()),))


def check_packed_certificate(certificate: x509.Certificate, aaguid: bytes) -> None:
    """WebAuthn L3, 8.2.1. Raises ``AttestationRefused``."""

    def value(oid: x509.ObjectIdentifier) -> str:
        values = certificate.subject.get_attributes_for_oid(oid)
        return str(values[0].value) if len(values) == 1 else ""

    country = value(NameOID.COUNTRY_NAME)
    if len(country) != 2 or not value(NameOID.ORGANIZATION_NAME) or not value(NameOID.COMMON_NAME):
        raise AttestationRefused("the attestation certificate does not name its maker")
    if value(NameOID.ORGANIZATIONAL_UNIT_NAME) != "Authenticator Attestation":
        raise AttestationRefused("the certificate is not one for attestations")
    constraints = [e.value for e in certificate.extensions if isinstance(e.value, x509.BasicConstraints)]
    if not constraints or constraints[0].ca:
        raise AttestationRefused("the attestation certificate is that of an authority, or does not say")
    model = _extension(certificate, AAGUID_EXTENSION)
    if model is None:
        return
    if model.critical or not isinstance(model.value, x509.UnrecognizedExtension):
        raise AttestationRefused("the attestation certificate marks its model as critical")
    if model.value.value != bytes((OCTETS, len(aaguid))) + aaguid:
        raise AttestationRefused("the attestation certificate is for another model")


def verify_chain(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> x509.Certificate:
    """The root that ``chain``, walked as presented, leads to. Raises ``AttestationRefused``.

    Every certificate is judged at ``at``; an issuer has to be an authority and may have no constraint or
    critical extension that is not evaluated here.
    """
    path = chain[:-1] if len(chain) > 1 and chain[-1] in roots else chain
    for depth, (subject, issuer) in enumerate(pairwise(path)):
        if not _issued(subject, issuer, depth):
            raise AttestationRefused("a certificate of the attestation chain is not issued by the next")
    root = next((r for r in roots if _issued(path[-1], r, len(path) - 1)), None)
    if root is None:
        raise AttestationRefused("the attestation chain leads to no root of the operator's list")
    for certificate in (*path, root):
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise AttestationRefused("a certificate of the attestation chain is not valid now")
        if any(e.critical and e.oid not in _EVALUATED for e in certificate.extensions):
            raise AttestationRefused("a certificate has a critical extension that is not evaluated")
    return root


def _issued(subject: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """``below``: how many authorities stand between this issuer and the leaf."""
    constraints = [e.value for e in issuer.extensions if isinstance(e.value, x509.BasicConstraints)]
    usages = [e.value for e in issuer.extensions if isinstance(e.value, x509.KeyUsage)]
    if not constraints or not constraints[0].ca or not all(u.key_cert_sign for u in usages):
        return False
    if constraints[0].path_length is not None and below > constraints[0].path_length:
        return False
    if _extension(issuer, ExtensionOID.NAME_CONSTRAINTS) is not None:
        return False
    try:
        if isinstance(subject.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
            return False
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _exactly(found: AttestationObject, names: set[str]) -> None:
    if found.statement.keys() != names:
        raise AttestationRefused(f"a {found.fmt} statement has {', '.join(sorted(names))}")


def _chain(value: cbor.Value) -> tuple[x509.Certificate, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CERTIFICATES:
        raise AttestationRefused(f"x5c is a list of 1 to {MAX_CERTIFICATES} certificates")
    try:
        return tuple(_certificate(der) for der in value)
    except ValueError as e:
        raise AttestationRefused(f"a certificate of the attestation chain is malformed: {e}") from e


def _certificate(der: cbor.Value) -> x509.Certificate:
    if not isinstance(der, bytes) or len(der) > MAX_CERTIFICATE_BYTES:
        raise ValueError("it is no byte string, or too long")
    return read_certificate(der)


def _verify(key: object, signature: bytes, signed: bytes) -> None:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AttestationRefused("the statement's key is not P-256 (ES256)")
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as e:
        raise AttestationRefused("the signature of the statement does not hold") from e


def _apple_nonce(certificate: x509.Certificate) -> bytes:
    """SEQUENCE { [1] { OCTET STRING } }."""
    extension = _extension(certificate, APPLE_NONCE)
    if extension is None or not isinstance(extension.value, x509.UnrecognizedExtension):
        raise AttestationRefused("the certificate carries no nonce of Apple's")
    try:
        (tagged,) = single(extension.value.value, SEQUENCE).children()
        return single(single(tagged.raw, TAGGED_1).body, OCTETS).body
    except (DerError, ValueError) as e:
        raise AttestationRefused("the nonce in Apple's certificate is malformed") from e


def _extension(
    certificate: x509.Certificate, oid: x509.ObjectIdentifier
) -> x509.Extension[x509.ExtensionType] | None:
    return next((e for e in certificate.extensions if e.oid == oid), None)


def _attested(found: AttestationObject, level: int, facts: tuple[tuple[str, Fact], ...]) -> Attested:
    authenticator = found.authenticator
    return Attested(
        fmt=found.fmt,
        level=min(level, 1) if authenticator.synchronised else level,
        spki=authenticator.spki,
        facts=(
            *facts,
            ("aaguid", authenticator.aaguid.hex()),
            ("synchronised", authenticator.synchronised),
        ),
    )
