"""Which certificates may sign claims, and whether one chains to the signer roots at a time.

Two checks share the work: pyca/cryptography wherever it supports the algorithms and reads the certificates
of the path (``signer.proof.path``), our own walk only where it does not (RSASSA-PSS and Ed25519 keys, which
C2PA allows and WebPKI does not; ``signer.proof.walk``). Pure: certificates, roots and the time come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import PublicKeyAlgorithmOID, SignatureAlgorithmOID

from authn.core.errors import CredentialExpired, CredentialInvalid, UntrustedChain
from signer.proof.certificates import Certificate
from signer.proof.path import PathRefused
from signer.proof.usages import NEVER_SIGNERS, SIGNER_USAGES
from signer.proof.walk import find_path, walk_path

_BEYOND_WEBPKI = frozenset({PublicKeyAlgorithmOID.RSASSA_PSS, PublicKeyAlgorithmOID.ED25519})


def verify_signer_path(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    at: datetime,
    usages: frozenset[x509.ObjectIdentifier] = SIGNER_USAGES,
) -> tuple[Certificate, ...]:
    """The path, leaf first, root last. Raises ``CredentialInvalid``, ``CredentialExpired`` or
    ``UntrustedChain``; in this order, so that the most particular reason is named."""
    _check_usage(leaf, usages)
    if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        raise CredentialExpired(
            f"the signer's certificate is valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} "
            f"to {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC only"
        )
    try:
        if needs_own_walk((leaf, *intermediates)):
            return walk_path(leaf, intermediates, roots, at=at, usages=usages, nested=False)
        return find_path(leaf, intermediates, roots, at=at, usages=usages, nested=False)
    except PathRefused as e:
        raise UntrustedChain(f"the signer's certificate chains to none of the signer roots: {e}") from e


def needs_own_walk(path: Sequence[Certificate]) -> bool:
    """Whether a key of the path is of a kind that WebPKI verifiers refuse by policy."""
    return any(c.public_key_algorithm_oid in _BEYOND_WEBPKI for c in path)


def is_pss_signed(path: Sequence[Certificate]) -> bool:
    """Whether RSASSA-PSS signs a certificate of the path; one of our engines does not evaluate these."""
    return any(c.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS for c in path)


def has_only_usages_of(path: Sequence[Certificate], allowed: frozenset[x509.ObjectIdentifier]) -> bool:
    """Whether the first certificate may sign only because of ``allowed``, which the default does not list."""
    found = [e.value for c in path[:1] for e in c.extensions if isinstance(e.value, x509.ExtendedKeyUsage)]
    own = frozenset(found[0]) if found else frozenset()
    return bool(own & allowed) and not own & SIGNER_USAGES


def _check_usage(leaf: Certificate, usages: frozenset[x509.ObjectIdentifier]) -> None:
    try:
        usage = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension) as e:
        raise CredentialInvalid("the signer's certificate names no extended key usage") from e
    if usage & NEVER_SIGNERS:
        raise CredentialInvalid("the signer's certificate is for time-stamps, revocation answers or anything")
    if not usage & usages:
        raise CredentialInvalid("the signer's certificate is for none of the usages that you allow signers")
