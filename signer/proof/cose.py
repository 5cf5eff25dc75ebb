"""The claim signature: a COSE_Sign1 (RFC 9052) with x5chain (RFC 9360) and sigTst/sigTst2 (C2PA 2.x 14.6).

It takes the structure apart and says what was signed and what was stamped. It verifies one thing, the
signature itself, against a key that the caller names; chains and time are decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cbor2
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from signer.core.errors import ManifestMalformed, ManifestUnsupported, SignatureUnsupported, SigningFailed
from signer.proof.cbor import NotCbor, read_cbor

COSE_SIGN1_TAG = 18
MAX_CERTIFICATES = 16  # a path has three or four; more is somebody playing
MAX_TOKENS = 4
_X5CHAIN = 33
_NO_TOKEN = b""

_ES = {-7: (hashes.SHA256(), 32), -35: (hashes.SHA384(), 48), -36: (hashes.SHA512(), 66)}
_PS = {-37: hashes.SHA256(), -38: hashes.SHA384(), -39: hashes.SHA512()}
_EDDSA = -8


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSignature:
    """``certificates`` are DER, leaf first. ``tokens_v2`` are bare time-stamp tokens (sigTst2),
    ``responses_v1`` whole TimeStampResp values (sigTst). ``unprotected``: the names in that header."""

    protected: bytes
    algorithm: int
    signature: bytes
    certificates: tuple[bytes, ...]
    tokens_v2: tuple[bytes, ...]
    responses_v1: tuple[bytes, ...]
    unprotected: frozenset[object] = frozenset()


def parse_claim_signature(cbor: bytes) -> ClaimSignature:
    """Strict: tagged or untagged COSE_Sign1 with detached payload. Raises ``ManifestMalformed``."""
    protected, unprotected, payload, signature = _sign1(cbor)
    if payload is not None:
        raise ManifestMalformed("the claim signature carries a payload of its own")
    header = _mapping(_loads(protected), "protected header")
    algorithm = header.get(1)
    if not isinstance(algorithm, int):
        raise ManifestMalformed("the claim signature names no algorithm")
    return ClaimSignature(
        protected=protected,
        algorithm=algorithm,
        signature=signature,
        certificates=_certificates(header, unprotected),
        tokens_v2=_tokens(unprotected, "sigTst2"),
        responses_v1=_tokens(unprotected, "sigTst"),
        unprotected=frozenset(unprotected),
    )


def verify_claim_signature(parsed: ClaimSignature, claim: bytes, key: CertificatePublicKeyTypes) -> None:
    """Raises ``SigningFailed`` unless ``key`` made this signature over this claim (RFC 9052 section 4.4);
    ``SignatureUnsupported`` where that could not be computed."""
    message = _dumps(["Signature1", parsed.protected, b"", claim])
    try:
        _verify(parsed, message, key)
    except UnsupportedAlgorithm as e:
        raise SignatureUnsupported("the claim signature cannot be computed with this key") from e
    except (InvalidSignature, ValueError) as e:
        raise SigningFailed("the claim signature does not verify") from e


def _verify(parsed: ClaimSignature, message: bytes, key: CertificatePublicKeyTypes) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey) and parsed.algorithm in _ES:
        algorithm, size = _ES[parsed.algorithm]
        if len(parsed.signature) != 2 * size:
            _check_form(parsed.signature)
        r, s = (int.from_bytes(part, "big") for part in (parsed.signature[:size], parsed.signature[size:]))
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(algorithm))
    elif isinstance(key, rsa.RSAPublicKey) and parsed.algorithm in _PS:
        digest = _PS[parsed.algorithm]
        key.verify(parsed.signature, message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    elif isinstance(key, ed25519.Ed25519PublicKey) and parsed.algorithm == _EDDSA:
        key.verify(parsed.signature, message)
    else:
        raise SignatureUnsupported(
            f"the claim signature's algorithm, {parsed.algorithm}, is not computed here with its key"
        )


def _check_form(signature: bytes) -> None:
    """Other tools write r and s as X.509 does. Raises ``InvalidSignature`` for what is not even that."""
    try:
        decode_dss_signature(signature)
    except ValueError as e:
        raise InvalidSignature from e
    raise SignatureUnsupported("the claim signature is not in the form of COSE (RFC 9053, 2.1)")


def stamped_message_v2(parsed: ClaimSignature) -> bytes:
    """What a sigTst2 token stamps: the counter-signature structure over the signature."""
    return stamped_message(parsed.protected, _dumps(parsed.signature))


def stamped_message_v1(parsed: ClaimSignature, claim: bytes) -> bytes:
    """What a sigTst response stamps: the same structure over the claim."""
    return stamped_message(parsed.protected, claim)


def stamped_message(protected: bytes, payload: bytes) -> bytes:
    return _dumps(["CounterSignature", protected, b"", payload])


def with_token(cbor: bytes, token: bytes) -> bytes:
    """The same COSE_Sign1 with ``token`` as its only sigTst2 and less padding, byte for byte as long.

    The unprotected header is covered by no signature; ``pad`` and ``pad2`` exist so that it can be filled in
    later (C2PA 2.x section 13.2.3). Raises ``ManifestMalformed`` where there is too little padding.
    """
    protected, unprotected, payload, signature = _sign1(cbor)
    tagged = isinstance(_loads(cbor), cbor2.CBORTag)
    kept: dict[object, object] = {k: v for k, v in unprotected.items() if k not in ("pad", "pad2", "sigTst2")}
    kept["sigTst2"] = {"tstTokens": [{"val": token}]}

    def encoded(**filler: bytes) -> bytes:
        header = kept | dict[object, object](filler)
        value = [protected, header, payload, signature]
        return _dumps(cbor2.CBORTag(COSE_SIGN1_TAG, value) if tagged else value)

    room = len(cbor) - len(encoded(pad=b""))
    for size in range(room, max(room - 12, -1), -1):
        for filler in ({"pad": bytes(size)}, {"pad": bytes(size), "pad2": b""}):
            if len(filled := encoded(**filler)) == len(cbor):
                return filled
    raise ManifestMalformed(f"the signature has no room for a time-stamp token of {len(token)} bytes")


def _sign1(cbor: bytes) -> tuple[bytes, Mapping[object, object], object, bytes]:
    value = _loads(cbor)
    if isinstance(value, cbor2.CBORTag):
        if value.tag != COSE_SIGN1_TAG:
            raise ManifestMalformed("the claim signature is no COSE_Sign1")
        value = value.value
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise ManifestMalformed("the claim signature is no COSE_Sign1")
    protected, unprotected, payload, signature = value
    if not isinstance(protected, bytes) or not isinstance(signature, bytes):
        raise ManifestMalformed("the claim signature is no COSE_Sign1")
    return protected, _mapping(unprotected, "unprotected header"), payload, signature


def _certificates(
    protected: Mapping[object, object], unprotected: Mapping[object, object]
) -> tuple[bytes, ...]:
    """x5chain: protected label 33 in claim v2; older writers used the text label or the other header."""
    for header in (protected, unprotected):
        for label in (_X5CHAIN, "x5chain"):
            if label in header:
                chain = header[label]
                chain = (chain,) if isinstance(chain, bytes) else chain
                if not isinstance(chain, list | tuple) or not chain:
                    raise ManifestMalformed("x5chain is no list of certificates")
                if len(chain) > MAX_CERTIFICATES:
                    raise ManifestUnsupported(f"x5chain holds more than {MAX_CERTIFICATES} certificates")
                if not all(isinstance(c, bytes) for c in chain):
                    raise ManifestMalformed("x5chain holds something that is no certificate")
                return tuple(bytes(c) for c in chain)
    raise ManifestMalformed("the claim signature names no certificate")


def _tokens(unprotected: Mapping[object, object], label: str) -> tuple[bytes, ...]:
    """The first of them. No signature covers this header: what is no token there costs the time alone, so it
    is given as a token that cannot be read."""
    if label not in unprotected:
        return ()
    container = unprotected[label]
    entries = container.get("tstTokens") if isinstance(container, Mapping) else None
    if not isinstance(entries, list | tuple) or not entries:
        return (_NO_TOKEN,)
    values = [e.get("val") if isinstance(e, Mapping) else None for e in entries[:MAX_TOKENS]]
    return tuple(v if isinstance(v, bytes) else _NO_TOKEN for v in values)


def _mapping(value: object, what: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise ManifestMalformed(f"the {what} is no map")
    return value


def _loads(cbor: bytes) -> object:
    try:
        return read_cbor(cbor)
    except NotCbor as e:
        raise ManifestMalformed("the claim signature is no CBOR") from e


def _dumps(value: object) -> bytes:
    return cbor2.dumps(value)
