"""Time-stamping after signing: what to stamp, and how the token gets into the signed file.

Signing needs no network. The engine leaves about 10 KB of padding in the signature's unprotected header; the
token takes its place later, the length of the file and every byte under the hard binding stay as they were
(docs/decisions/0003-staple-the-time-stamp.md).
"""

from __future__ import annotations

from signer.core.errors import ManifestMalformed
from signer.proof.container import read_manifest, replace_manifest
from signer.proof.cose import parse_claim_signature, stamped_message_v2, with_token
from signer.proof.jumbf import active_manifest


def bytes_to_stamp(data: bytes, media_type: str) -> bytes:
    """The message whose digest the authority stamps (sigTst2). Raises ``ManifestMalformed``."""
    store = _store(data, media_type)
    return stamped_message_v2(parse_claim_signature(active_manifest(store).signature.of(store)))


def has_token(data: bytes, media_type: str) -> bool:
    """Whether the active manifest's signature already carries a time-stamp. Raises ``ManifestMalformed``."""
    store = _store(data, media_type)
    parsed = parse_claim_signature(active_manifest(store).signature.of(store))
    return bool(parsed.tokens_v2 or parsed.responses_v1)


def staple(data: bytes, media_type: str, token_der: bytes) -> bytes:
    """The same file with the token inside, equally long. The caller has verified the token.

    Raises ``ManifestMalformed`` where there is no manifest or no room.
    """
    store = _store(data, media_type)
    span = active_manifest(store).signature
    signature = with_token(span.of(store), token_der)
    return replace_manifest(data, media_type, store[: span.start] + signature + store[span.end :])


def _store(data: bytes, media_type: str) -> bytes:
    store = read_manifest(data, media_type)
    if store is None:
        raise ManifestMalformed("the file carries no manifest")
    return store
