"""Keys inside a TPM 2.0: made there, used there, never seen here (optional extra ``assay[tpm]``).

``TpmPrivateKey`` is a pyca ``EllipticCurvePrivateKey`` as in ``pkcs11``. Every operation opens the TPM, loads
the key, and leaves nothing behind: a TPM holds three transient objects, and a simulator one connection. A
wrapped key lies in a file of the format that OpenSSL's TPM providers read ("TSS2 PRIVATE KEY").
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from signer.durable import create_durably
from signer.errors import KeyAbsent, KeyRefused, KeyUnavailable, SignerError, SigningFailed
from signer.keys.tpm2_context import TpmFailure, tpm_context
from signer.keys.tpm2_uri import TpmKey, parse_tpm2_uri

_MAX_FILE_BYTES = 16384
_DIGEST_BYTES = 32
_ONE_AT_A_TIME = threading.Lock()


class TpmPrivateKey(ec.EllipticCurvePrivateKey):
    """Signs inside the TPM. Everything that would need the private value is refused."""

    def __init__(self, wanted: TpmKey, public: ec.EllipticCurvePublicKey) -> None:
        self._wanted = wanted
        self._public = public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """DER signature over SHA-256. Raises ``SigningFailed`` when the TPM will not or cannot."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed):
            usable, digest = len(data) == _DIGEST_BYTES, bytes(data)
        else:
            usable, digest = algorithm.name == "sha256", hashlib.sha256(data).digest()
        if not usable:
            raise SigningFailed("a TPM key signs SHA-256 digests and no others")
        try:
            with opened_key(self._wanted) as (tpm, handle):
                return _sign(tpm, handle, digest)
        except SignerError as e:
            raise SigningFailed(f"the TPM did not sign: {e.detail}") from e

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise KeyRefused("a device key only signs")

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise KeyRefused("the key does not leave its TPM")

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002 - pyca's name
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        raise KeyRefused("the key does not leave its TPM")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


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
    with _ONE_AT_A_TIME, tpm_context(wanted.tcti) as tpm:
        from tpm2_pytss.tsskey import TSSPrivKey

        tpm.tr_set_auth(_owner(), wanted.owner())
        if wanted.handle is not None and _is_persistent(tpm, wanted.handle):
            raise KeyUnavailable("a key of that handle is in the TPM; a key is never overwritten")
        pin = wanted.pin()
        made = TSSPrivKey.create(tpm, _template(has_pin=bool(pin)), password=pin or None)
        if wanted.handle is not None:
            with _loaded(tpm, made, wanted) as handle:
                tpm.evict_control(_owner(), handle, wanted.handle).close(tpm)
        else:
            _write_new(wanted, made.to_pem())
    return open_key(uri)


@contextmanager
def opened_key(wanted: TpmKey) -> Iterator[tuple[Any, Any]]:
    """The TPM (ESAPI) and the handle of the key in it, checked, with its PIN set; both are given back.

    Raises ``KeyAbsent``, ``KeyUnavailable``, ``KeyRefused``.
    """
    wrapped = _read(wanted)
    with _ONE_AT_A_TIME, tpm_context(wanted.tcti) as tpm:
        if wrapped is None:
            with _persistent(tpm, wanted) as handle:
                yield tpm, handle
        else:
            tpm.tr_set_auth(_owner(), wanted.owner())
            with _loaded(tpm, _unwrap(wrapped, wanted), wanted) as handle:
                yield tpm, handle


def public_area(tpm: Any, handle: Any) -> Any:
    """The TPM2B_PUBLIC of a key made in this TPM to stay there and to sign. Raises ``KeyRefused``."""
    from tpm2_pytss.constants import TPM2_ALG, TPM2_ECC, TPMA_OBJECT

    public, _, _ = tpm.read_public(handle)
    area = public.publicArea
    if area.type != TPM2_ALG.ECC or area.parameters.eccDetail.curveID != TPM2_ECC.NIST_P256:
        raise KeyRefused("the key in the TPM is not on P-256")
    attributes = area.objectAttributes
    stays = TPMA_OBJECT.FIXEDTPM | TPMA_OBJECT.FIXEDPARENT | TPMA_OBJECT.SENSITIVEDATAORIGIN
    if attributes & stays != stays:
        raise KeyRefused("the key was not made in this TPM to stay there")
    if not attributes & TPMA_OBJECT.SIGN_ENCRYPT or attributes & TPMA_OBJECT.RESTRICTED:
        raise KeyRefused("the key in the TPM may not sign what it is given")
    scheme = area.parameters.eccDetail.scheme
    if scheme.scheme not in (TPM2_ALG.NULL, TPM2_ALG.ECDSA):
        raise KeyRefused("the key in the TPM is not for ECDSA")
    if scheme.scheme == TPM2_ALG.ECDSA and scheme.details.ecdsa.hashAlg != TPM2_ALG.SHA256:
        raise KeyRefused("the key in the TPM is not for SHA-256")
    return public


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


def _owner() -> Any:
    from tpm2_pytss.constants import ESYS_TR

    return ESYS_TR.OWNER


@contextmanager
def _loaded(tpm: Any, wrapped: Any, wanted: TpmKey) -> Iterator[Any]:
    pin = wanted.pin()
    if not pin and not wrapped.empty_auth:
        raise KeyUnavailable("the key in the TPM has a PIN; name it with pin=env:NAME or pin=file:/path")
    if pin and wrapped.empty_auth:
        raise KeyUnavailable("the key in the TPM has no PIN, but the URI names one")
    with wrapped.load(tpm, pin or None) as handle:
        public_area(tpm, handle)
        yield handle


@contextmanager
def _persistent(tpm: Any, wanted: TpmKey) -> Iterator[Any]:
    try:
        found = tpm.tr_from_tpmpublic(wanted.handle)
    except RuntimeError as e:
        if TpmFailure.of(e).no_such_handle:
            raise KeyAbsent(f"no key in the TPM has the handle 0x{wanted.handle:08x}") from e
        raise
    with found as handle:
        tpm.tr_set_auth(handle, wanted.pin() or None)
        public_area(tpm, handle)
        yield handle


def _is_persistent(tpm: Any, handle: int) -> bool:
    from tpm2_pytss.constants import TPM2_CAP

    _, found = tpm.get_capability(TPM2_CAP.HANDLES, handle, 1)
    return handle in [int(h) for h in found.data.handles]


def _read(wanted: TpmKey) -> bytes | None:
    if wanted.path is None:
        return None
    try:
        with wanted.path.open("rb") as f:
            return f.read(_MAX_FILE_BYTES)
    except FileNotFoundError as e:
        raise KeyAbsent(f"the key file {wanted.path} cannot be read: {e.strerror}") from e
    except OSError as e:
        raise KeyUnavailable(f"the key file {wanted.path} cannot be read: {e.strerror}") from e


def _unwrap(pem: bytes, wanted: TpmKey) -> Any:
    from tpm2_pytss.tsskey import TSSPrivKey

    try:
        return TSSPrivKey.from_pem(pem)
    except (ValueError, TypeError, RuntimeError) as e:
        raise KeyUnavailable(f"{wanted.path} is no wrapped TPM key (TSS2 PRIVATE KEY)") from e


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
