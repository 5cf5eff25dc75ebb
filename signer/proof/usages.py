"""What a claim signer's key may be for: extended key usages, one default for signing and for reading.

``signer_usages`` (docs/settings.md) replaces the default for reading; docs/decisions/0013 says why these.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # C2PA
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
MICROSOFT_C2PA_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.311.76.59.1.9")
SIGNER_USAGES = frozenset(
    {CLAIM_SIGNING, DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION, MICROSOFT_C2PA_SIGNING}
)
# Purposes that must stand alone in a certificate (C2PA 2.x section 14.5.1).
EXCLUSIVE_USAGES = frozenset({ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.OCSP_SIGNING})
NEVER_SIGNERS = EXCLUSIVE_USAGES | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def parse_usages(text: str) -> frozenset[x509.ObjectIdentifier]:
    """Object identifiers with white space between. Raises ``ValueError`` for none, for what is no identifier,
    and for one that no claim signer may have."""
    found = frozenset(x509.ObjectIdentifier(dotted) for dotted in text.split())
    if not found:
        raise ValueError("no key usage is named")
    if barred := found & NEVER_SIGNERS:
        raise ValueError(f"{usage_text(barred)} is never for signing claims")
    return found


def usage_text(usages: Iterable[x509.ObjectIdentifier]) -> str:
    """Sorted, so that equal sets give equal text."""
    return " ".join(sorted(usage.dotted_string for usage in usages))


def usage_config(usages: Iterable[x509.ObjectIdentifier]) -> str:
    """As c2pa-rs reads its ``trust.trust_config``."""
    return "".join(f"{dotted}\n" for dotted in usage_text(usages).split())
