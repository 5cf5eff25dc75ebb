"""A time-stamp authority after RFC 3161: DER in, DER out, on pyca's ASN.1 alone.

Decides what is stamped; who may ask and over which transport is left to authn/web, which key it signs with to
authn/pki. ES256 only. What it promises, beyond the letter of the standard:

- genTime in whole seconds with an accuracy of one second: one of the two C2PA readers refuses fractions.
- No CMS signingTime attribute: the other one would show it in the place of genTime.
- ESSCertIDv2 with issuer and serial (RFC 5816), and the tsa name, so that strict verifiers find their signer.
- A random serial of 159 bits: it is unique without a counter on the disk.
- A clock that is not synchronised, or has gone back, stamps nothing: wrong proof is worse than none.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier as Oid

from authn.core.errors import ClockUnfit, HomeUnfit

# An OID without a registry, under the arc of UUIDs (ITU-T X.667): the first 28 bits of the SHA-256 of
# "urn:assay:tsa-policy:1". No more bits, because encypher-c2pa 1.7.1 calls a token malformed whose policy has
# a longer arc, as a whole UUID is; then the two readers disagree about every time-stamp of ours.
DEFAULT_POLICY = "2.25.91708674"
MAX_REQUEST_BYTES = 4096
ACCURACY_S = 1
_SERIAL_BITS = 159

_DIGEST_BYTES = {
    Oid("2.16.840.1.101.3.4.2.1"): 32,  # SHA-256
    Oid("2.16.840.1.101.3.4.2.2"): 48,  # SHA-384
    Oid("2.16.840.1.101.3.4.2.3"): 64,  # SHA-512
}
_SIGNED_DATA = Oid("1.2.840.113549.1.7.2")
_TST_INFO = Oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = Oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = Oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = Oid("1.2.840.113549.1.9.16.2.47")
_SHA256 = Oid("2.16.840.1.101.3.4.2.1")
_ECDSA_SHA256 = Oid("1.2.840.10045.4.3.2")

# PKIFailureInfo, RFC 3161 section 2.4.2
_BAD_ALGORITHM = 0
_BAD_REQUEST = 2
_BAD_DATA_FORMAT = 5
_TIME_NOT_AVAILABLE = 14
_UNACCEPTED_POLICY = 15
_UNACCEPTED_EXTENSION = 16
_GRANTED, _REJECTION = 0, 2


@asn1.sequence
class _Algorithm:
    oid: Oid
    parameters: asn1.Null | None


@asn1.sequence
class _Imprint:
    algorithm: _Algorithm
    digest: bytes


@asn1.sequence
class _Request:
    version: int
    imprint: _Imprint
    policy: Oid | None
    nonce: int | None
    certificate_wanted: Annotated[bool, asn1.Default(False)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]


@asn1.sequence
class _Accuracy:
    seconds: int


@asn1.sequence
class _TstInfo:
    version: int
    policy: Oid
    imprint: _Imprint
    serial: int
    gen_time: asn1.GeneralizedTime
    accuracy: _Accuracy
    nonce: int | None
    tsa: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class _Status:
    status: int
    text: list[str] | None
    failure: asn1.BitString | None


@asn1.sequence
class _Granted:
    status: _Status
    token: asn1.TLV


@asn1.sequence
class _Rejected:
    status: _Status


@asn1.sequence
class _Attribute:
    type: Oid
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _IssuerAndSerial:
    issuer: asn1.TLV
    serial: int


@asn1.sequence
class _SignerInfo:
    version: int
    signer: _IssuerAndSerial
    digest_algorithm: _Algorithm
    attributes: Annotated[asn1.SetOf[_Attribute], asn1.Implicit(0)]
    signature_algorithm: _Algorithm
    signature: bytes


@asn1.sequence
class _Encapsulated:
    type: Oid
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _SignedData:
    version: int
    digest_algorithms: asn1.SetOf[_Algorithm]
    encapsulated: _Encapsulated
    certificates: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(0)]
    signers: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _ContentInfo:
    type: Oid
    content: Annotated[_SignedData, asn1.Explicit(0)]


class _Refused(Exception):
    """Becomes a rejection on the wire; ``failure`` is a bit of PKIFailureInfo."""

    def __init__(self, failure: int, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """``certificate`` is the stamping leaf, ``chain`` what lies between it and the root.

    ``clock``, which may raise ``Unavailable``, and ``clock_synchronised`` are asked once per request. Raises
    ``Unavailable`` where the key is not that of the certificate or not on P-256.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: Sequence[x509.Certificate] = ()
    policy: str = DEFAULT_POLICY
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock_synchronised: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        if self.key.public_key() != self.certificate.public_key() or self.key.curve.name != "secp256r1":
            raise HomeUnfit("the time-stamp authority's key is not the P-256 key of its certificate")

    def respond(self, request: bytes) -> bytes:
        """A TimeStampResp for a TimeStampReq. Everything that is wrong with a request is a rejection inside
        the answer; nothing is raised for it."""
        try:
            asked = _parse(request)
            self._check(asked)
            token = self._token(asked)
        except _Refused as e:
            return asn1.encode_der(_Rejected(status=_rejection(e)))
        granted = _Status(status=_GRANTED, text=None, failure=None)
        return asn1.encode_der(_Granted(status=granted, token=token))

    def _check(self, asked: _Request) -> None:
        if asked.policy is not None and asked.policy.dotted_string != self.policy:
            raise _Refused(_UNACCEPTED_POLICY, "this policy is not offered")
        if asked.extensions is not None:
            raise _Refused(_UNACCEPTED_EXTENSION, "extensions are not offered")
        if not self.clock_synchronised():
            raise _Refused(_TIME_NOT_AVAILABLE, "the clock is not synchronised")

    def _token(self, asked: _Request) -> asn1.TLV:
        try:
            now = self.clock().astimezone(UTC).replace(microsecond=0)
        except ClockUnfit as e:
            raise _Refused(_TIME_NOT_AVAILABLE, e.detail) from e
        if not self.certificate.not_valid_before_utc <= now <= self.certificate.not_valid_after_utc:
            raise _Refused(_TIME_NOT_AVAILABLE, "the authority's certificate is not valid now")
        tst = asn1.encode_der(
            _TstInfo(
                version=1,
                policy=asked.policy or Oid(self.policy),
                imprint=asked.imprint,
                serial=secrets.randbits(_SERIAL_BITS) | 1,
                gen_time=asn1.GeneralizedTime(now),
                accuracy=_Accuracy(seconds=ACCURACY_S),
                nonce=asked.nonce,
                tsa=_raw(_directory_name(self.certificate.subject)),
            )
        )
        certificates = [_raw(c.public_bytes(Encoding.DER)) for c in (self.certificate, *self.chain)]
        signed = _SignedData(
            version=3,
            digest_algorithms=asn1.SetOf([_algorithm(_SHA256)]),
            encapsulated=_Encapsulated(type=_TST_INFO, content=tst),
            certificates=asn1.SetOf(certificates) if asked.certificate_wanted else None,
            signers=asn1.SetOf([self._signer_info(tst)]),
        )
        return _raw(asn1.encode_der(_ContentInfo(type=_SIGNED_DATA, content=signed)))

    def _signer_info(self, tst: bytes) -> _SignerInfo:
        digest = asn1.encode_der(hashlib.sha256(tst).digest())
        attributes = [
            _Attribute(type=_CONTENT_TYPE, values=asn1.SetOf([_raw(asn1.encode_der(_TST_INFO))])),
            _Attribute(type=_MESSAGE_DIGEST, values=asn1.SetOf([_raw(digest)])),
            _Attribute(type=_SIGNING_CERTIFICATE_V2, values=asn1.SetOf([_raw(self._signing_certificate())])),
        ]
        # RFC 5652 section 5.4: what is signed is the SET OF, in DER order, not its implicit [0] form.
        to_sign = _tlv(0x31, b"".join(sorted(asn1.encode_der(a) for a in attributes)))
        return _SignerInfo(
            version=1,
            signer=_IssuerAndSerial(
                issuer=_raw(self.certificate.issuer.public_bytes()), serial=self.certificate.serial_number
            ),
            digest_algorithm=_algorithm(_SHA256),
            attributes=asn1.SetOf(attributes),
            signature_algorithm=_algorithm(_ECDSA_SHA256),
            signature=self.key.sign(to_sign, ec.ECDSA(hashes.SHA256())),
        )

    def _signing_certificate(self) -> bytes:
        """SigningCertificateV2 { { ESSCertIDv2 { certHash, IssuerSerial } } }; SHA-256 is the default and so
        must be left out (RFC 5816 section 2)."""
        digest = hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).digest()
        issuer = _tlv(0x30, _directory_name(self.certificate.issuer))
        issuer_serial = _tlv(0x30, issuer + asn1.encode_der(self.certificate.serial_number))
        return _tlv(0x30, _tlv(0x30, _tlv(0x30, _tlv(0x04, digest) + issuer_serial)))


