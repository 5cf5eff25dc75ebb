"""Android Key Attestation: does Google's chain vouch for this key, and how is the key held?

The chain is walked as presented (names and signatures), not by RFC 5280: real chains contain issuers that do
not claim to be authorities. What protects instead: the last certificate has a pinned key, and the attestation
extension stands in the leaf only, so that an attested key cannot vouch for another one. Source: the rules of
github.com/android/keyattestation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from authn.core.errors import AttestationRefused
from authn.core.keys import spki_of
from authn.devices.attestation.android_parse import (
    ApplicationId,
    Authorizations,
    BootState,
    KeyDescription,
    Origin,
    RootOfTrust,
    SecurityLevel,
    read_key_description,
)
from authn.devices.attestation.android_roots import google_root_keys
from signer.proof.certificates import read_certificate

EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
REMOTE_AUTHORITY = (
    "Droid CA"  # the common name of Google's authorities for keys provisioned after manufacture
)
LEAST_CERTIFICATES, MOST_CERTIFICATES = 2, 8
MAX_CERTIFICATE_BYTES = 24_576
PURPOSE_SIGN, PURPOSE_VERIFY = 2, 3  # verifying is public anyway, and applications often ask for both
ALGORITHM_EC, CURVE_P256 = 3, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AndroidAttestation:
    """A verified chain: ``spki`` (DER) is the attested key. Only a ``remotely_provisioned`` chain expires."""

    spki: bytes
    description: KeyDescription
    remotely_provisioned: bool

    @property
    def security_level(self) -> SecurityLevel:
        """The weaker of who holds the key and who describes it."""
        return min(self.description.keymint_security_level, self.description.attestation_security_level)


def verify_android(
    chain: Sequence[bytes],
    *,
    challenge: bytes,
    at: datetime,
    status: Mapping[str, str],
    root_keys: Sequence[bytes] | None = None,
) -> AndroidAttestation:
    """Verify a chain (DER, leaf first) at a time; it says nothing yet about how good the key is.

    ``status`` is the ``entries`` of Google's status list: serial number in lower-case hexadecimal, and what
    is wrong with it; whoever is listed is refused. ``root_keys`` (SubjectPublicKeyInfo, DER) replace
    Google's. The leaf's own validity is the device's clock and is not judged. Raises ``AttestationRefused``.
    """
    certificates = _read(chain)
    pinned = google_root_keys() if root_keys is None else root_keys
    if spki_of(certificates[-1].public_key()) not in pinned:
        raise AttestationRefused("the attestation chain does not end in a pinned root")
    _walk(certificates)
    remote = any(_is_remote_authority(c) for c in certificates[1:])
    _judge_times(certificates[1:], at, expiry=remote)
    for c in certificates:
        if (serial := f"{c.serial_number:x}") in status:
            raise AttestationRefused(f"certificate {serial} of the attestation chain is {status[serial]}")
    description = _describe(certificates)
    if not compare_digest(description.challenge, challenge):
        raise AttestationRefused("the attestation answers another challenge")
    return AndroidAttestation(
        spki=spki_of(certificates[0].public_key()), description=description, remotely_provisioned=remote
    )


def require_capture_key(
    attestation: AndroidAttestation, *, signatures: Sequence[bytes], packages: Sequence[str] = ()
) -> int:
    """The assurance level (3 or 4) of a P-256 key made in secure hardware of a locked, verified device for
    the application that was signed with one of ``signatures`` (SHA-256 of its certificate); an empty
    ``packages`` admits every package of that signer. Raises ``AttestationRefused``, naming the demand."""
    hardware = attestation.description.hardware
    if attestation.security_level < SecurityLevel.TRUSTED_ENVIRONMENT:
        raise AttestationRefused("the key is held in software")
    _require_boot(hardware)
    if hardware.value("origin") != Origin.GENERATED:
        raise AttestationRefused("the key was not made in the secure hardware")
    purposes = hardware.value("purposes")
    if purposes not in ((PURPOSE_SIGN,), (PURPOSE_SIGN, PURPOSE_VERIFY), (PURPOSE_VERIFY, PURPOSE_SIGN)):
        raise AttestationRefused("the key may do other things than sign")
    if (hardware.value("algorithms"), hardware.value("ecCurve")) != (ALGORITHM_EC, CURVE_P256):
        raise AttestationRefused("the key is not on P-256")
    _require_application(attestation.description, frozenset(signatures), frozenset(packages))
    return 4 if attestation.security_level == SecurityLevel.STRONG_BOX else 3


def _require_boot(hardware: Authorizations) -> None:
    root = hardware.value("rootOfTrust")
    if not isinstance(root, RootOfTrust):
        raise AttestationRefused("the secure hardware does not say how the device was booted")
    if root.verified_boot_state != BootState.VERIFIED:
        raise AttestationRefused(f"the device's boot state is {root.verified_boot_state.name}")
    if not root.device_locked:
        raise AttestationRefused("the device's boot loader is unlocked")


def _require_application(
    description: KeyDescription, signatures: frozenset[bytes], packages: frozenset[str]
) -> None:
    for enforced in (description.software, description.hardware):
        if enforced.value("allApplications"):
            raise AttestationRefused("every application of the device may use the key")
    application = description.software.value("attestationApplicationId")
    if not isinstance(application, ApplicationId):
        raise AttestationRefused("the attestation names no application")
    if not application.signatures or not signatures.issuperset(application.signatures):
        raise AttestationRefused("the key belongs to an application of another signer")
    if packages and not packages.issuperset(p.name for p in application.packages):
        raise AttestationRefused("the key belongs to another application")


def _read(chain: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    if not LEAST_CERTIFICATES <= len(chain) <= MOST_CERTIFICATES:
        raise AttestationRefused(f"an attestation chain of {len(chain)} certificates")
    if any(len(der) > MAX_CERTIFICATE_BYTES for der in chain):
        raise AttestationRefused("a certificate of the attestation chain is too large")
    try:
        return tuple(read_certificate(der) for der in chain)
    except ValueError as e:
        raise AttestationRefused(f"a certificate of the attestation chain is malformed: {e}") from e


def _walk(certificates: tuple[x509.Certificate, ...]) -> None:
    """Each is issued by the next by name and signature, the last by itself."""
    for subject, issuer in zip(certificates, (*certificates[1:], certificates[-1]), strict=True):
        try:
            subject.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as e:
            raise AttestationRefused(
                "a certificate of the attestation chain is not issued by the next"
            ) from e


def _judge_times(authorities: tuple[x509.Certificate, ...], at: datetime, *, expiry: bool) -> None:
    """Keys of the factory outlive their certificates, so only remotely provisioned ones expire."""
    for c in authorities:
        if at < c.not_valid_before_utc:
            raise AttestationRefused("a certificate of the attestation chain is not yet valid")
        if expiry and at > c.not_valid_after_utc:
            raise AttestationRefused("a certificate of the attestation chain has expired")


def _is_remote_authority(certificate: x509.Certificate) -> bool:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return any(str(n.value).startswith(REMOTE_AUTHORITY) for n in names)


def _describe(certificates: tuple[x509.Certificate, ...]) -> KeyDescription:
    found = [_extension(c) for c in certificates]
    if any(value is not None for value in found[1:]):
        raise AttestationRefused(
            "an attested key has issued a certificate: the extension stands above the leaf"
        )
    if found[0] is None:
        raise AttestationRefused("the leaf has no attestation extension")
    return read_key_description(found[0])


def _extension(certificate: x509.Certificate) -> bytes | None:
    for extension in certificate.extensions:
        if extension.oid == EXTENSION and isinstance(extension.value, x509.UnrecognizedExtension):
            return extension.value.value
    return None
