"""Certification paths at a time, against the roots of one purpose (RFC 5280 section 6), by pyca/cryptography.

Pure: certificates, roots and the time come in, the path comes out. Claim signers and time-stamp authorities
must be given different roots: a path says nothing about what a certificate is for beyond ``usages``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

MAX_INTERMEDIATES = 4
MIN_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class PathRefused(Exception):
    """There is no acceptable path; ``str()`` says why in the verifier's words."""


def verify_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
    usages: frozenset[x509.ObjectIdentifier],
) -> tuple[x509.Certificate, ...]:
    """The path, leaf first, root last. Raises ``PathRefused``.

    The leaf must be an end entity that may sign, with at least one of ``usages``; a CA that restricts its
    extended key usage must allow one of them too.
    """
    if not roots:
        raise PathRefused("no roots were given for this purpose")
    check_key(leaf)
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(at.astimezone(UTC).replace(tzinfo=None))
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=_ca_policy(usages), ee_policy=_leaf_policy(usages))
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(leaf, list(intermediates)).chain)
    except (VerificationError, ValueError) as e:
        raise PathRefused(str(e)[:500]) from e


def check_key(certificate: x509.Certificate) -> None:
    """Raises ``PathRefused`` for a key that others can compute or that nobody should use: pyca looks at the
    keys of issuers alone."""
    key = certificate.public_key()
    if isinstance(key, dsa.DSAPublicKey):
        raise PathRefused("a certificate has a DSA key")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise PathRefused(f"a certificate has an RSA key of fewer than {MIN_RSA_BITS} bits")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        raise PathRefused("a certificate has a key on another curve than P-256, P-384 and P-521")


def _leaf_policy(usages: frozenset[x509.ObjectIdentifier]) -> ExtensionPolicy:
    def may_sign(_: Policy, __: x509.Certificate, usage: x509.KeyUsage) -> None:
        if not (usage.digital_signature or usage.content_commitment) or usage.key_cert_sign:
            raise ValueError("the key usage is not that of a signer")

    def has_usage(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
        if not usages.intersection(usage):
            raise ValueError("the extended key usage is for something else")

    def no_ca(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
        if constraints is not None and constraints.ca:
            raise ValueError("a certificate authority is no signer")

    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.KeyUsage, Criticality.AGNOSTIC, may_sign)
        .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, has_usage)
        .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, no_ca)
    )


def _ca_policy(usages: frozenset[x509.ObjectIdentifier]) -> ExtensionPolicy:
    allowed = usages | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}

    def restricts_to(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
        if usage is not None and not allowed.intersection(usage):
            raise ValueError("an issuer is restricted to another usage")

    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, restricts_to
    )
