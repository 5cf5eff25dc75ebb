"""Manifest stores made by hand: each part as its writer wants it, duplicate keys and odd tags included."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from authn.pki.tsa import TimestampAuthority
from signer.claim import DEVICE_ASSERTION
from signer.embed.jpeg import layout
from signer.proof.container import manifest_spans, read_manifest
from signer.proof.cose import stamped_message
from signer.proof.jumbf import active_manifest
from signer.proof.timestamp import build_request, parse_response
from tests.doubles.photos import photo
from tests.doubles.pki import Issued

LABEL = "urn:c2pa:3fad1ead-8ed5-44d0-873b-ea5f58adea82"
Cbor = Mapping[object, object]
_TYPE = bytes.fromhex("00110010800000aa00389b71")
_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
CREATED: Cbor = {"action": "c2pa.created", "digitalSourceType": _CAPTURE}
_TRIES = 200


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def superbox(kind: str, label: str, *content: bytes) -> bytes:
    description = kind.encode() + _TYPE + b"\3" + label.encode() + b"\0"
    return box(b"jumb", box(b"jumd", description) + b"".join(content))


def doubled(value: Cbor, key: object, before: object) -> bytes:
    """A map that names ``key`` twice, this value first: the last one is what ``value`` holds."""
    pairs = [(key, before), *value.items()]
    assert len(pairs) < 24
    return bytes([0xA0 + len(pairs)]) + b"".join(cbor2.dumps(k) + cbor2.dumps(v) for k, v in pairs)


def ders(signer: Issued) -> list[bytes]:
    return [c.public_bytes(Encoding.DER) for c in signer.chain]


@dataclass(frozen=True, kw_only=True)
class HandMade:
    """A plain capture, stamped by ``authority``; every part can be written in another way."""

    leaf: Issued
    authority: Issued
    binding: Callable[[Cbor], bytes] = cbor2.dumps
    exclusions: Callable[[int, int], list[dict[str, int]]] = lambda start, length: [
        {"start": start, "length": length}
    ]
    actions: bytes = field(default_factory=lambda: cbor2.dumps({"actions": [CREATED]}))
    device: Cbor = field(default_factory=lambda: {"device_id": "d", "counter": 1})
    behind_device: bytes = b""  # further boxes in the device assertion
    protected: Callable[[list[bytes]], Cbor] = lambda chain: {1: -7, 33: chain}
    more_claim: Cbor = field(default_factory=dict)

    def jpeg(self) -> bytes:
        size = 5000
        for _ in range(_TRIES):  # a time-stamp's own signature has one of three lengths
            place = layout(photo(), size)
            length = place.wrapped_size(size)
            file = place.filled(bytes(4) + b"jumb" + bytes(size - 8))
            kept = file[: place.start] + file[place.start + length :]
            store = self._store(
                {
                    "exclusions": self.exclusions(place.start, length),
                    "alg": "sha256",
                    "hash": hashlib.sha256(kept).digest(),
                    "pad": bytes(8),
                }
            )
            if len(store) == size:
                return place.filled(store)
            size = len(store)
        raise AssertionError("the length of the store does not settle")

    def _store(self, binding: Cbor) -> bytes:
        device = box(b"cbor", cbor2.dumps(self.device)) + self.behind_device
        written = {
            "c2pa.actions.v2": box(b"cbor", self.actions),
            "c2pa.hash.data": box(b"cbor", self.binding(binding)),
            DEVICE_ASSERTION: device,
        }
        boxes = {label: superbox("cbor", label, content) for label, content in written.items()}
        claim = cbor2.dumps(
            {
                "instanceID": "xmp:iid:1",
                "claim_generator_info": {"name": "test", "version": "1"},
                "signature": f"self#jumbf=/c2pa/{LABEL}/c2pa.signature",
                "created_assertions": [
                    {"url": f"self#jumbf=c2pa.assertions/{label}", "hash": hashlib.sha256(whole[8:]).digest()}
                    for label, whole in boxes.items()
                ],
                "dc:title": "photo",
                "alg": "sha256",
                **self.more_claim,
            }
        )
        manifest = superbox(
            "c2ma",
            LABEL,
            superbox("c2as", "c2pa.assertions", *boxes.values()),
            superbox("c2cl", "c2pa.claim.v2", box(b"cbor", claim)),
            superbox("c2cs", "c2pa.signature", box(b"cbor", self._signed(claim))),
        )
        return superbox("c2pa", "c2pa", manifest)

    def _signed(self, claim: bytes) -> bytes:
        protected = cbor2.dumps(self.protected(ders(self.leaf)))
        message = cbor2.dumps(["Signature1", protected, b"", claim])
        r, s = decode_dss_signature(self.leaf.ec_key.sign(message, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        stamper = TimestampAuthority(
            self.authority.certificate,
            self.authority.ec_key,
            self.authority.intermediates,
            clock=lambda: datetime.now(UTC),
        )
        request = build_request(stamped_message(protected, cbor2.dumps(signature)), nonce=7)
        token = parse_response(stamper.respond(request))
        unprotected = {"sigTst2": {"tstTokens": [{"val": token}]}, "pad": bytes(200)}
        return cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, None, signature]))


def between_pieces(signed: bytes, segment: bytes) -> bytes:
    """A signed JPEG whose store is split in two with ``segment`` between them: by anybody, without a key. The
    padding in the unsigned header pays for it, so that the binding leaves out exactly what it did."""
    (span,) = manifest_spans(signed, "image/jpeg")
    store = read_manifest(signed, "image/jpeg")
    assert store is not None
    shorter = _with_less_padding(store, 20 + len(segment))
    half = len(shorter) // 2
    instance = signed[span.start - 6 : span.start - 4]
    first = _piece(instance, 1, shorter[:half])
    second = _piece(instance, 2, shorter[:8] + shorter[half:])
    changed = signed[: span.start - 12] + first + segment + second + signed[span.end :]
    assert len(changed) == len(signed)
    return changed


def _piece(instance: bytes, number: int, content: bytes) -> bytes:
    return b"\xff\xeb" + struct.pack(">H2s2sI", 10 + len(content), b"JP", instance, number) + content


def _with_less_padding(store: bytes, less: int) -> bytes:
    at = active_manifest(store).signature
    old = at.of(store)
    protected, unprotected, _, signature = cbor2.loads(old).value
    padding = len(unprotected["pad"])
    for size in range(padding - less - 8, padding - less + 9):
        value = [protected, {**unprotected, "pad": bytes(size)}, None, signature]
        new = cbor2.dumps(cbor2.CBORTag(18, value))
        if len(new) == len(old) - less:
            break
    else:
        raise AssertionError("there is too little padding")
    out = bytearray(store[: at.start] + new + store[at.end :])
    start, end = 0, len(store)
    while start < end:  # every box around the signature is shorter, too
        length, kind = struct.unpack_from(">I4s", store, start)
        if start < at.start and at.end <= start + length:
            struct.pack_into(">I", out, start, length - less)
            start, end = (start + 8, start + length) if kind == b"jumb" else (end, end)
        else:
            start += length
    return bytes(out)
