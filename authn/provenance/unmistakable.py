"""Captures about which a second engine could only repeat the first: nobody but the signer chose a byte. Pure.

Of a plain capture (``authn.provenance.plain``) whose digests hold, whoever has no key can still write the
boxes of the store and the segments around it in other ways: longer lengths, further boxes, pieces out of
order. Here all of that is as any writer would write it, and what the manifest says holds the keys that are
known, each of its type. So another engine would locate the same bytes and show the same words
(docs/decisions/0034).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from cryptography.x509.oid import NameOID

from authn.core.media import Media
from authn.provenance.own import OwnReading
from authn.provenance.plain import Plain, assertion_map, claim_map, is_plain
from authn.provenance.reading import DATA_HASH
from signer.claim import DEVICE_ASSERTION
from signer.proof import Span

_ACTIONS = "c2pa.actions.v2"
_UUID = bytes.fromhex("00110010800000aa00389b71")  # behind the four letters of a type
_NAMED, _SALTED = b"\x03", b"\x13"  # what a description says that it holds
_SALT_BYTES = range(16, 33)
_SEGMENT = b"\xff\xeb"
_UTF8, _PRINTABLE = b"\x0c", b"\x13"  # ASN.1 tags of texts
_HEAD = 12  # of a segment that carries a box: marker, length, "JP", instance, sequence
_REPEATED = 8  # in each further segment: length and type of the box
_DEVICE = {"device_id": str, "counter": int, "nonce": str, "checkpoint": str}

_Box = tuple[bytes, int, int]


class _Odd(Exception):
    """Not as any writer would write it."""


def is_unmistakable(media: Media, own: OwnReading) -> bool:
    """Asked of JPEG alone: the house has no writer of its own for other containers to compare with."""
    if media.media_type != "image/jpeg" or not is_plain(own):
        return False
    try:
        _check_boxes(own.store)
        _check_words(own)
        _check_signer_name(own)
        _check_segments(media.data, own.spans(media), own)
    except (_Odd, ValueError, struct.error, IndexError):
        return False
    return True


def _check_boxes(store: bytes) -> None:
    (whole,) = _boxes(store, 0, len(store))
    _, manifests = _opened(store, whole, b"c2pa")
    (manifest,) = manifests
    _, parts = _opened(store, manifest, b"c2ma")
    kinds = dict(_opened_any(store, part) for part in parts)
    if kinds != {"c2pa.assertions": b"c2as", "c2pa.claim.v2": b"c2cl", "c2pa.signature": b"c2cs"}:
        raise _Odd
    for part in parts:
        label, kind = _opened_any(store, part)
        _, inside = _opened(store, part, kind)
        if label != "c2pa.assertions":
            _check_content(inside)
            continue
        for assertion in inside:
            _check_content(_opened(store, assertion, b"cbor")[1])


def _check_content(inside: list[_Box]) -> None:
    if [kind for kind, _, _ in inside] != [b"cbor"]:
        raise _Odd


def _opened_any(store: bytes, box: _Box) -> tuple[str, bytes]:
    """Label and type of a superbox."""
    kind = store[box[1] + 8 : box[1] + 12]
    return _opened(store, box, kind)[0], kind


def _opened(store: bytes, box: _Box, kind: bytes) -> tuple[str, list[_Box]]:
    """Label and content of a superbox of this type, whose description says nothing more."""
    outer, start, end = box
    (first, at, behind), *content = _boxes(store, start, end)
    if outer != b"jumb" or first != b"jumd" or store[at : at + 16] != kind + _UUID:
        raise _Odd
    toggles, (text, zero, salt) = store[at + 16 : at + 17], store[at + 17 : behind].partition(b"\0")
    if not zero or toggles not in (_NAMED, _SALTED) or (toggles == _NAMED) is bool(salt):
        raise _Odd
    if salt:
        ((of, salted, until),) = _boxes(salt, 0, len(salt))
        if of != b"c2sh" or until - salted not in _SALT_BYTES:
            raise _Odd
    return text.decode("ascii"), content


def _boxes(data: bytes, start: int, end: int) -> list[_Box]:
    """By short lengths, without a gap."""
    found, at = [], start
    while at < end:
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8 or at + length > end:
            raise _Odd
        found.append((kind, at + 8, at + length))
        at += length
    return found


def _check_words(own: OwnReading) -> None:
    """Texts, whole seconds and numbers alone, so that nobody has to choose how to show them."""
    claim, actions = claim_map(own), assertion_map(own, _ACTIONS)
    if claim is None or actions is None:
        raise _Odd
    (action,) = _list(actions["actions"])
    generator = claim.get("claim_generator_info")
    if not isinstance(action, Mapping) or not isinstance(generator, Mapping):
        raise _Odd
    _check_texts({**action, "when": "" if _is_second(action.get("when")) else action.get("when", "")})
    _check_texts(generator)
    _check_texts({name: claim[name] for name in ("instanceID", "dc:title") if name in claim})
    if own.manifest is not None and any(box.label == DEVICE_ASSERTION for box in own.manifest.assertions):
        device = assertion_map(own, DEVICE_ASSERTION)
        if device is None or any(type(v) is not _DEVICE.get(str(k)) for k, v in device.items()):
            raise _Odd


def _check_signer_name(own: OwnReading) -> None:
    """One common name of visible characters in UTF-8, after which both call the signer. Without one they name
    the issuer's organisation or the signer's own; of two, the first or the last."""
    subject = own.certificates[0].subject
    (name,) = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(name.value)
    written = bytes([len(text.encode())]) + text.encode()
    if not text.strip() or not text.isprintable():
        raise _Odd
    if not any(tag + written in subject.public_bytes() for tag in (_UTF8, _PRINTABLE)):
        raise _Odd


def _check_texts(said: Plain) -> None:
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in said.items()):
        raise _Odd


def _is_second(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is UTC and not value.microsecond


def _check_segments(data: bytes, spans: Iterable[Span], own: OwnReading) -> None:
    """Counted from one, of one instance, each behind the other, and exactly what the binding leaves out."""
    pieces = list(spans)
    begin = at = pieces[0].start - _HEAD
    box = struct.pack(">I4s", sum(s.end - s.start for s in pieces), b"jumb")
    instance = data[at + 6 : at + 8]
    for i, piece in enumerate(pieces):
        head = _SEGMENT + struct.pack(">H", piece.end - at - 2) + b"JP" + instance + struct.pack(">I", i + 1)
        told = data[at : at + _HEAD + _REPEATED]
        if told != head + box or piece.start != at + _HEAD + (_REPEATED if i else 0):
            raise _Odd
        at = piece.end
    binding = assertion_map(own, DATA_HASH)
    if binding is None or binding["exclusions"] != [{"start": begin, "length": at - begin}]:
        raise _Odd


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _Odd
    return value
