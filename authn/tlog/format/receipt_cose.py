"""The same receipt as COSE (RFC 9942, RFC9162_SHA256), for readers that know COSE and no signed notes.

Pure. Signed anew with the log's key over the root of the checkpoint; cosignatures have no place in it.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import cbor2

from authn.core.errors import ReceiptRefused
from authn.core.keys import spki_of
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.merkle import leaf_hash
from authn.tlog.format.note import SigningKey, verify
from authn.tlog.format.proof import proves_inclusion
from authn.tlog.format.receipt import Inclusion, Receipt

SIGN1_TAG = 18
ALGORITHM, KEY_ID, CWT_CLAIMS = 1, 4, 15
ISSUER, SUBJECT, ISSUED_AT = 1, 2, 6
EDDSA = -8
VDS, RFC9162_SHA256 = 395, 1
PROOFS, INCLUSION = 396, -1


def cose_receipt(receipt: Receipt | Inclusion, leaf: bytes, key: SigningKey, now: datetime) -> bytes:
    """The receipt of this leaf, signed by the log. Raises ``ReceiptRefused`` where the proof does not hold:
    the log's key must never sign a root that the log did not publish."""
    checkpoint = parse_checkpoint(verify(receipt.note, (key.verifier,)).text)
    if not proves_inclusion(leaf_hash(leaf), receipt.index, checkpoint.size, receipt.proof, checkpoint.root):
        raise ReceiptRefused("the receipt does not prove that this entry is in the log")
    claims = {
        ISSUER: checkpoint.origin,
        SUBJECT: f"urn:sha256:{sha256(leaf).hexdigest()}",
        ISSUED_AT: int(now.timestamp()),
    }
    spki = spki_of(key.key.public_key())
    header = {ALGORITHM: EDDSA, VDS: RFC9162_SHA256, KEY_ID: sha256(spki).digest(), CWT_CLAIMS: claims}
    protected = cbor2.dumps(header, canonical=True)
    signature = key.key.sign(cbor2.dumps(["Signature1", protected, b"", checkpoint.root]))
    inclusion = cbor2.dumps([checkpoint.size, receipt.index, list(receipt.proof)])
    unprotected = {PROOFS: {INCLUSION: [inclusion]}}
    return cbor2.dumps(cbor2.CBORTag(SIGN1_TAG, [protected, unprotected, None, signature]))
