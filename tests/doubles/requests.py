"""Certificate requests as devices and strangers make them."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, NameOID


def csr_of(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    *,
    ask: str = "camera",
    challenge: str | None = None,
) -> bytes:
    """A PEM request; ``ask`` is the common name it asks for, ``challenge`` its challengePassword."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ask)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if challenge is not None:
        request = request.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    return request.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        Encoding.PEM
    )


def greedy_csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Asks to become a certificate authority with somebody else's name."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Assay"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Assay device root"),
        ]
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")]), critical=False)
    )
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def stolen_csr() -> bytes:
    """Somebody's public key, signed by somebody else: no proof of possession."""
    der = x509.load_pem_x509_csr(csr_of()).public_bytes(Encoding.DER)
    forged = bytearray(der)
    forged[-1] ^= 1
    return bytes(forged)
