"""What our certificates contain, and the one thing taken from a request: the key that proved itself.

Device leaves follow the C2PA certificate profile (specification 2.4, "Certificate profile") with
emailProtection beside C2PA's own purpose, as the conformance programme asks. Time-stamp certificates follow
RFC 3161, 2.3: the purpose timeStamping alone, and critical. Pure: keys and times are parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AttributeOID, AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from authn.core.errors import EnrolmentRefused, HomeUnfit, RequestUnreadable
from signer.proof.usages import CLAIM_SIGNING

# Other readers' default lists lack C2PA's own purpose and document signing; without e-mail protection they
# call every one of our signatures invalid, and not only unknown (docs/decisions/0013).
DEVICE_USAGES = (CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION)
ORGANISATION = "Assay"
DEVICE_ORGANISATION = "Assay devices"
MAX_CSR_BYTES = 8192
UNREADABLE = "the certificate request cannot be parsed (PKCS#10, PEM or DER)"
# What our devices write into challengePassword (RFC 2985, 5.4.1): a challenge, and whose it is.
FOR_A_SERVICE = re.compile(rb"[A-Za-z0-9_-]{43} \S+")
# Clocks differ: a device whose clock is behind must be able to use its certificate at once.
LEAF_SKEW = timedelta(hours=1)
CA_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A certificate together with the key that signs below it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAddresses:
    """Where a stranger's program learns whether a certificate was revoked."""

    ocsp: str
    crl: str
    issuer: str


def status_addresses(public_url: str) -> StatusAddresses | None:
    """Those of the service at this address; None where it has none that outsiders can reach."""
    if not public_url:
        return None
    base = f"{public_url.rstrip('/')}/pki"
    return StatusAddresses(ocsp=f"{base}/ocsp", crl=f"{base}/crl", issuer=f"{base}/issuing")


# Not in any of ours: everything but what is switched on by name.
_NO_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def parse_csr(csr: bytes, *, challenge: str | None = None, origin: str = "") -> ec.EllipticCurvePublicKey:
    """The P-256 key of a PKCS#10 request (PEM or DER) that its holder signed, for this challenge if there is
    one, and for the service of this ``origin`` where it is known (docs/formats/enrolment.md).

    Requested subject and extensions are ignored: they are what a stranger would like. Raises
    ``EnrolmentRefused``, and ``RequestUnreadable`` for what is no such request.
    """
    try:
        request = _load_csr(csr)
        key = request.public_key()
        answered = _challenges(request, needed=challenge is not None)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise EnrolmentRefused("device keys must be P-256 (ES256)")
        proven = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as e:
        raise RequestUnreadable(UNREADABLE) from e
    if not proven:
        raise EnrolmentRefused("the certificate request is not signed by its own key")
    if challenge is not None and [a.partition(b" ")[0] for a in answered] != [challenge.encode()]:
        raise EnrolmentRefused("the certificate request does not carry the challenge (challengePassword)")
    named = [a.partition(b" ")[2] for a in answered if challenge is not None or FOR_A_SERVICE.fullmatch(a)]
    if origin and any(name != origin.encode() for name in named):
        raise EnrolmentRefused(f"the certificate request was not made for this service, {origin}")
    return key


def common_name_of(csr: bytes) -> str:
    """The name that a request asks for; empty where it asks for none or for several. Raises as
    ``parse_csr``."""
    parse_csr(csr)
    try:
        names = _load_csr(csr).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, TypeError) as e:
        raise RequestUnreadable("the subject of the certificate request cannot be read") from e
    return str(names[0].value) if len(names) == 1 else ""


def _load_csr(csr: bytes) -> x509.CertificateSigningRequest:
    if len(csr) > MAX_CSR_BYTES:
        raise EnrolmentRefused(f"the certificate request has more than {MAX_CSR_BYTES} bytes")
    load = x509.load_pem_x509_csr if csr.lstrip().startswith(b"-----") else x509.load_der_x509_csr
    try:
        return load(csr)
    except (ValueError, TypeError, x509.InvalidVersion) as e:
        raise RequestUnreadable(UNREADABLE) from e


def _challenges(request: x509.CertificateSigningRequest, *, needed: bool) -> list[bytes]:
    """Other clients than ours send attributes that cannot be read; without a challenge nobody needs them."""
    try:
        return [a.value for a in request.attributes if a.oid == AttributeOID.CHALLENGE_PASSWORD]
    except ValueError:
        if needed:
            raise
        return []


