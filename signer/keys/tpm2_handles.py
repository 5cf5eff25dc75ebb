"""A key in the TPM for the time of one operation: loaded or found, checked, with its PIN, and given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from signer.core.errors import KeyAbsent, KeyRefused, KeyUnavailable
from signer.keys.tpm2_context import TpmFailure, tpm_context
from signer.keys.tpm2_uri import TpmKey

_MAX_FILE_BYTES = 16384
# TPM 2.0 Part 2 section 7: TPM_RH_OWNER, and keys that persist.
OWNER_HIERARCHY, PERSISTENT_HANDLES = 0x4000_0001, range(0x8100_0000, 0x8200_0000)
ONE_AT_A_TIME = threading.Lock()


@contextmanager
def opened_key(wanted: TpmKey) -> Iterator[tuple[Any, Any]]:
    """The TPM (ESAPI) and the handle of the key in it, checked, with its PIN set; both are given back.

    Raises ``KeyAbsent``, ``KeyUnavailable``, ``KeyRefused``.
    """
    wrapped = _read(wanted)
    with ONE_AT_A_TIME, tpm_context(wanted.tcti) as tpm:
        if wrapped is None:
            with _persistent(tpm, wanted) as handle:
                yield tpm, handle
        else:
            tpm.tr_set_auth(owner_hierarchy(), wanted.owner())
            with loaded(tpm, _unwrap(wrapped, wanted), wanted) as handle:
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


def owner_hierarchy() -> Any:
    from tpm2_pytss.constants import ESYS_TR

    return ESYS_TR.OWNER


@contextmanager
def loaded(tpm: Any, wrapped: Any, wanted: TpmKey) -> Iterator[Any]:
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
        wrapped = TSSPrivKey.from_pem(pem)
    except (ValueError, TypeError, RuntimeError) as e:
        raise KeyUnavailable(f"{wanted.path} is no wrapped TPM key (TSS2 PRIVATE KEY)") from e
    if wrapped.parent != OWNER_HIERARCHY and wrapped.parent not in PERSISTENT_HANDLES:
        raise KeyUnavailable(f"the key in {wanted.path} hangs on something else than a key of the owner")
    return wrapped
