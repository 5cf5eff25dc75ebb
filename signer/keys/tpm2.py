"""Keys inside a TPM 2.0: made there, used there, never seen here (optional extra ``assay[tpm]``).

``TpmPrivateKey`` is a pyca ``EllipticCurvePrivateKey`` as in ``pkcs11``. Every operation opens the TPM, loads
the key, and leaves nothing behind: a TPM holds three transient objects, and a simulator one connection. A
wrapped key lies in a file of the format that OpenSSL's TPM providers read ("TSS2 PRIVATE KEY").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from signer.core.durable import create_durably
from signer.core.errors import KeyRefused, KeyUnavailable, SignerError, SigningFailed
from signer.keys.held import HeldPrivateKey
from signer.keys.tpm2_attest import certify_key, present_tpm
from signer.keys.tpm2_context import TpmFailure, tpm_context
from signer.keys.tpm2_handles import (
    ONE_AT_A_TIME,
    loaded,
    opened_key,
    owner_hierarchy,
    public_area,
)
from signer.keys.tpm2_uri import TpmKey, parse_tpm2_uri

_DIGEST_BYTES = 32


class TpmPrivateKey(HeldPrivateKey):
    """Signs inside the TPM."""

    HOLDER = "TPM"

    def __init__(self, wanted: TpmKey, public: ec.EllipticCurvePublicKey) -> None:
        super().__init__(public)
        self._wanted = wanted
        self._refused = ""

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """DER signature over SHA-256. Raises ``SigningFailed`` when the TPM will not or cannot; a refused PIN
        is not tried again, because a few wrong ones lock the TPM for everybody."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed):
            usable, digest = len(data) == _DIGEST_BYTES, bytes(data)
        else:
            usable, digest = algorithm.name == "sha256", hashlib.sha256(data).digest()
        if not usable:
            raise SigningFailed("a TPM key signs SHA-256 digests and no others")
        if self._refused:
            raise SigningFailed(self._refused)
        try:
            with opened_key(self._wanted) as (tpm, handle):
                return _sign(tpm, handle, digest)
        except SignerError as e:
            says = f"the TPM did not sign: {e.detail}"
            if isinstance(e.__cause__, RuntimeError) and TpmFailure.of(e.__cause__).wrong_secret:
                self._refused = says
            raise SigningFailed(says) from e

    def attestation_request(self) -> Mapping[str, object]:
        """See ``signer.keys.attesting``."""
        return present_tpm(self._wanted)

    def attest(self, challenge: bytes, answer: Mapping[str, str]) -> Mapping[str, object]:
        """See ``signer.keys.attesting``."""
        return certify_key(self._wanted, challenge, answer)


def open_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """See ``signer.keys.open_key``. The PIN is not tried: the TPM counts wrong ones."""
    wanted = parse_tpm2_uri(uri)
    with opened_key(wanted) as (tpm, handle):
        return TpmPrivateKey(wanted, _public_key(tpm, handle))


def create_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """See ``signer.keys.create_key``. The key is made by the TPM, cannot be moved out of it, and signs
    SHA-256 digests with ECDSA, nothing else."""
    wanted = parse_tpm2_uri(uri)
    if wanted.path is not None and wanted.path.exists():
        raise KeyUnavailable(f"{wanted.path} exists; a key is never overwritten")
    with ONE_AT_A_TIME, tpm_context(wanted.tcti) as tpm:
        from tpm2_pytss.tsskey import TSSPrivKey

        tpm.tr_set_auth(owner_hierarchy(), wanted.owner())
        if wanted.handle is not None and _is_persistent(tpm, wanted.handle):
            raise KeyUnavailable("a key of that handle is in the TPM; a key is never overwritten")
        pin = wanted.pin()
        made = TSSPrivKey.create(tpm, _template(has_pin=bool(pin)), password=pin or None)
        if wanted.handle is not None:
            with loaded(tpm, made, wanted) as handle:
                tpm.evict_control(owner_hierarchy(), handle, wanted.handle).close(tpm)
        else:
            _write_new(wanted, made.to_pem())
    return open_key(uri)


def _sign(tpm: Any, handle: Any, digest: bytes) -> bytes:
    from tpm2_pytss.constants import TPM2_ALG, TPM2_RH, TPM2_ST
    from tpm2_pytss.types import TPM2B_DIGEST, TPMT_SIG_SCHEME, TPMT_TK_HASHCHECK

    scheme = TPMT_SIG_SCHEME(scheme=TPM2_ALG.ECDSA)
    scheme.details.ecdsa.hashAlg = TPM2_ALG.SHA256
    ticket = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)
    made = tpm.sign(handle, TPM2B_DIGEST(digest), scheme, ticket)  # owns the memory of its parts
    r, s = bytes(made.signature.ecdsa.signatureR), bytes(made.signature.ecdsa.signatureS)
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _public_key(tpm: Any, handle: Any) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_der_public_key(public_area(tpm, handle).to_der())
    except (ValueError, UnsupportedAlgorithm) as e:
        raise KeyRefused("the key in the TPM is not on P-256") from e
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyRefused("the key in the TPM is not on P-256")
    return key


def _template(*, has_pin: bool) -> Any:
    """Wrong PINs count towards the TPM's lockout; a key without one goes on working in it."""
    from tpm2_pytss.constants import TPMA_OBJECT
    from tpm2_pytss.types import TPMT_PUBLIC

    attributes = (
        TPMA_OBJECT.USERWITHAUTH
        | TPMA_OBJECT.SIGN_ENCRYPT
        | TPMA_OBJECT.FIXEDTPM
        | TPMA_OBJECT.FIXEDPARENT
        | TPMA_OBJECT.SENSITIVEDATAORIGIN
    )
    return TPMT_PUBLIC.parse(
        "ecc256:ecdsa-sha256", objectAttributes=attributes if has_pin else attributes | TPMA_OBJECT.NODA
    )


def _is_persistent(tpm: Any, handle: int) -> bool:
    from tpm2_pytss.constants import TPM2_CAP

    _, found = tpm.get_capability(TPM2_CAP.HANDLES, handle, 1)
    return handle in [int(h) for h in found.data.handles]


def _write_new(wanted: TpmKey, pem: bytes) -> None:
    """Readable by the owner alone, although only this TPM can open it."""
    assert wanted.path is not None
    try:
        wanted.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_durably(wanted.path, pem)
    except OSError as e:
        if isinstance(e, FileExistsError) and wanted.path.exists():
            raise KeyUnavailable(f"{wanted.path} exists; a key is never overwritten") from e
        raise KeyUnavailable(f"{wanted.path} cannot be written: {e.strerror}") from e