def root_certificate(
    common_name: str, key: ec.EllipticCurvePrivateKey, now: datetime, *, years: int
) -> x509.Certificate:
    """A self-signed root that may have one level of authorities below it."""
    subject = _name(ORGANISATION, common_name)
    builder = _builder(subject, key.public_key(), now - CA_SKEW, _years_after(now, years))
    return _sign(_as_authority(builder, path_length=1), subject, key)


def issuing_certificate(
    common_name: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    years: int,
    start: datetime | None = None,
) -> x509.Certificate:
    """An authority that issues to devices only (path length 0). ``start``: since when this key is one."""
    end = min(_years_after(now, years), issuer.certificate.not_valid_after_utc)
    builder = _builder(_name(ORGANISATION, common_name), public_key, start or now - CA_SKEW, end)
    return _sign(_as_authority(builder, path_length=0), issuer.certificate.subject, issuer.key)


def device_certificate(
    name: str,
    device_id: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    days: int,
    addresses: StatusAddresses | None = None,
) -> x509.Certificate:
    """A leaf for one device. It never outlives its issuer; raises ``Unavailable`` when that has ended."""
    start, end = _within(issuer.certificate, now, timedelta(days=days))
    subject = _name(DEVICE_ORGANISATION, name, device_id)
    builder = _as_leaf(_builder(subject, public_key, start, end)).add_extension(
        x509.ExtendedKeyUsage(DEVICE_USAGES), critical=False
    )
    if addresses is not None:
        builder = _with_addresses(builder, addresses)
    return _sign(builder, issuer.certificate.subject, issuer.key)


def ocsp_certificate(
    public_key: ec.EllipticCurvePublicKey, issuer: Issuer, now: datetime, lifetime: timedelta
) -> x509.Certificate:
    """A leaf that answers for its issuer (RFC 6960, 4.2.2.2) and is itself never asked about."""
    start, end = _within(issuer.certificate, now, lifetime)
    builder = _as_leaf(_builder(_name(ORGANISATION, "Assay status responder"), public_key, start, end))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return _sign(builder, issuer.certificate.subject, issuer.key)


def _within(issuer: x509.Certificate, now: datetime, lifetime: timedelta) -> tuple[datetime, datetime]:
    start, end = max(now - LEAF_SKEW, issuer.not_valid_before_utc), issuer.not_valid_after_utc
    if end <= now:
        raise HomeUnfit(f"the issuing authority's certificate ended at {end}")
    return start, min(now + lifetime, end)


def timestamp_certificate(
    common_name: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    years: int,
) -> x509.Certificate:
    """A leaf that can stamp and nothing else; long-lived, because some verifiers judge it at their now."""
    end = min(_years_after(now, years), issuer.certificate.not_valid_after_utc)
    builder = _as_leaf(_builder(_name(ORGANISATION, common_name), public_key, now - CA_SKEW, end))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return _sign(builder, issuer.certificate.subject, issuer.key)


def _name(organisation: str, common_name: str, serial_number: str | None = None) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    if serial_number is not None:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number))
    return x509.Name(attributes)


def _years_after(now: datetime, years: int) -> datetime:
    return now + timedelta(days=round(years * 365.25))


def _builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start.replace(microsecond=0))
        .not_valid_after(end.replace(microsecond=0))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True, "crl_sign": True})
    constraints = x509.BasicConstraints(ca=True, path_length=path_length)
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _as_leaf(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(**{**_NO_USAGE, "digital_signature": True})
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    return builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)


def _with_addresses(builder: x509.CertificateBuilder, addresses: StatusAddresses) -> x509.CertificateBuilder:
    def url(value: str) -> x509.UniformResourceIdentifier:
        return x509.UniformResourceIdentifier(value)

    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, url(addresses.ocsp)),
            x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url(addresses.issuer)),
        ]
    )
    point = x509.DistributionPoint(
        full_name=[url(addresses.crl)], relative_name=None, reasons=None, crl_issuer=None
    )
    builder = builder.add_extension(access, critical=False)
    return builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)


def _sign(
    builder: x509.CertificateBuilder, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = builder.issuer_name(issuer).add_extension(authority_key, critical=False)
    return builder.sign(key, hashes.SHA256())
