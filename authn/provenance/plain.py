"""What has one reading only, whoever reads it: bindings and captures for which the short way is tried. Pure.

Readers differ about what is written oddly: which of two equal keys counts, what a tag means, whether a second
box of an assertion matters. So everything here that is CBOR must be spelt as anybody would write its value
(``cbor2`` writes it again, byte for byte), and holds the keys that are known, each of its type.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime

import cbor2

from authn.provenance.own import OwnReading
from authn.provenance.reading import DATA_HASH
from signer.claim import DEVICE_ASSERTION
from signer.proof.cbor import NotCbor, read_cbor
from signer.proof.jumbf import Superbox

_ES256 = -7
_ALGORITHM, _CHAIN = 1, 33  # of the protected header (RFC 9052, RFC 9360)
_ACTIONS = "c2pa.actions.v2"
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
_BINDING = frozenset({"exclusions", "name", "alg", "hash", "pad"})
_PLAIN_ASSERTIONS = frozenset({_ACTIONS, DATA_HASH, DEVICE_ASSERTION})
_PLAIN_CLAIM = frozenset(
    {"instanceID", "claim_generator_info", "signature", "created_assertions", "dc:title", "alg"}
)
_PLAIN_HEADER = frozenset({"sigTst2", "pad", "pad2"})
_PLAIN_ACTIONS = frozenset({"actions", "allActionsIncluded"})
_PLAIN_ACTION = frozenset({"action", "digitalSourceType", "when"})
_NUMBERS = range(-(2**63), 2**63)  # c2pa-rs refuses larger ones, or shows others in their place
Plain = Mapping[object, object]


def is_plain_binding(own: OwnReading) -> bool:
    """Whether the binding is ``c2pa.hash.data`` with one exclusion, spelt as anybody would."""
    boxes = own.manifest.assertions if own.manifest is not None else ()
    binding = _plain_map(next((b for b in boxes if b.label == DATA_HASH), None), own.store, _BINDING)
    if binding is None:
        return False
    exclusions, name = binding.get("exclusions"), binding.get("name", "")
    return (
        isinstance(exclusions, list)
        and len(exclusions) == 1
        and isinstance(name, str)
        and isinstance(binding.get("pad"), bytes)
        and binding.get("alg", "sha256") in _ALGORITHMS
    )


def is_plain(own: OwnReading) -> bool:
    """A capture as a device signs it: one manifest, one action, which is that it was created, the binding and
    the device's word, ES256, at most one time-stamp, and nothing that only some readers evaluate."""
    manifest = own.manifest
    if manifest is None or not manifest.alone or manifest.claim_version != 2:
        return False
    boxes = {box.label: box for box in manifest.assertions}
    if (
        len(boxes) != len(manifest.assertions)
        or not {_ACTIONS, DATA_HASH} <= boxes.keys() <= _PLAIN_ASSERTIONS
    ):
        return False
    if any(not _is_one_box(box) for box in boxes.values()):
        return False
    claim = claim_map(own)
    actions = _plain_map(boxes[_ACTIONS], own.store, _PLAIN_ACTIONS)
    if claim is None or actions is None:
        return False
    word = assertion_map(own, DEVICE_ASSERTION) if DEVICE_ASSERTION in boxes else {}
    return (
        _is_plain_claim(claim, len(boxes))
        and _created(actions)
        and word is not None
        and all(not isinstance(v, int) or v in _NUMBERS for v in word.values())
        and _is_plain_signature(own)
    )


def claim_map(own: OwnReading) -> Plain | None:
    """The claim, where it is spelt plainly and holds known keys alone."""
    return _known(_spelt_plainly(own.claim), _PLAIN_CLAIM)


def assertion_map(own: OwnReading, label: str) -> Plain | None:
    """The content of an assertion, where it is nothing but a map and spelt plainly."""
    boxes = own.manifest.assertions if own.manifest is not None else ()
    box = next((b for b in boxes if b.label == label), None)
    if box is None or box.content is None or not _is_one_box(box):
        return None
    value = _spelt_plainly(box.content.of(own.store))
    return value if isinstance(value, Mapping) else None


def _is_plain_signature(own: OwnReading) -> bool:
    """ES256, a chain without repetitions, nothing else that is protected, at most one time-stamp."""
    signature, manifest = own.signature, own.manifest
    if signature is None or manifest is None or own.unreadable:
        return False
    header = _known(_spelt_plainly(signature.protected), frozenset({_ALGORITHM, _CHAIN}))
    return (
        header is not None
        and len(header) == len((_ALGORITHM, _CHAIN))
        and signature.algorithm == _ES256
        and signature.unprotected <= _PLAIN_HEADER
        and len(signature.tokens_v2) <= 1
        and len(set(signature.certificates)) == len(signature.certificates)
        and _spelt_plainly(manifest.signature.of(own.store)) is not None
    )


def _is_plain_claim(claim: Plain, assertions: int) -> bool:
    """Every assertion of the store is named, and nothing is redacted."""
    named = claim.get("created_assertions")
    return isinstance(named, list) and len(named) == assertions and claim.get("alg") == "sha256"


def _created(actions: Plain) -> bool:
    listed, every = actions.get("actions"), actions.get("allActionsIncluded", False)
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(every, bool | None):
        return False
    action = _known(listed[0], _PLAIN_ACTION)
    if action is None or action.get("action") != "c2pa.created":
        return False
    when = action.get("when", "")
    return isinstance(action.get("digitalSourceType"), str) and isinstance(when, str | datetime)


def _is_one_box(box: Superbox) -> bool:
    return not box.children and box.content is not None and box.content.end == box.body.end


def _plain_map(box: Superbox | None, store: bytes, keys: Set[str]) -> Plain | None:
    """The content of an assertion that is nothing but this map, of these keys."""
    if box is None or box.content is None or not _is_one_box(box):
        return None
    return _known(_spelt_plainly(box.content.of(store)), keys)


def _known(value: object, keys: Set[object]) -> Plain | None:
    return value if isinstance(value, Mapping) and value.keys() <= keys else None


def _spelt_plainly(cbor: bytes) -> object:
    """Its value; None where somebody would write that value otherwise: keys that stand there twice, tags that
    say nothing, numbers longer than they need be."""
    try:
        value = read_cbor(cbor)
        return value if cbor2.dumps(value) == cbor else None
    except (NotCbor, cbor2.CBOREncodeError, ValueError, TypeError, OverflowError):
        return None
