"""Receipts of a small log of the tests, about any record, with any witnesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from authn.provenance.logs import capture_record
from authn.provenance.own import read_own
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.entry import EntryKind, LogEntry, Value, new_entry
from authn.tlog.format.merkle import Frontier, leaf_hash, node_hash
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.format.proof import inclusion_proof
from authn.tlog.format.receipt import Receipt
from tests.doubles.logs import KEY, entry
from tests.doubles.signed import media

AT = 1_790_000_000


def witness(name: str, *, at: int = AT, post_quantum: bool = False) -> Cosigner:
    key = MLDSA44PrivateKey.generate() if post_quantum else Ed25519PrivateKey.generate()
    return Cosigner(name=name, key=key, clock=lambda: at)


def receipt_of(
    data: bytes, witnesses: Sequence[Cosigner] = (), *, key: SigningKey = KEY, index: int = 5, size: int = 11
) -> str:
    """For a signed photo, among other entries."""
    record = capture_record(read_own(media(data)))
    return receipt_for(EntryKind.RECEIPT, record, witnesses, key=key, index=index, size=size)


def receipt_for(
    kind: EntryKind,
    record: Mapping[str, Value],
    witnesses: Sequence[Cosigner] = (),
    *,
    key: SigningKey = KEY,
    index: int = 5,
    size: int = 11,
) -> str:
    ours = new_entry(kind, record)
    entries: list[LogEntry] = [ours if i == index else entry(i) for i in range(size)]
    hashes, tree = [leaf_hash(e.leaf) for e in entries], Frontier()
    for hash_ in hashes:
        tree.append(hash_)

    def node(level: int, at: int) -> bytes:
        return hashes[at] if level == 0 else node_hash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1))

    note = sign(Checkpoint(key.name, size, tree.root()).text(), (key, *witnesses))
    proof = inclusion_proof(node, index, size)
    return Receipt(
        index=index, proof=proof, note=note, kind=kind, salt=ours.salt, version=ours.leaf_version
    ).text()
