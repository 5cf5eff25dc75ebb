"""Claim, key and chain to signed bytes: the only module that writes through c2pa-python.

ES256 by callback, so that the key may live in a token. Signing needs no network and no time-stamp authority:
the engine pads a callback signature by about 10 KB, and the time-stamp is stapled into that room later
(signer/staple.py). The engine verifies its own output before it hands it over (``verify_after_sign``): that
turns a wrong key for the certificate, or a key that returns rubbish, into an error.

Where the engine's own way of embedding harms files, it gets them prepared (signer/embed): ISO media with room
for the store, the others as a digest only, to be put together and verified here
(docs/decisions/0011-a-photo-is-never-harmed.md).
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType

from c2pa import Builder, C2paError, C2paSigningAlg, Context, Reader, Signer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from signer.claim import CaptureClaim, manifest_definition
from signer.core.errors import AlreadySigned, ManifestMalformed, SignerError, SigningFailed, UnreadableMedia
from signer.core.uninterrupted import uninterrupted
from signer.embed import jpeg, tiff
from signer.embed.bmff import make_room
from signer.embed.layout import Layout
from signer.proof.outline import outline_of
from signer.proof.usages import SIGNER_USAGES, usage_config

# Read from "trust.trust_config" only; without it the engine refuses the C2PA claim-signing key usage.
_KEY_USAGES = usage_config(SIGNER_USAGES)
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
_SETTINGS = {
    "trust": {"trust_config": _KEY_USAGES},
    "verify": {**_OFFLINE, "verify_after_sign": True},
    "core": {"allowed_network_hosts": []},
    "builder": {"thumbnail": {"enabled": False}},
}
_UNCHECKED = {**_SETTINGS, "verify": {**_OFFLINE, "verify_after_sign": False}}
_COORDINATE_BYTES = _DIGEST_BYTES = 32
_ISO_MEDIA = frozenset(("image/heic", "image/avif", "video/mp4", "video/quicktime", "audio/mp4"))
# The smallest media of two kinds, to find out how long a store will be before there is a place for it.
_EMPTY_JPEG = b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\xff\xd9"
_EMPTY_ISO = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom") + struct.pack(">I4s", 8, b"mdat")
_LIKELY_STORE_BYTES = 15_000  # as many digits as a store's length has


def sign_media(
    data: bytes,
    media_type: str,
    claim: CaptureClaim,
    key: ec.EllipticCurvePrivateKey,
    chain_pem: bytes,
) -> bytes:
    """The same media with the claim's manifest embedded. ``chain_pem`` is leaf first, without the root.

    Does not look for a manifest that is there already: ``refuse_signed`` does. Raises ``SigningFailed``, or
    whatever ``SignerError`` the key itself raised.
    """
    callback = _RawSignature(key)
    try:
        return uninterrupted(lambda: _sign(data, media_type, claim, callback, chain_pem.decode("ascii")))
    except C2paError as e:
        if isinstance(callback.failure, SignerError):
            raise callback.failure from e
        raise SigningFailed(f"the signing engine refused: {callback.failure or e}") from e
    except UnicodeDecodeError as e:
        raise SigningFailed("the certificate chain is not PEM text") from e


def _sign(
    data: bytes, media_type: str, claim: CaptureClaim, callback: _RawSignature, chain_pem: str
) -> bytes:
    definition = manifest_definition(claim)
    if (lay_out := _own_layout(data, media_type)) is not None:
        return _sign_laid_out(data, media_type, lay_out, definition, callback, chain_pem)
    if media_type in _ISO_MEDIA:
        store, _ = _engine(_EMPTY_ISO, media_type, definition, _no_signature, chain_pem, checked=False)
        data = make_room(data, len(store))
    _, signed = _engine(data, media_type, definition, callback, chain_pem)
    return signed


def _own_layout(data: bytes, media_type: str) -> Callable[[bytes, int], Layout] | None:
    """Where the engine's own way would do harm."""
    if media_type == "image/tiff":
        return tiff.layout
    if media_type == "image/jpeg" and jpeg.late_jfif(data):
        return jpeg.layout
    return None


