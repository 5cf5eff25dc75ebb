"""Endorsement certificates: a maker's word that a key is the endorsement key of one of its TPMs.

TCG EK Credential Profile for TPM 2.0, version 2.6, section 3. Whether the maker has revoked one is not
examined.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from authn.core.errors import AttestationRefused
from authn.devices.attestation.attested import Fact
from signer.proof.certificates import read_certificate

EK_CERTIFICATE = x509.ObjectIdentifier("2.23.133.8.1")
MANUFACTURER = x509.ObjectIdentifier("2.23.133.2.1")
MODEL = x509.ObjectIdentifier("2.23.133.2.2")
VERSION = x509.ObjectIdentifier("2.23.133.2.3")
MAX_INTERMEDIATES = 4
MAX_TEXT = 60


def read_chain(chain: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    """DER, the endorsement certificate first. Raises ``AttestationRefused``."""
    try:
        return tuple(read_certificate(der) for der in chain)
    except ValueError as e:
        raise AttestationRefused(f"an endorsement certificate is malformed: {e}") from e


def verify_endorsement(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> x509.Certificate:
    """The root that vouches for the first certificate of ``chain``. Raises ``AttestationRefused``.

    The validity is judged at ``at``. Authorities below a root may be in ``chain`` or among ``roots``.
    """
    if not roots:
        raise AttestationRefused("this service relies on no maker of TPMs")
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(at.astimezone(UTC).replace(tzinfo=None))
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_endorsement_policy())
        .build_client_verifier()
    )
    try:
        return verifier.verify(chain[0], list(chain[1:])).chain[-1]
    except (VerificationError, ValueError) as e:
        raise AttestationRefused(f"no maker of TPMs that we rely on vouches for this one: {e}"[:300]) from e


def describe(certificate: x509.Certificate) -> tuple[tuple[str, Fact], ...]:
    """Which kind of TPM the certificate is for (3.2.9), as far as it says so."""
    found: dict[str, Fact] = {}
    for extension in certificate.extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            continue
        for directory in extension.value.get_values_for_type(x509.DirectoryName):
            for name, oid in (("maker", MANUFACTURER), ("model", MODEL), ("version", VERSION)):
                values = directory.get_attributes_for_oid(oid)
                if len(values) == 1:
                    found[name] = str(values[0].value)[:MAX_TEXT]
    if "maker" in found:
        found["maker"] = _maker(str(found["maker"]))
    return tuple(found.items())


def _maker(text: str) -> str:
    """``id:49465800`` is four letters in hexadecimal (TCG vendor identifiers)."""
    try:
        letters = bytes.fromhex(text.removeprefix("id:")).rstrip(b"\0 ").decode("ascii")
    except (ValueError, UnicodeDecodeError):
        return text
    return letters if letters.isprintable() and letters else text


def _endorsement_policy() -> ExtensionPolicy:
    def is_endorsement(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
        if EK_CERTIFICATE not in usage:
            raise ValueError("it is no endorsement certificate")

    def decrypts(_: Policy, certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
        is_rsa = isinstance(certificate.public_key(), rsa.RSAPublicKey)
        if usage.key_cert_sign or not (usage.key_encipherment if is_rsa else usage.key_agreement):
            raise ValueError("its key usage is not that of an endorsement key")

    def no_ca(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints) -> None:
        if constraints.ca:
            raise ValueError("it is that of an authority")

    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, is_endorsement)
        .require_present(x509.KeyUsage, Criticality.AGNOSTIC, decrypts)
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, no_ca)
    )
