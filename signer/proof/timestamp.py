"""RFC 3161 time-stamps: build a request, read an answer, verify a token against roots.

Pure: it opens no socket and reads no clock. A token is judged at its own genTime, and only against the
time-stamping roots it is given. The checks go beyond the usual ones because two well-known verifiers each
accept tokens that the standard forbids; what is made of one is docs/decisions/0014. ``verify_token`` does, in
this order:

 1. strict structure: DER without trailing bytes, SignedData v3, eContentType id-ct-TSTInfo, TSTInfo v1,
    exactly one SignerInfo, signed attributes sorted, none twice, one value each (RFC 3161 2.4.2, RFC 5652 5)
 2. contentType attribute is id-ct-TSTInfo; messageDigest is the digest of the TSTInfo
 3. a signingTime attribute, where there is one, does not differ from genTime
 4. message imprint is the digest of the message; the nonce is the expected one
 5. the signer's certificate is found by issuer and serial, never as "the leaf of the bag"
 6. ESSCertID/ESSCertIDv2 names that certificate (RFC 5816); the tsa name, where given, is its subject
 7. its key made the signature over the attributes
 8. the certificate: no CA, extended key usage timeStamping alone and critical (RFC 3161 2.3)
 9. it was valid at genTime, and a path to one of the roots exists then (RFC 5280 section 6)
10. nothing of 1, 6 and 8 was left out that changes none of this: such a token is not strict
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.core.errors import (
    TimestampError,
    TimestampInvalid,
    TimestampMalformed,
    TimestampMismatch,
    TimestampOutsideValidity,
    TimestampRejected,
    TimestampUnfit,
    TimestampUnsupported,
    TimestampUntrusted,
)
from signer.proof.certificates import Certificate, issuer_name, subject_name
from signer.proof.der import encoded, integer, single
from signer.proof.path import PathRefused
from signer.proof.reach import reaches
from signer.proof.tst import ParsedToken, not_strict, take_apart
from signer.proof.walk import find_path

_USAGES = frozenset({ExtendedKeyUsageOID.TIME_STAMPING})
_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
# ecdsa-with-SHA256, 384, 512 (RFC 5758) and sha256, 384, 512WithRSAEncryption (RFC 4055); some writers name
# the kind of key only, which is legal for RSA (RFC 3370) and harmless for the other.
_ECDSA = {bytes.fromhex("2a8648ce3d04030" + n): h for n, h in zip("234", _HASHES.values(), strict=True)}
_RSA = {bytes.fromhex("2a864886f70d01010" + n): name for n, name in zip("bcd", _HASHES, strict=True)}
_EC_KEY, _RSA_KEY = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a864886f70d010101")
_SHA256 = bytes.fromhex("608648016503040201")
_SEQUENCE, _OID, _INTEGER, _OCTETS = 0x30, 0x06, 0x02, 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedTimestamp:
    """Somebody who held this authority's key saw the stamped bytes at ``gen_time``, give or take."""

    gen_time: datetime
    accuracy_s: float | None
    serial: int
    policy: str
    certificate: Certificate


def build_request(message: bytes, nonce: int) -> bytes:
    """A TimeStampReq for the SHA-256 of ``message``, asking for the certificate (RFC 3161 2.4.1)."""
    sha256 = encoded(_SEQUENCE, encoded(_OID, _SHA256) + b"\x05\x00")
    imprint = encoded(_SEQUENCE, sha256 + encoded(_OCTETS, hashlib.sha256(message).digest()))
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")
    return encoded(_SEQUENCE, b"\x02\x01\x01" + imprint + encoded(_INTEGER, number) + b"\x01\x01\xff")


def parse_response(response: bytes) -> bytes:
    """The token of a TimeStampResp. Raises ``TimestampRejected`` with the authority's words, or
    ``TimestampMalformed``; ``grantedWithMods`` counts as rejected, since we asked for nothing to modify."""
    try:
        stated, *tokens = single(response, _SEQUENCE).children()
        status, *words = single(stated.raw, _SEQUENCE).children()
        value = integer(status)
        if value != 0:
            said = b" ".join(text.body for text in words[0].children()) if words else b""
            raise TimestampRejected(
                f"the time-stamp authority refused (status {value}): {said[:200].decode('utf-8', 'replace')}"
            )
        if len(tokens) != 1:
            raise TimestampMalformed("the answer holds no token")
        return tokens[0].raw
    except ValueError as e:
        raise TimestampMalformed("the answer is no TimeStampResp") from e


