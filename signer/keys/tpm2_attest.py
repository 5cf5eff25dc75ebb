"""What a TPM says about a key in it, for an enrolment (docs/formats/tpm.md): format ``tpm2``, in two steps.

``present_tpm``: the endorsement certificate that the maker left in the TPM, and an attestation key made for
this. ``certify_key``: the TPM opens the service's secret, which it does only beside that attestation key, and
the attestation key certifies the device's key over the hash of challenge and secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from signer.core.errors import KeyUnavailable
from signer.keys.tpm2_context import tpm_context
from signer.keys.tpm2_handles import ONE_AT_A_TIME, opened_key, public_area
from signer.keys.tpm2_uri import TpmKey
from signer.proof.der import DerError, first

FMT, NO_EVIDENCE = "tpm2", "none"
# By the TCG's names; elliptic curves first, because a TPM takes seconds to make an RSA key again.
ENDORSEMENT_KINDS = ("EK-ECC256", "EK-HIGH-ECC256", "EK-HIGH-ECC384", "EK-RSA2048", "EK-HIGH-RSA2048",
                     "EK-HIGH-RSA3072")  # fmt: skip
# TCG EK Credential Profile 2.6, 2.2.1.5.2: certificates of the authorities between maker and TPM.
_CHAIN_INDICES = range(0x01C0_0100, 0x01C0_0110)
_MAX_CERTIFICATES = 6
# TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET: two digests, and a block of RSA 4096 (Part 2).
_MAX_CREDENTIAL_BYTES, _MAX_SECRET_BYTES = 132, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endorsement:
    """``certificate`` is DER; ``template`` makes the key that it is for."""

    kind: str
    certificate: bytes
    template: Any


def present_tpm(wanted: TpmKey) -> Mapping[str, object]:
    """The first step; the format ``none`` where the maker left no certificate in the TPM.

    Raises ``KeyUnavailable``.
    """
    with ONE_AT_A_TIME, tpm_context(wanted.tcti) as tpm:
        _unlock(tpm, wanted)
        endorsement = _endorsement(tpm)
        if endorsement is None:
            return {"fmt": NO_EVIDENCE}
        with _attestation_key(tpm) as (_, public):
            return {
                "fmt": FMT,
                "x5c": _x5c(tpm, endorsement),
                "attestation_key": _text(public.publicArea.marshal()),
            }


def certify_key(wanted: TpmKey, challenge: bytes, answer: Mapping[str, str]) -> Mapping[str, object]:
    """The second step. Raises ``KeyUnavailable``, also where the answer is not for this TPM."""
    if not answer:
        return {"fmt": NO_EVIDENCE}
    credential = _answered(answer, "credential_blob", _MAX_CREDENTIAL_BYTES)
    encrypted = _answered(answer, "encrypted_secret", _MAX_SECRET_BYTES)
    with ONE_AT_A_TIME, tpm_context(wanted.tcti) as tpm:
        _unlock(tpm, wanted)
        endorsement = _endorsement(tpm)
        if endorsement is None:
            raise KeyUnavailable("the TPM holds no endorsement certificate any more")
        with _attestation_key(tpm) as (attestation_key, _):
            secret = _activate(tpm, endorsement, attestation_key, credential, encrypted)
        chain = _x5c(tpm, endorsement)
    qualifying = hashlib.sha256(challenge + secret).digest()
    with opened_key(wanted) as (tpm, key):
        _unlock(tpm, wanted)
        device_key = public_area(tpm, key)  # owns the memory of its parts
        with _attestation_key(tpm) as (attestation_key, public):
            certified, signature = _certify(tpm, key, attestation_key, qualifying)
            return {
                "fmt": FMT,
                "x5c": chain,
                "attestation_key": _text(public.publicArea.marshal()),
                "key": _text(device_key.publicArea.marshal()),
                "certify_info": _text(certified),
                "signature": _text(signature),
            }


def _unlock(tpm: Any, wanted: TpmKey) -> None:
    from tpm2_pytss.constants import ESYS_TR

    tpm.tr_set_auth(ESYS_TR.ENDORSEMENT, wanted.endorsement())


def _endorsement(tpm: Any) -> _Endorsement | None:
    from tpm2_pytss.utils import NVReadEK, create_ek_template

    read = NVReadEK(tpm)
    for kind in ENDORSEMENT_KINDS:
        try:
            certificate, template = create_ek_template(kind, read)
        except ValueError:  # how the library says that a high-range certificate is not there
            continue
        if certificate:
            return _Endorsement(kind=kind, certificate=_without_padding(certificate), template=template)
    return None


def _x5c(tpm: Any, endorsement: _Endorsement) -> list[str]:
    """As JOSE writes certificates; those above the first as far as they lie in the TPM."""
    from tpm2_pytss.utils import NoSuchIndex, NVReadEK

    read, above = NVReadEK(tpm), b""
    for index in _CHAIN_INDICES:
        try:
            above += read(index)
        except NoSuchIndex:
            break
    chain = [endorsement.certificate]
    with suppress(DerError):  # padding, or nothing of use: the service may know the authorities itself
        while above.startswith(b"\x30") and len(chain) < _MAX_CERTIFICATES:
            chain.append(first(above).raw)
            above = above[len(chain[-1]) :]
    return [base64.b64encode(der).decode() for der in chain]


@contextmanager
def _attestation_key(tpm: Any) -> Iterator[tuple[Any, Any]]:
    """A primary key of the endorsement hierarchy: the TPM makes the same one every time. It signs only
    what the TPM itself has made (restricted)."""
    from tpm2_pytss.constants import ESYS_TR, TPMA_OBJECT
    from tpm2_pytss.types import TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE

    template = TPM2B_PUBLIC.parse(
        "ecc256:ecdsa-sha256:null",
        objectAttributes=TPMA_OBJECT.USERWITHAUTH
        | TPMA_OBJECT.RESTRICTED
        | TPMA_OBJECT.SIGN_ENCRYPT
        | TPMA_OBJECT.FIXEDTPM
        | TPMA_OBJECT.FIXEDPARENT
        | TPMA_OBJECT.SENSITIVEDATAORIGIN
        | TPMA_OBJECT.NODA,
    )
    made, public, *_ = tpm.create_primary(TPM2B_SENSITIVE_CREATE(), template, ESYS_TR.ENDORSEMENT)
    with made as handle:
        yield handle, public


def _activate(
    tpm: Any, endorsement: _Endorsement, attestation_key: Any, credential: bytes, encrypted: bytes
) -> bytes:
    from tpm2_pytss.constants import ESYS_TR
    from tpm2_pytss.types import TPM2B_ENCRYPTED_SECRET, TPM2B_ID_OBJECT, TPM2B_SENSITIVE_CREATE

    made, public, *_ = tpm.create_primary(TPM2B_SENSITIVE_CREATE(), endorsement.template, ESYS_TR.ENDORSEMENT)
    with made as key:
        area = public.publicArea
        if area.to_der() != _key_of(endorsement.certificate):
            raise KeyUnavailable("the TPM's endorsement certificate is for another key than its own")
        with _allowed_to_use(tpm, area) as session:
            try:
                opened = tpm.activate_credential(
                    attestation_key,
                    key,
                    TPM2B_ID_OBJECT(credential),
                    TPM2B_ENCRYPTED_SECRET(encrypted),
                    session1=ESYS_TR.PASSWORD,
                    session2=session,
                )
            except RuntimeError as e:  # the library's own
                raise KeyUnavailable("the TPM does not open the service's secret: it is not for it") from e
            return bytes(opened)


@contextmanager
def _allowed_to_use(tpm: Any, endorsement_key: Any) -> Iterator[Any]:
    """The authorisation that the EK Credential Profile fixes: keys of its low range may be used by whoever
    may use the endorsement hierarchy, the others have an empty secret."""
    from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_SE, TPMA_OBJECT
    from tpm2_pytss.types import TPMT_SYM_DEF

    if endorsement_key.objectAttributes & TPMA_OBJECT.USERWITHAUTH:
        yield ESYS_TR.PASSWORD
        return
    none = TPMT_SYM_DEF(algorithm=TPM2_ALG.NULL)
    started = tpm.start_auth_session(
        ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.POLICY, none, endorsement_key.nameAlg
    )
    with started as session:
        tpm.policy_secret(ESYS_TR.ENDORSEMENT, session, expiration=0)
        yield session


def _certify(tpm: Any, key: Any, attestation_key: Any, qualifying: bytes) -> tuple[bytes, bytes]:
    """TPMS_ATTEST and TPMT_SIGNATURE."""
    from tpm2_pytss.constants import TPM2_ALG
    from tpm2_pytss.types import TPM2B_DATA, TPMT_SIG_SCHEME

    scheme = TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)  # that of the attestation key
    certified, signature = tpm.certify(key, attestation_key, TPM2B_DATA(qualifying), scheme)
    return bytes(certified), signature.marshal()


def _key_of(certificate: bytes) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    try:
        key = load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as e:
        raise KeyUnavailable("the TPM's endorsement certificate is malformed") from e
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _without_padding(data: bytes) -> bytes:
    """The first DER value: the place of a certificate may be larger than it. Raises ``KeyUnavailable``."""
    try:
        return first(data).raw
    except DerError as e:
        raise KeyUnavailable("the TPM's endorsement certificate is malformed") from e


def _answered(answer: Mapping[str, str], name: str, most: int) -> bytes:
    text = answer.get(name, "")
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as e:
        raise KeyUnavailable(f"the service's answer holds no {name} for a TPM") from e
    if not 0 < len(found) <= most:
        raise KeyUnavailable(f"the service's answer holds no {name} for a TPM")
    return found


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
