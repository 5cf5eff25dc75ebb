"""The boxes of a C2PA manifest store (ISO/IEC 19566-5, C2PA 2.x section 11.1), as spans of its bytes.

It finds where claim, signature and assertions lie. It trusts nothing, resolves no URI, checks no hash.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from signer.core.errors import ManifestMalformed, ManifestUnsupported
from signer.proof.containers.places import Span

MAX_DEPTH = 12  # a store has four levels; ingredients do not nest boxes
MAX_BOXES = 50_000

_STORE_LABEL = "c2pa"
_CLAIM_LABELS = ("c2pa.claim.v2", "c2pa.claim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Superbox:
    """A ``jumb`` box: its label, its child superboxes, and the content of its first plain box. ``body`` is
    all of it but its header: what the digest of a hashed URI covers."""

    label: str
    body: Span
    children: tuple[Superbox, ...]
    content: Span | None
    content_type: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestBoxes:
    """``claim`` and ``signature`` are the spans of the CBOR, inside the store's bytes. ``alone``: the store
    holds no other manifest, and this one nothing but claim, signature and assertions."""

    label: str
    claim_version: int
    claim: Span
    signature: Span
    assertions: tuple[Superbox, ...]
    alone: bool = False


def active_manifest(store: bytes) -> ManifestBoxes:
    """The last manifest of the store, which is the active one (C2PA 2.x section 11.1.4.3)."""
    return manifests(store)[-1]


def manifests(store: bytes) -> tuple[ManifestBoxes, ...]:
    """All manifests in order. Raises ``ManifestMalformed``."""
    boxes = _superboxes(store, 0, len(store), 0, [0])
    if len(boxes) != 1 or boxes[0].label != _STORE_LABEL:
        raise ManifestMalformed("the bytes are not one C2PA manifest store")
    found = tuple(_manifest(box, alone=len(boxes[0].children) == 1) for box in boxes[0].children)
    if not found:
        raise ManifestMalformed("the manifest store is empty")
    if len({m.label for m in found}) != len(found):
        raise ManifestMalformed("two manifests share one label")
    return found


def active_alone(store: bytes) -> bytes:
    """A store with the active manifest of this one and no other. Raises ``ManifestMalformed``."""
    manifests(store)
    ((_, whole),) = _boxes(store, 0, len(store), [0])
    inside = _boxes(store, whole.start, whole.end, [0])
    active = [span for kind, span in inside if kind == b"jumb"][-1]
    return _box(b"jumb", _box(b"jumd", inside[0][1].of(store)) + _box(b"jumb", active.of(store)))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def torn_boxes(store: bytes) -> str:
    """Why the boxes of this store do not lie whole in each other, or nothing. Labels and contents are not
    looked at; zeros behind the store's own box are padding."""
    try:
        _whole(store, 0, _end_of_first(store), 0, [0])
    except (ManifestMalformed, ManifestUnsupported) as e:
        return e.detail
    return ""


def _end_of_first(store: bytes) -> int:
    """Where its first box ends, if nothing but padding follows."""
    length = int.from_bytes(store[:4], "big")
    padded = 8 <= length <= len(store) and not store[length:].strip(b"\0")
    return length if padded else len(store)


def _whole(data: bytes, start: int, end: int, depth: int, count: list[int]) -> None:
    if depth > MAX_DEPTH:
        raise ManifestUnsupported(f"boxes are nested more than {MAX_DEPTH} deep")
    for kind, body in _boxes(data, start, end, count):
        if kind == b"jumb":
            _whole(data, body.start, body.end, depth + 1, count)


def _manifest(box: Superbox, *, alone: bool) -> ManifestBoxes:
    by_label = {child.label: child for child in box.children}
    if len(by_label) != len(box.children):
        raise ManifestMalformed(f"manifest {box.label!r} holds two boxes of one label")
    claims = [label for label in _CLAIM_LABELS if label in by_label]
    if len(claims) != 1 or "c2pa.signature" not in by_label:
        raise ManifestMalformed(f"manifest {box.label!r} needs exactly one claim and one signature")
    claim, signature = by_label[claims[0]].content, by_label["c2pa.signature"].content
    if claim is None or signature is None:
        raise ManifestMalformed(f"manifest {box.label!r} has an empty claim or signature")
    store = by_label.get("c2pa.assertions")
    return ManifestBoxes(
        label=box.label,
        claim_version=2 if claims[0] == "c2pa.claim.v2" else 1,
        claim=claim,
        signature=signature,
        assertions=store.children if store else (),
        alone=alone and by_label.keys() == {claims[0], "c2pa.signature", "c2pa.assertions"},
    )


def _superboxes(data: bytes, start: int, end: int, depth: int, count: list[int]) -> tuple[Superbox, ...]:
    if depth > MAX_DEPTH:
        raise ManifestUnsupported(f"boxes are nested more than {MAX_DEPTH} deep")
    found = []
    for kind, body in _boxes(data, start, end, count):
        if kind == b"jumb":
            found.append(_superbox(data, body, depth, count))
    return tuple(found)


def _superbox(data: bytes, body: Span, depth: int, count: list[int]) -> Superbox:
    parts = list(_boxes(data, body.start, body.end, count))
    if not parts or parts[0][0] != b"jumd":
        raise ManifestMalformed("a superbox does not begin with its description")
    label = _label(parts[0][1].of(data))
    plain = [(kind, span) for kind, span in parts[1:] if kind != b"jumb"]
    first = parts[1][1].start - 8 if len(parts) > 1 else body.end
    return Superbox(
        label=label,
        body=body,
        children=_superboxes(data, first, body.end, depth + 1, count),
        content=plain[0][1] if plain else None,
        content_type=plain[0][0] if plain else b"",
    )


def _label(description: bytes) -> str:
    if len(description) < 17 or not description[16] & 0x02:
        raise ManifestMalformed("a superbox has no label")
    end = description.find(b"\0", 17)
    if end == -1:
        raise ManifestMalformed("a label does not end")
    try:
        return description[17:end].decode("utf-8")
    except UnicodeDecodeError as e:
        raise ManifestMalformed("a label is not UTF-8") from e


def _boxes(data: bytes, start: int, end: int, count: list[int]) -> list[tuple[bytes, Span]]:
    found = []
    at = start
    while at < end:
        count[0] += 1
        if count[0] > MAX_BOXES:
            raise ManifestUnsupported(f"the manifest store holds more than {MAX_BOXES} boxes")
        if at + 8 > end:
            raise ManifestMalformed("a box is truncated")
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if length == 1:
            if at + 16 > end:
                raise ManifestMalformed("a box is truncated")
            (length,) = struct.unpack(">Q", data[at + 8 : at + 16])
            header = 16
        if length < header or at + length > end:
            raise ManifestMalformed("the length of a box is wrong")
        found.append((kind, Span(start=at + header, end=at + length)))
        at += length
    return found
