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

from signer.proof.certificates import Certificate
from signer.proof.usages import EXCLUSIVE_USAGES

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
    nested: bool = True,
) -> tuple[x509.Certificate, ...]:
    """The path, leaf first, root last. Raises ``PathRefused``.

    The leaf must be an end entity that may sign, with at least one of ``usages``; about a CA with an extended
    key usage of its own ``may_issue_for`` decides.
    """
    if not roots:
        raise PathRefused("no roots were given for this purpose")
    check_key(leaf)
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(at.astimezone(UTC).replace(tzinfo=None))
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=_ca_policy(usages, nested=nested), ee_policy=_leaf_policy(usages))
        .build_client_verifier()
    )
    try:
        path = tuple(verifier.verify(leaf, list(intermediates)).chain)
    except (VerificationError, ValueError) as e:
        raise PathRefused(_plainly(e)) from e
    _check_names(path)
    return path


def _check_names(path: Sequence[x509.Certificate]) -> None:
    """pyca passes over constraints on names of directories where they are not marked critical, against RFC
    5280, 4.2.1.10, and signers have no other names. Raises ``PathRefused``."""
    for place, issuer in enumerate(path):
        for extension in issuer.extensions:
            if isinstance(extension.value, x509.NameConstraints):
                for below in path[:place]:
                    if not _permits(extension.value, below.subject):
                        raise PathRefused("an issuer is restricted to other names")


def _permits(constraints: x509.NameConstraints, name: x509.Name) -> bool:
    whole = _folded(name)
    permitted, excluded = (
        [_folded(base.value) for base in bases or () if isinstance(base, x509.DirectoryName)]
        for bases in (constraints.permitted_subtrees, constraints.excluded_subtrees)
    )
    if any(whole[: len(base)] == base for base in excluded):
        return False
    return not permitted or any(whole[: len(base)] == base for base in permitted)


def _folded(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """As names are compared: without regard to case and to how much white space there is (RFC 5280, 7.1)."""
    return [
        frozenset((a.oid.dotted_string, " ".join(str(a.value).casefold().split())) for a in rdn)
        for rdn in name.rdns
    ]


def _plainly(error: Exception) -> str:
    """pyca's words, but where it fails no certificate and merely finds none that leads on."""
    text = str(error)[:500]
    if "no interior errors" in text:
        return "an issuer is not among the certificates given"
    return text.replace("candidates exhausted: ", "").removeprefix("validation failed: ")


def may_issue_for(
    own: frozenset[x509.ObjectIdentifier] | None, usages: frozenset[x509.ObjectIdentifier], *, nested: bool
) -> bool:
    """Whether a CA with this extended key usage (None: without one) may issue for ``usages``.

    ``nested``: a CA passes on only what it has itself, as WebPKI has it. Else its usage is ignored, as C2PA
    says for claim signers (docs/decisions/0013), but for a CA that is for time-stamps or revocation answers
    alone: such a purpose tolerates no other, and one root may stand in the lists of both purposes.
    """
    if own is None:
        return True
    if nested:
        return bool(own & (usages | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}))
    return not own <= EXCLUSIVE_USAGES


def check_key(certificate: Certificate) -> None:
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


def _ca_policy(usages: frozenset[x509.ObjectIdentifier], *, nested: bool) -> ExtensionPolicy:
    def restricts_to(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
        own = None if usage is None else frozenset(usage)
        if not may_issue_for(own, usages, nested=nested):
            raise ValueError("an issuer is restricted to another usage")

    return ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, restricts_to
    )
