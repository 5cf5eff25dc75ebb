"""Our COSE receipts, judged by scitt-cose."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose.receipt import verify_receipt  # type: ignore[import-untyped]

from authn.core.errors import ReceiptRefused
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.entry import EntryKind, new_entry
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.format.proof import inclusion_proof
from authn.tlog.format.receipt import Receipt
from authn.tlog.format.receipt_cose import cose_receipt
from tests.authn.tlog.trees import Grown

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = SigningKey.generate("log.example/receipts")
ENTRIES = tuple(new_entry(EntryKind.RECEIPT, {"n": n}) for n in range(300))
TREE = Grown(entry.leaf for entry in ENTRIES)
NOTE = sign(Checkpoint(KEY.name, 300, TREE.roots[300]).text(), (KEY,))


def receipt(index: int) -> Receipt:
    entry = ENTRIES[index]
    return Receipt(
        index=index, proof=inclusion_proof(TREE.node, index, 300), note=NOTE, kind=entry.kind, salt=entry.salt
    )


@pytest.mark.parametrize("index", [0, 1, 255, 256, 299])
def test_scitt_cose_accepts_our_receipt_and_refuses_it_for_another_leaf(index: int) -> None:
    pem = KEY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made = cose_receipt(receipt(index), ENTRIES[index].leaf, KEY, NOW)
    right = verify_receipt(made, leaf_entry_hex=ENTRIES[index].leaf.hex(), log_public_key_pem=pem)
    assert right.ok, right.errors
    wrong = verify_receipt(made, leaf_entry_hex=ENTRIES[index - 1].leaf.hex(), log_public_key_pem=pem)
    assert not wrong.ok


def test_the_key_signs_no_root_that_the_receipt_does_not_lead_to() -> None:
    with pytest.raises(ReceiptRefused):
        cose_receipt(receipt(5), ENTRIES[6].leaf, KEY, NOW)
    with pytest.raises(ReceiptRefused):
        cose_receipt(receipt(5), ENTRIES[5].leaf, SigningKey.generate(KEY.name), NOW)
