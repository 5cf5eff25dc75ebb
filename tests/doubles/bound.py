"""Files whose signer chose what the hard binding covers, as the specification lets every signer choose."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from c2pa import Builder, C2paSigningAlg, Context, Signer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authn.provenance.box_map import STORE, box_map
from signer.claim import CaptureClaim, DeviceAssertion, manifest_definition
from signer.core.isoboxes import boxes
from signer.embed.bmff import make_room
from signer.embed.jpeg import layout
from signer.proof import Span
from tests.doubles.pki import Issued

STORE_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_EMPTY_JPEG = b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\xff\xd9"
_SETTINGS = {
    "trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n"},
    "verify": {"verify_after_sign": False},
    "builder": {"thumbnail": {"enabled": False}},
}
Binding = Mapping[str, object]


def jpeg_but(
    leaf: Issued, data: bytes, *ranges: tuple[bytes, int], before: int = 0, behind: int = 0
) -> bytes:
    """A digest over all but the store, so many bytes directly before and behind it, and each range: so many
    bytes behind the last place of these."""

    def binding(file: bytes, at: int, end: int) -> Binding:
        out = sorted([(at, end - at), *((file.rindex(mark) + len(mark), size) for mark, size in ranges)])
        out = [(at - before, before)] * bool(before) + out[:1] + [(end, behind)] * bool(behind) + out[1:]
        digest, last = hashlib.sha256(), 0
        for start, length in out:
            digest.update(file[last:start])
            last = start + length
        digest.update(file[last:])
        excluded = [{"start": start, "length": length} for start, length in out]
        return {"exclusions": excluded, "alg": "sha256", "hash": list(digest.digest()), "pad": []}

    return _jpeg(leaf, data, "c2pa.hash.data", binding)


def jpeg_by_boxes(leaf: Issued, data: bytes, *excluded: str) -> bytes:
    """A digest for each segment but the store and those of these names."""

    def binding(file: bytes, at: int, end: int) -> Binding:
        listed = []
        for part in box_map(file, "image/jpeg", (Span(start=at + 12, end=end),)):
            out = part.name in excluded
            digest = [0] if out or part.name == STORE else list(hashlib.sha256(part.span.of(file)).digest())
            box: dict[str, object] = {"names": [part.name], "alg": "sha256", "hash": digest, "pad": []}
            listed.append(box | ({"excluded": True} if out else {}))
        return {"boxes": listed}

    return _jpeg(leaf, data, "c2pa.hash.boxes", binding)


def film_but(leaf: Issued, data: bytes, *paths: str) -> bytes:
    """A digest over all boxes but the store, those that C2PA lists, and those that are named here."""

    def binding(file: bytes) -> Binding:
        digest = hashlib.sha256()
        for box in boxes(file, 0, len(file)):
            is_store = box.kind == b"uuid" and file.startswith(STORE_UUID, box.body)
            if is_store or f"/{box.kind.decode('latin-1')}" in ("/ftyp", "/mfra", *paths):
                continue
            digest.update(struct.pack(">Q", box.start) + file[box.start : box.end])
        store = {"xpath": "/uuid", "data": [{"offset": 8, "value": list(STORE_UUID)}]}
        rest = [{"xpath": path} for path in ("/ftyp", "/mfra", *paths)]
        return {"exclusions": [store, *rest], "alg": "sha256", "hash": list(digest.digest()), "name": "film"}

    size = len(_store(leaf, "c2pa.hash.bmff.v3", binding(data)))
    while True:
        file = make_room(data, size)
        store = _store(leaf, "c2pa.hash.bmff.v3", binding(file))
        if len(store) == size:
            at = file.index(b"manifest\0") + 17
            return file[:at] + store + file[at + size :]
        size = len(store)


def _jpeg(leaf: Issued, data: bytes, label: str, binding: Callable[[bytes, int, int], Binding]) -> bytes:
    size = 13_000
    while True:
        place = layout(data, size)
        end = place.start + place.wrapped_size(size)
        store = _store(
            leaf, label, binding(place.filled(bytes(4) + b"jumb" + bytes(size - 8)), place.start, end)
        )
        if len(store) == size:
            return place.filled(store)
        size = len(store)


def _store(leaf: Issued, label: str, binding: Binding) -> bytes:
    claim = CaptureClaim(
        title="photo",
        captured_at=datetime.now(UTC),
        device=DeviceAssertion(device_id="device-0001", counter=1, nonce=bytes(16)),
    )
    definition = json.loads(manifest_definition(claim))
    assertions: Sequence[object] = definition["assertions"]
    definition["assertions"] = [*assertions, {"label": label, "created": True, "data": binding}]

    def raw(message: bytes) -> bytes:
        r, s = decode_dss_signature(leaf.ec_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    with (
        Signer.from_callback(raw, C2paSigningAlg.ES256, leaf.chain_pem.decode()) as signer,
        Builder(json.dumps(definition), context=Context.from_dict(_SETTINGS)) as builder,
    ):
        store: bytes = builder.sign(signer, "image/jpeg", io.BytesIO(_EMPTY_JPEG), io.BytesIO())
    return store
