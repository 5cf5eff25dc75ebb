"""The number that a device gives each of its captures, and what it means when two have the same.

A device counts durably and skips rather than repeats (``signer.device``). Two captures of one number come
from a storage that was restored, or from a key that is used in two places: worth a question to its owner, and
no proof of anything. Pure.
"""

from __future__ import annotations

import json
from dataclasses import replace

from authn.core.evidence import AxisEvidence, Finding, Outcome
from authn.core.keys import spki_sha256
from authn.devices import RegistryView
from authn.provenance.own import OwnReading
from signer.claim import DEVICE_ASSERTION
from signer.proof.cbor import read_cbor

MAX_COUNTER = 1 << 53


def counter_of(own: OwnReading) -> int | None:
    """What the capture asserts; None where it asserts none that can be read."""
    boxes = own.manifest.assertions if own.manifest is not None else ()
    found = [box for box in boxes if box.label == DEVICE_ASSERTION and box.content is not None]
    if len(found) != 1 or found[0].content is None:
        return None
    content = found[0].content.of(own.store)
    try:
        data = json.loads(content) if found[0].content_type == b"json" else read_cbor(content)
    except (ValueError, RecursionError):
        return None
    counter = data.get("counter") if isinstance(data, dict) else None
    return counter if type(counter) is int and 0 < counter < MAX_COUNTER else None


def with_repetition(device: AxisEvidence, own: OwnReading, registry: RegistryView | None) -> AxisEvidence:
    """The device axis, and where the registry knows another capture of this number a finding that says so."""
    if registry is None or device.outcome is not Outcome.ESTABLISHED or not own.certificates:
        return device
    record, counter = registry.device_by_key(spki_sha256(own.certificates[0].public_key())), counter_of(own)
    if record is None or counter is None or counter not in record.repeated_counters:
        return device
    finding = Finding(
        code="assay.device.counterRepeated",
        outcome=Outcome.NOT_EXAMINED,
        detail=f"several captures of this device bear the number {counter}: its storage was restored from a "
        "copy, or its key is used in two places; the service cannot tell which",
        facts=(("counter", counter),),
    )
    return replace(device, findings=(*device.findings, finding))
