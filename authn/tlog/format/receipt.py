"""A receipt: one text that proves to anybody, offline, that an entry is in the log (C2SP tlog-proof).

Pure. The line ``extra`` holds kind and salt, so that whoever has the record needs nothing but the receipt and
the log's key to verify it. Go's sumdb packages and tlog-scales verify the same text, given the leaf.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from authn.core.errors import NoteError, ReceiptRefused
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.entry import SALT_BYTES, TAGGED_VERSION, VERSION, canonical, leaf_bytes
from authn.tlog.format.merkle import HASH_BYTES, leaf_hash
from authn.tlog.format.note import Verifier, each_key_once, verify
from authn.tlog.format.proof import MAX_HASHES, Proof, proves_inclusion
from authn.tlog.format.text import MAX_RECEIPT_CHARACTERS, RECEIPT_HEADER, decode, encode, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """What everybody may know of a receipt: where a leaf is in the tree of ``note``, and the path to it."""

    index: int
    proof: Proof
    note: str

    def text(self) -> str:
        """A tlog-proof without the line ``extra``."""
        lines = (RECEIPT_HEADER, f"index {self.index}", *map(encode, self.proof))
        return "\n".join(lines) + "\n\n" + self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``note`` is a signed checkpoint, with cosignatures where there are any. No claim is verified yet."""

    index: int
    proof: Proof
    note: str
    kind: str
    salt: bytes = field(repr=False)
    version: int = VERSION  # of the leaf

    def leaf(self, record: bytes) -> bytes:
        """The leaf that a record has under this receipt's salt. Raises ``ValueError`` for what is no record
        of a tagged leaf."""
        return leaf_bytes(self.kind, self.salt, record, self.version)

    def under(self, inclusion: Inclusion) -> Receipt:
        """The receipt of the same leaf under another checkpoint. Raises ``ReceiptRefused`` for another place
        in the log; nothing else is verified."""
        if inclusion.index != self.index:
            raise ReceiptRefused("the proof is about another entry")
        return replace(self, proof=inclusion.proof, note=inclusion.note)

    def text(self) -> str:
        """The file, usually named ``.tlog-proof``."""
        extra = canonical({"kind": self.kind, "salt": self.salt.hex(), "v": self.version})
        lines = (RECEIPT_HEADER, f"extra {encode(extra)}", f"index {self.index}", *map(encode, self.proof))
        return "\n".join(lines) + "\n\n" + self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """``witnessed_by`` names the given witnesses whose cosignatures are valid; empty means unwitnessed."""

    origin: str
    index: int
    size: int
    root: bytes
    witnessed_by: tuple[str, ...]


def parse_receipt(text: str) -> Receipt:
    """Raises ``ReceiptRefused`` for anything that ``Receipt.text`` would not have written."""
    head, gap, note = text.partition("\n\n")
    lines = head.split("\n")
    if (
        len(text) > MAX_RECEIPT_CHARACTERS
        or not gap
        or lines[0] != RECEIPT_HEADER
        or len(lines) > MAX_HASHES + 3
    ):
        raise ReceiptRefused("this is no receipt of a log")
    if len(lines) < 3 or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise ReceiptRefused("the receipt has no salt or no index")
    kind, salt, version = _opening(_bytes(lines[1].removeprefix("extra ")))
    receipt = Receipt(
        index=_number(lines[2].removeprefix("index ")),
        proof=tuple(map(_bytes, lines[3:])),
        note=note,
        kind=kind,
        salt=salt,
        version=version,
    )
    if any(len(hash_) != HASH_BYTES for hash_ in receipt.proof) or receipt.text() != text:
        raise ReceiptRefused("the receipt is not written as a receipt is")
    return receipt


def parse_inclusion(text: str) -> Inclusion:
    """Raises ``ReceiptRefused`` for anything that ``Inclusion.text`` would not have written."""
    head, gap, note = text.partition("\n\n")
    lines = head.split("\n")
    if len(text) > MAX_RECEIPT_CHARACTERS or not gap or not 2 <= len(lines) <= MAX_HASHES + 2:
        raise ReceiptRefused("this is no proof of a log")
    index, proof = _number(lines[1].removeprefix("index ")), tuple(map(_bytes, lines[2:]))
    inclusion = Inclusion(index=index, proof=proof, note=note)
    if any(len(hash_) != HASH_BYTES for hash_ in proof) or inclusion.text() != text:
        raise ReceiptRefused("the proof is not written as a proof is")
    return inclusion


def verify_receipt(
    receipt: Receipt | Inclusion, leaf: bytes, log_key: Verifier, witnesses: Sequence[Verifier] = ()
) -> VerifiedReceipt:
    """What the receipt proves about a leaf to somebody who trusts these keys and nothing else.

    A signature by a key that is not given is ignored; a bad one by a key that is given refuses the receipt.
    Raises ``ReceiptRefused``, and nothing else whatever the input.
    """
    try:
        verified = verify(receipt.note, (log_key, *witnesses))
        checkpoint = parse_checkpoint(verified.text)
    except NoteError as e:
        raise ReceiptRefused(f"the receipt's checkpoint does not hold: {e.detail}") from e
    signers = {(s.name, s.key_id) for s in verified.signatures}
    if (log_key.name, log_key.key_id) not in signers or checkpoint.origin != log_key.name:
        raise ReceiptRefused("the receipt's checkpoint is not signed by this log")
    if not proves_inclusion(leaf_hash(leaf), receipt.index, checkpoint.size, receipt.proof, checkpoint.root):
        raise ReceiptRefused("the receipt does not prove that this entry is in the log")
    return VerifiedReceipt(
        origin=checkpoint.origin,
        index=receipt.index,
        size=checkpoint.size,
        root=checkpoint.root,
        witnessed_by=tuple(
            w.name for w in each_key_once((w for w in witnesses if (w.name, w.key_id) in signers), (log_key,))
        ),
    )


def _opening(extra: bytes) -> tuple[str, bytes, int]:
    try:
        fields = json.loads(extra)
        kind, salt, version = fields["kind"], bytes.fromhex(fields["salt"]), fields["v"]
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise ReceiptRefused("the receipt's salt cannot be read") from e
    if not isinstance(kind, str) or not kind.isascii() or len(salt) != SALT_BYTES:
        raise ReceiptRefused("the receipt's salt cannot be read")
    if type(version) is not int or version not in (VERSION, TAGGED_VERSION):
        raise ReceiptRefused("the receipt is about a leaf of another version than those known here")
    return kind, salt, version


def _number(text: str) -> int:
    try:
        return number(text)
    except ValueError as e:
        raise ReceiptRefused("the receipt's index is no number") from e


def _bytes(text: str) -> bytes:
    try:
        return decode(text)
    except ValueError as e:
        raise ReceiptRefused("the receipt holds something that is not base64") from e