def verify_token(
    token: bytes,
    message: bytes,
    roots: Sequence[Certificate],
    *,
    nonce: int | None = None,
) -> VerifiedTimestamp:
    """All steps. Raises the kind of ``TimestampError`` that says why the token is not relied on;
    ``TimestampNotStrict`` last, when everything else holds."""
    parsed = take_apart(token)
    if not hmac.compare_digest(
        hashlib.new(parsed.info.imprint_algorithm, message).digest(), parsed.info.imprint
    ):
        raise TimestampMismatch("the token stamps other bytes")
    if nonce is not None and parsed.info.nonce != nonce:
        raise TimestampMismatch("the token answers another request")
    try:
        certificate = _signer(parsed)
        _check_names(parsed, certificate)
        _check_signature(parsed, certificate)
        deviations = (*parsed.deviations, *_deviations(parsed, certificate, roots))
    except ValueError as e:  # pyca reads some fields of a certificate only when they are asked for
        raise TimestampMalformed("a certificate of the token cannot be read") from e
    _check_path(certificate, parsed, roots)
    if deviations:
        raise not_strict(deviations)
    return VerifiedTimestamp(
        gen_time=parsed.info.gen_time,
        accuracy_s=parsed.info.accuracy_s,
        serial=parsed.info.serial,
        policy=parsed.info.policy,
        certificate=certificate,
    )


def _signer(parsed: ParsedToken) -> Certificate:
    for certificate in parsed.certificates:
        if (
            certificate.serial_number == parsed.certificate_serial
            and issuer_name(certificate) == parsed.issuer
        ):
            return certificate
    raise TimestampUnsupported("the token carries no certificate of its signer that can be read")


def _check_names(parsed: ParsedToken, certificate: Certificate) -> None:
    der = certificate.public_bytes(serialization.Encoding.DER)
    # SHA-1 here only names a certificate (RFC 2634); the path below decides about trust.
    for algorithm, expected in parsed.ess_digests:
        if not hmac.compare_digest(hashlib.new(algorithm, der, usedforsecurity=False).digest(), expected):
            raise TimestampInvalid("ESSCertID names another certificate than the signer's")


def _check_signature(parsed: ParsedToken, certificate: Certificate) -> None:
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError) as e:
        raise TimestampUnsupported("the authority's key cannot be read") from e
    name, digest = parsed.signature_algorithm, _HASHES[parsed.digest_algorithm]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            curve_digest = digest if name == _EC_KEY else _ECDSA.get(name)
            if curve_digest is None:
                raise TimestampMalformed("the token names another signature algorithm than its key's")
            key.verify(parsed.signature, parsed.signed_attributes, ec.ECDSA(curve_digest))
        elif isinstance(key, rsa.RSAPublicKey):
            if name != _RSA_KEY and _RSA.get(name) != parsed.digest_algorithm:
                raise TimestampMalformed("the token names another signature algorithm than its key's")
            key.verify(parsed.signature, parsed.signed_attributes, padding.PKCS1v15(), digest)
        else:
            raise TimestampUnsupported("the authority's key type is not accepted")
    except UnsupportedAlgorithm as e:
        raise TimestampUnsupported("the signature of the token cannot be computed") from e
    except InvalidSignature as e:
        raise TimestampInvalid("the signature of the token does not verify") from e


def _deviations(
    parsed: ParsedToken, certificate: Certificate, roots: Sequence[Certificate]
) -> tuple[str, ...]:
    """What honest authorities get wrong. Raises ``TimestampUnfit`` for one under a root that must not stamp,
    ``TimestampUntrusted`` for any other that must not."""

    def refusal(why: str) -> TimestampError:
        under = _is_under(roots, certificate, parsed)
        return TimestampUnfit(why) if under else TimestampUntrusted(why)

    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError) as e:
        raise refusal("the authority's certificate has no extended key usage") from e
    if ExtendedKeyUsageOID.TIME_STAMPING not in usage.value:
        raise refusal("the authority's certificate is not for time-stamping")
    name = parsed.info.tsa_name
    found = {
        "the tsa name is not the subject of the signer's certificate": name is not None
        and name != subject_name(certificate),
        "the authority's certificate is not for time-stamping alone": len(list(usage.value)) != 1,
        "the extended key usage of the authority's certificate is not critical": not usage.critical,
    }
    return tuple(what for what, applies in found.items() if applies)


def _check_path(certificate: Certificate, parsed: ParsedToken, roots: Sequence[Certificate]) -> None:
    others = [c for c in parsed.certificates if c != certificate]
    if not certificate.not_valid_before_utc <= parsed.info.gen_time <= certificate.not_valid_after_utc:
        raise TimestampOutsideValidity("the authority's certificate was not valid at the time that it states")
    try:
        find_path(certificate, others, roots, at=parsed.info.gen_time, usages=_USAGES)
    except PathRefused as e:
        if _is_under(roots, certificate, parsed):
            said = f"the path from the authority's certificate to a root breaks a rule: {e}"
            raise TimestampUnfit(said, on_path=True) from e
        raise TimestampUntrusted(f"the authority's certificate chains to none of the roots: {e}") from e


def _is_under(roots: Sequence[Certificate], certificate: Certificate, parsed: ParsedToken) -> bool:
    """Whether signatures lead to a root that was valid. A certificate that is listed itself is under none."""
    others = [c for c in parsed.certificates if c != certificate]
    return certificate not in roots and reaches((certificate, *others), roots, parsed.info.gen_time)
