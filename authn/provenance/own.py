"""Steps 1 and 4: our own way to the claim and its signature, independent of both engines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from authn.media import Media
from signer.certificates import read_certificate
from signer.container import read_manifest
from signer.cose import ClaimSignature, parse_claim_signature, verify_claim_signature
from signer.errors import InputRefused, ManifestMalformed, SigningFailed
from signer.jumbf import active_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReading:
    """Steps 1 and 4. ``failure`` says why there is no (valid) signature to judge; then ``signature_holds`` is
    False where it was refuted and None where it could not be examined.

    ``not_looked_through``: no store was seen, and why that does not mean that there is none."""

    store_found: bool
    not_looked_through: str = ""
    claim: bytes = b""
    claim_version: int | None = None
    signature: ClaimSignature | None = None
    certificates: tuple[x509.Certificate, ...] = ()
    signature_holds: bool | None = None
    failure: str = ""


def read_own(media: Media) -> OwnReading:
    """Steps 1 and 4: our own way to the claim and its signature, independent of both engines."""
    try:
        store = read_manifest(media.data, media.media_type)
    except ManifestMalformed as e:
        return OwnReading(store_found=True, signature_holds=False, failure=str(e))
    except InputRefused as e:
        return OwnReading(store_found=False, not_looked_through=e.detail, failure=e.detail)
    if store is None:
        return OwnReading(store_found=False)
    try:
        manifest = active_manifest(store)
        claim = manifest.claim.of(store)
        signature = parse_claim_signature(manifest.signature.of(store))
        certificates = tuple(read_certificate(der) for der in signature.certificates)
        key = certificates[0].public_key()
    except (ManifestMalformed, ValueError) as e:
        return OwnReading(store_found=True, signature_holds=False, failure=str(e))
    try:
        verify_claim_signature(signature, claim, key)
        holds, failure = True, ""
    except SigningFailed as e:
        holds, failure = False, str(e)
    return OwnReading(
        store_found=True,
        claim=claim,
        claim_version=manifest.claim_version,
        signature=signature,
        certificates=certificates,
        signature_holds=holds,
        failure=failure,
    )
