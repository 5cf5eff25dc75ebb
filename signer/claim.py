"""What a capture asserts, as frozen values, and its form as a C2PA manifest definition.

A claim is what the device says; whether to believe the device is the reader's decision. Follows C2PA 2.x
section 18.14 (actions) and the conformance rubrics: ``created``, ``allActionsIncluded``, ``specVersion``.
No thumbnail: it would cost more than the signature and doubles what leaks from a redacted picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

GENERATOR_NAME = "Assay"
GENERATOR_VERSION = "0.1.0"
C2PA_SPECIFICATION = "2.4.0"
DEVICE_ASSERTION = "org.assay.device"
BURST_ASSERTION = "org.assay.burst"
DIGITAL_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
MIN_NONCE_BYTES = 16
SHA256_BYTES = 32
MOST_IN_BURST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAssertion:
    """``counter`` never repeats on one device; ``nonce`` is random, or commits to ``checkpoint``, the newest
    checkpoint note of a log that the device knows (``signer.freshness``)."""

    device_id: str
    counter: int
    nonce: bytes
    checkpoint: str = ""

    def __post_init__(self) -> None:
        if not self.device_id or self.counter < 1 or len(self.nonce) < MIN_NONCE_BYTES:
            msg = "a device assertion needs an id, a counter from 1 and a nonce of 16 bytes or more"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstAssertion:
    """That a photo is one of several that a device took of one scene, one after the other, the camera moved
    in between. ``digests`` are the SHA-256 of all of them as they came, in the order in which they were
    taken, and the digest of a JPEG's hard binding is just that; ``index`` is this one's place, from 0."""

    set_id: bytes
    index: int
    digests: tuple[bytes, ...]

    def __post_init__(self) -> None:
        several = 2 <= len(self.digests) <= MOST_IN_BURST and len(set(self.digests)) == len(self.digests)
        if not several or not 0 <= self.index < len(self.digests) or len(self.set_id) < MIN_NONCE_BYTES:
            msg = f"a burst is 2 to {MOST_IN_BURST} photos that differ, each with its place, under an id"
            raise ValueError(msg)
        if any(len(d) != SHA256_BYTES for d in self.digests):
            msg = "not a SHA-256"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureClaim:
    """A digital capture. ``captured_at`` is the device's clock, which nobody vouches for."""

    title: str
    captured_at: datetime
    device: DeviceAssertion
    burst: BurstAssertion | None = None

    def __post_init__(self) -> None:
        if self.captured_at.tzinfo is None:
            msg = "captured_at needs a time zone"
            raise ValueError(msg)


def manifest_definition(claim: CaptureClaim) -> str:
    """The definition as JSON text, as the signing engine takes it."""
    when = claim.captured_at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    created = {"action": "c2pa.created", "digitalSourceType": DIGITAL_CAPTURE, "when": when}
    device = {
        "device_id": claim.device.device_id,
        "counter": claim.device.counter,
        "nonce": claim.device.nonce.hex(),
        **({"checkpoint": claim.device.checkpoint} if claim.device.checkpoint else {}),
    }
    definition = {
        "claim_version": 2,
        "claim_generator_info": [
            {"name": GENERATOR_NAME, "version": GENERATOR_VERSION, "specVersion": C2PA_SPECIFICATION}
        ],
        "title": claim.title,
        # "created": without it the engine files an assertion as gathered, not attributed to the signer
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,
                "data": {"actions": [created], "allActionsIncluded": True},
            },
            {"label": DEVICE_ASSERTION, "created": True, "data": device},
            *_burst_assertion(claim.burst),
        ],
    }
    return json.dumps(definition)


def _burst_assertion(burst: BurstAssertion | None) -> list[dict[str, object]]:
    """The members in the words that C2PA has for a collection (2.x, ``c2pa.hash.collection.data``): an
    algorithm and a list of ``uri`` and ``hash``, here in hexadecimal. The URI is a place in the set, since
    files are renamed."""
    if burst is None:
        return []
    uris = [{"uri": f"{i + 1}", "hash": digest.hex()} for i, digest in enumerate(burst.digests)]
    data = {"set_id": burst.set_id.hex(), "index": burst.index + 1, "alg": "sha256", "uris": uris}
    return [{"label": BURST_ASSERTION, "created": True, "data": data}]