def _sign_laid_out(
    data: bytes,
    media_type: str,
    lay_out: Callable[[bytes, int], Layout],
    definition: str,
    callback: _RawSignature,
    chain_pem: str,
) -> bytes:
    """The engine signs the digest; it sees the file itself only to verify it."""

    def store_for(place: Layout, size: int, digest: bytes, key: Callable[[bytes], bytes]) -> bytes:
        bound = _bound_to(definition, place.start, place.wrapped_size(size), digest)
        return _engine(_EMPTY_JPEG, "image/jpeg", bound, key, chain_pem, checked=False)[0]

    draft = lay_out(data, _LIKELY_STORE_BYTES)
    size = len(store_for(draft, _LIKELY_STORE_BYTES, bytes(_DIGEST_BYTES), _no_signature))
    place = lay_out(data, size)
    store = store_for(place, size, place.digest(), callback)
    if len(store) != size:
        raise SigningFailed("the manifest store has another length than it had a moment before")
    signed = place.filled(store)
    if failures := sorted({*_failures(signed, media_type)} - {"signingCredential.untrusted"}):
        raise SigningFailed(f"the signed file does not verify ({', '.join(failures)})")
    return signed


def _bound_to(definition: str, start: int, size: int, digest: bytes) -> str:
    """The definition with the hard binding (C2PA 2.x, ``c2pa.hash.data``) that the engine would add."""
    binding = {
        "exclusions": [{"start": start, "length": size}],
        "name": "jumbf manifest",
        "alg": "sha256",
        "hash": list(digest),
        "pad": [],
    }
    manifest = json.loads(definition)
    manifest["assertions"].append({"label": "c2pa.hash.data", "created": True, "data": binding})
    return json.dumps(manifest)


def _engine(
    data: bytes,
    media_type: str,
    definition: str,
    key: Callable[[bytes], bytes],
    chain_pem: str,
    *,
    checked: bool = True,
) -> tuple[bytes, bytes]:
    """The manifest store and the media with it."""
    out = io.BytesIO()
    with (
        Signer.from_callback(key, C2paSigningAlg.ES256, chain_pem) as signer,
        Builder(definition, context=_context(os.getpid(), checked=checked)) as builder,
    ):
        store: bytes = builder.sign(signer, media_type, io.BytesIO(data), out)
    return store, out.getvalue()


def _no_signature(data: bytes) -> bytes:
    """As long as a signature, where only the length of a store is asked for."""
    return bytes(2 * _COORDINATE_BYTES)


def refuse_signed(data: bytes, media_type: str) -> None:
    """Raise ``AlreadySigned`` where the engine finds a manifest, embedded, remote or broken, and
    ``UnreadableMedia`` where it cannot parse the container.

    A file signed again as a fresh capture would lose its history without a trace. A store stands beside the
    pixels, never in them, so the engine does not read those where they can be told apart.
    """
    outline = outline_of(data, media_type) or data
    try:
        present = uninterrupted(lambda: _has_manifest(outline, media_type))
    except C2paError as e:
        if "could not be parsed" in str(e) or isinstance(e, C2paError.Io):
            raise UnreadableMedia(f"the {media_type} container cannot be parsed: {e}") from e
        raise AlreadySigned(f"the file refers to a manifest that cannot be read: {e}") from e
    if present:
        raise AlreadySigned("the file carries a manifest already")


def _has_manifest(data: bytes, media_type: str) -> bool:
    reader = Reader.try_create(media_type, io.BytesIO(data), context=_context(os.getpid()))
    if reader is not None:
        reader.close()
    return reader is not None


def verify_binding(data: bytes, media_type: str) -> None:
    """Return where the bytes are those that were signed; trust in the signer is not looked at.

    Raises ``ManifestMalformed`` with the engine's codes.
    """
    try:
        failures = uninterrupted(lambda: _failures(data, media_type))
    except C2paError as e:
        raise ManifestMalformed(f"the manifest cannot be read: {e}") from e
    broken = sorted({code for code in failures if not code.startswith("signingCredential.")})
    if broken:
        raise ManifestMalformed(f"the bytes are not those that were signed ({', '.join(broken)})")


def _failures(data: bytes, media_type: str) -> tuple[str, ...]:
    with Reader(media_type, io.BytesIO(data), context=_context(os.getpid())) as reader:
        results = reader.get_validation_results() or {}
    if "activeManifest" not in results:
        return ("assay.manifest.noResult",)
    return tuple(str(failure.get("code")) for failure in results["activeManifest"].get("failure", ()))


@lru_cache(maxsize=2)
def _context(pid: int, *, checked: bool = True) -> Context:
    """One of each per process: a context does not survive a fork, and making one costs a tenth of a
    signature. ``checked``: the engine verifies what it signed."""
    return Context.from_dict(_SETTINGS if checked else _UNCHECKED)


class _RawSignature:
    """The callback. Whatever it raises would be swallowed by the engine, so it is kept as ``failure``; an
    empty signature makes the engine give up."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.failure: BaseException | None = None

    def __call__(self, data: bytes) -> bytes:
        with self:
            r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return b""

    def __enter__(self) -> None:
        self.failure = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.failure = error
        return True