def _parse(request: bytes) -> _Request:
    if len(request) > MAX_REQUEST_BYTES:
        raise _Refused(_BAD_DATA_FORMAT, "the request is too large")
    try:
        asked = asn1.decode_der(_Request, request)
    except ValueError as e:
        raise _Refused(_BAD_DATA_FORMAT, "the request is no TimeStampReq") from e
    if asked.version != 1:
        raise _Refused(_BAD_REQUEST, "the request is not version 1")
    length = _DIGEST_BYTES.get(asked.imprint.algorithm.oid)
    if length is None:
        raise _Refused(_BAD_ALGORITHM, "only SHA-256, SHA-384 and SHA-512 are stamped")
    if len(asked.imprint.digest) != length:
        raise _Refused(_BAD_DATA_FORMAT, "the imprint does not have its algorithm's length")
    return asked


def _rejection(refused: _Refused) -> _Status:
    bits = bytearray(refused.failure // 8 + 1)
    bits[-1] = 0x80 >> (refused.failure % 8)
    failure = asn1.BitString(bytes(bits), 7 - refused.failure % 8)
    return _Status(status=_REJECTION, text=[refused.text], failure=failure)


def _algorithm(oid: Oid) -> _Algorithm:
    return _Algorithm(oid=oid, parameters=None)


def _directory_name(name: x509.Name) -> bytes:
    return _tlv(0xA4, name.public_bytes())  # GeneralName, directoryName [4]


def _raw(der: bytes) -> asn1.TLV:
    return asn1.decode_der(asn1.TLV, der)


def _tlv(tag: int, body: bytes) -> bytes:
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body
