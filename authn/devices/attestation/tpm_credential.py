"""TPM2_MakeCredential without a TPM: a secret that only one object in one TPM can open.

TCG TPM 2.0 Library, Part 1, "Credential Protection" (section 24); the seed as annexes B (RSA) and C (ECC)
share secrets for credentials; KDFa and KDFe as in 11.4. The algorithms follow from the endorsement key, as
the templates in annex B of the TCG EK Credential Profile 2.6 fix them for each kind of key.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from authn.core.errors import AttestationRefused

IDENTITY = b"IDENTITY\0"
EndorsementKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """``blob`` is the body of a TPM2B_ID_OBJECT, ``secret`` that of a TPM2B_ENCRYPTED_SECRET."""

    blob: bytes
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    """The name algorithm and the symmetric key of a kind of endorsement key."""

    digest: hashes.HashAlgorithm
    aes_bytes: int


_LOW = _Suite(digest=hashes.SHA256(), aes_bytes=16)
_HIGH = _Suite(digest=hashes.SHA384(), aes_bytes=32)
_RSA = {2048: _LOW, 3072: _HIGH}
_ECC = {"secp256r1": _LOW, "secp384r1": _HIGH}


def endorsement_key(certificate: x509.Certificate) -> EndorsementKey:
    """The key that the certificate is for. Raises ``AttestationRefused`` for one of no known kind."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _ECC:
        return key
    raise AttestationRefused("the endorsement key is none of RSA 2048, RSA 3072, P-256 and P-384")


def make_credential(key: EndorsementKey, value: bytes, name: bytes) -> Credential:
    """``value`` (at most 32 bytes) for the object of that ``name`` beside this endorsement key.

    Raises ``AttestationRefused`` for a key that is none.
    """
    suite = _RSA[key.key_size] if isinstance(key, rsa.RSAPublicKey) else _ECC[key.curve.name]
    seed, secret = _share_seed(key, suite)
    size = suite.digest.digest_size
    encryptor = Cipher(
        AES(_kdfa(suite, seed, b"STORAGE", name, suite.aes_bytes)), CFB(bytes(AES.block_size // 8))
    ).encryptor()
    encrypted = encryptor.update(_sized(value)) + encryptor.finalize()
    outer = hmac.HMAC(_kdfa(suite, seed, b"INTEGRITY", b"", size), suite.digest)
    outer.update(encrypted + name)
    return Credential(blob=_sized(outer.finalize()) + encrypted, secret=secret)


def _share_seed(key: EndorsementKey, suite: _Suite) -> tuple[bytes, bytes]:
    size = suite.digest.digest_size
    if isinstance(key, rsa.RSAPublicKey):
        seed = secrets.token_bytes(size)
        oaep = padding.OAEP(mgf=padding.MGF1(suite.digest), algorithm=suite.digest, label=IDENTITY)
        try:
            return seed, key.encrypt(seed, oaep)
        except ValueError as e:  # a modulus that is none
            raise AttestationRefused("the endorsement key is not one that can be encrypted for") from e
    ephemeral = ec.generate_private_key(key.curve)
    coordinate = (key.curve.key_size + 7) // 8
    ours, theirs = ephemeral.public_key().public_numbers(), key.public_numbers()
    ours_x, theirs_x = ours.x.to_bytes(coordinate, "big"), theirs.x.to_bytes(coordinate, "big")
    kdfe = ConcatKDFHash(algorithm=suite.digest, length=size, otherinfo=IDENTITY + ours_x + theirs_x)
    seed = kdfe.derive(ephemeral.exchange(ec.ECDH(), key))
    return seed, _sized(ours_x) + _sized(ours.y.to_bytes(coordinate, "big"))


def _kdfa(suite: _Suite, key: bytes, label: bytes, context: bytes, size: int) -> bytes:
    return KBKDFHMAC(
        algorithm=suite.digest,
        mode=Mode.CounterMode,
        length=size,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    ).derive(key)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
