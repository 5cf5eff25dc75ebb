"""Steps 1 and 4: our own way to the claim and its signature, independent of both engines. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from authn.core.media import Media
from signer.core.errors import (
    InputRefused,
    ManifestMalformed,
    ManifestUnsupported,
    SignatureUnsupported,
    SigningFailed,
)
from signer.proof import ManifestBoxes, active_manifest, names_store
from signer.proof.certificates import Certificate, key_of, read_foreign
from signer.proof.container import manifest_place, manifest_spans, spans_of
from signer.proof.containers.places import Place, Span
from signer.proof.cose import ClaimSignature, parse_claim_signature, verify_claim_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReading:
    """Steps 1 and 4. ``failure`` says why there is no (valid) signature to judge; then ``signature_holds`` is
    False where it was computed and differs, and None where it could not be computed.

    ``malformed``: the store was found, and its structure is broken; ``torn``: so that no reader can know its
    bytes. ``not_looked_through``: no store was seen, and why that does not mean that there is none.
    ``unreadable``: why certificates that the file brings cannot be read; they are missing in
    ``certificates``, whose first is always the signer's. Of the signer's its key alone may be readable: then
    the signature is computed, and ``certificates`` is empty. ``beside``: what was read, or could not be, came
    beside the file (``authn.provenance.sidecars``). ``place``: where the store lies in the file."""

    store_found: bool
    beside: bool = False
    label: str = ""
    malformed: bool = False
    torn: bool = False
    not_looked_through: str = ""
    store: bytes = b""
    manifest: ManifestBoxes | None = None
    claim: bytes = b""
    claim_version: int | None = None
    signature: ClaimSignature | None = None
    certificates: tuple[Certificate, ...] = ()
    unreadable: tuple[str, ...] = ()
    signature_holds: bool | None = None
    failure: str = ""
    place: Place | None = None

    def spans(self, media: Media) -> tuple[Span, ...]:
        """Of the store in the file that this was read of. Raises as ``manifest_spans``."""
        if self.place is None:
            return manifest_spans(media.data, media.media_type)
        return spans_of(self.place, media.media_type)


def read_own(media: Media) -> OwnReading:
    """Steps 1 and 4: our own way to the claim and its signature, independent of both engines. A store inside
    the file, whole or not, goes before one beside it."""
    refused = ""
    try:
        place = manifest_place(media.data, media.media_type)
    except ManifestMalformed as e:
        return OwnReading(store_found=True, malformed=True, torn=True, failure=e.detail)
    except InputRefused as e:
        place, refused = None, e.detail
    if place is not None:
        return replace(_read(place.of(media.data)), place=place)
    if media.sidecar is None:
        return OwnReading(store_found=False, not_looked_through=refused, failure=refused)
    if not names_store(media.sidecar):
        why = "what came beside the file is no manifest store"
        return OwnReading(store_found=False, not_looked_through=why, failure=why, beside=True)
    return replace(_read(media.sidecar), beside=True)


@lru_cache(maxsize=1)
def _read(store: bytes) -> OwnReading:
    """Remembered of the newest store: a file is read for its report, and again for what is logged of it,
    or by a source."""
    try:
        manifest = active_manifest(store)
        signature = parse_claim_signature(manifest.signature.of(store))
    except ManifestUnsupported as e:
        return OwnReading(store_found=True, failure=e.detail)
    except ManifestMalformed as e:
        return OwnReading(store_found=True, malformed=True, failure=e.detail)
    return _judged(store, manifest, signature)


def _judged(store: bytes, manifest: ManifestBoxes, signature: ClaimSignature) -> OwnReading:
    claim = manifest.claim.of(store)
    certificates, unreadable = _certificates(signature)
    key = certificates[0].public_key() if certificates else key_of(signature.certificates[0])
    holds, failure = (None, unreadable[0]) if key is None else _holds(signature, claim, key)
    return OwnReading(
        store_found=True,
        label=manifest.label,
        store=store,
        manifest=manifest,
        claim=claim,
        claim_version=manifest.claim_version,
        signature=signature,
        certificates=certificates,
        unreadable=unreadable,
        signature_holds=holds,
        failure=failure,
    )


def _certificates(signature: ClaimSignature) -> tuple[tuple[Certificate, ...], tuple[str, ...]]:
    """Those that can be read, none where the signer's cannot, and why others cannot."""
    found, unreadable = [], []
    for i, der in enumerate(signature.certificates):
        try:
            found.append(read_foreign(der))
        except ValueError as e:
            whose = "the signer's certificate" if i == 0 else "a certificate above the signer's"
            unreadable.append(f"{whose} cannot be read by our own check: {e}")
            if i == 0:
                break
    return tuple(found), tuple(unreadable)


def _holds(
    signature: ClaimSignature, claim: bytes, key: CertificatePublicKeyTypes
) -> tuple[bool | None, str]:
    """Whether the signer's key made the signature, and why not."""
    try:
        verify_claim_signature(signature, claim, key)
    except SignatureUnsupported as e:
        return None, e.detail
    except SigningFailed as e:
        return False, e.detail
    return True, ""
