"""A certificate authority for tests: real certificates with pyca, every deviation behind a named knob.

``TestPki()`` has two independent trees, as the service has: device root -> issuing CA -> leaf, and TSA
root -> TSA leaf. ``leaf(...)`` and ``tsa_leaf(...)`` change one thing at a time, so that a test can name
the defect.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

C2PA_CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
DEVICE_EKUS = (C2PA_CLAIM_SIGNING, DOCUMENT_SIGNING)
TSA_EKUS = (ExtendedKeyUsageOID.TIME_STAMPING,)

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Extension = tuple[x509.ExtensionType, bool]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def name(common_name: str, organisation: str | None = "Assay Tests") -> x509.Name:
    organisations = (
        [] if organisation is None else [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)]
    )
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate with its key and the rest of its path (leaf not included, root left out)."""

    certificate: x509.Certificate
    key: SigningKey
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return (self.certificate, *self.intermediates)

    @property
    def chain_pem(self) -> bytes:
        """Leaf first, as C2PA wants it."""
        return pem_of(*self.chain)

    @property
    def ec_key(self) -> ec.EllipticCurvePrivateKey:
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        return self.key


def issue(
    subject: x509.Name,
    public_key: x509.base.CertificatePublicKeyTypes,
    *,
    issuer: Issued | None,
    issuer_key: SigningKey | None = None,
    ca: bool = False,
    path_length: int | None = None,
    ekus: Sequence[x509.ObjectIdentifier] = (),
    eku_critical: bool = False,
    usages: Sequence[str] | None = None,
    not_before: dt.datetime | None = None,
    not_after: dt.datetime | None = None,
    aki: bool = True,
    ski: bool = True,
    basic_constraints: bool = True,
    extra: Sequence[Extension] = (),
) -> x509.Certificate:
    """One certificate. ``issuer=None`` needs ``issuer_key`` and makes it self-signed."""
    signing_key = issuer_key or (issuer.key if issuer else None)
    assert signing_key is not None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now() - dt.timedelta(days=1))
        .not_valid_after(not_after or now() + dt.timedelta(days=90))
    )
    if basic_constraints:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    usages = (("key_cert_sign", "crl_sign") if ca else ("digital_signature",)) if usages is None else usages
    if usages:
        builder = builder.add_extension(_key_usage(usages), critical=True)
    if ekus:
        builder = builder.add_extension(x509.ExtendedKeyUsage(ekus), critical=eku_critical)
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    if aki:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    algorithm = None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signing_key, algorithm)


def _key_usage(usages: Sequence[str]) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{usage: usage in usages for usage in every})


class TestPki:
    """Two trees. Device side: ``root``, ``issuing``, ``leaf()``. Time side: ``tsa_root``, ``tsa_leaf()``."""

    __test__ = False  # not a test class, whatever its name begins with

    def __init__(self, label: str = "Test") -> None:
        long_ago, far_off = now() - dt.timedelta(days=3650), now() + dt.timedelta(days=3650)
        self.root = self._authority(f"{label} Device Root", None, None, long_ago, far_off)
        self.issuing = self._authority(f"{label} Device Issuing CA", self.root, 0, long_ago, far_off)
        self.tsa_root = self._authority(f"{label} Time Root", None, None, long_ago, far_off)

    @property
    def device_roots(self) -> tuple[x509.Certificate, ...]:
        return (self.root.certificate,)

    @property
    def tsa_roots(self) -> tuple[x509.Certificate, ...]:
        return (self.tsa_root.certificate,)

    def leaf(
        self,
        common_name: str = "device-0001",
        *,
        key: SigningKey | None = None,
        public_key: x509.base.CertificatePublicKeyTypes | None = None,
        issuer: Issued | None = None,
        ekus: Sequence[x509.ObjectIdentifier] = DEVICE_EKUS,
        organisation: str | None = "Assay Tests",
        **knobs: object,
    ) -> Issued:
        """A device certificate under ``issuing`` (or ``issuer``); ``knobs`` go to ``issue``."""
        key = key or new_key()
        above = issuer or self.issuing
        certificate = issue(
            name(common_name, organisation),
            public_key or key.public_key(),
            issuer=above,
            ekus=ekus,
            **knobs,  # type: ignore[arg-type]
        )
        intermediates = (above.certificate, *above.intermediates) if above is not self.root else ()
        return Issued(certificate=certificate, key=key, intermediates=intermediates)

    def tsa_leaf(
        self,
        common_name: str = "time-0001",
        *,
        key: SigningKey | None = None,
        issuer: Issued | None = None,
        ekus: Sequence[x509.ObjectIdentifier] = TSA_EKUS,
        eku_critical: bool = True,
        **knobs: object,
    ) -> Issued:
        """A time-stamping certificate directly under ``tsa_root`` (or ``issuer``)."""
        key = key or new_key()
        certificate = issue(
            name(common_name),
            key.public_key(),
            issuer=issuer or self.tsa_root,
            ekus=ekus,
            eku_critical=eku_critical,
            **knobs,  # type: ignore[arg-type]
        )
        above = issuer or self.tsa_root
        intermediates = () if above is self.tsa_root else (above.certificate, *above.intermediates)
        return Issued(certificate=certificate, key=key, intermediates=intermediates)

    def tsa_authority(self, issuer: Issued | None = None, **knobs: object) -> Issued:
        """One under ``tsa_root`` (or ``issuer``) that may issue others; ``knobs`` go to ``issue``."""
        key, above = new_key(), issuer or self.tsa_root
        knobs = {"ca": True, "not_before": now() - dt.timedelta(days=300), **knobs}
        subject = name("Time Issuing CA" if above is self.tsa_root else "Time Issuing CA below")
        certificate = issue(subject, key.public_key(), issuer=above, **knobs)  # type: ignore[arg-type]
        rest = () if above is self.tsa_root else above.chain
        return Issued(certificate=certificate, key=key, intermediates=rest)

    def _authority(
        self,
        common_name: str,
        issuer: Issued | None,
        path_length: int | None,
        not_before: dt.datetime,
        not_after: dt.datetime,
    ) -> Issued:
        key = new_key()
        certificate = issue(
            name(common_name),
            key.public_key(),
            issuer=issuer,
            issuer_key=None if issuer else key,
            ca=True,
            path_length=path_length,
            not_before=not_before,
            not_after=not_after,
        )
        return Issued(certificate=certificate, key=key)
