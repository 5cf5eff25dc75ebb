"""Step 13: what a receipt of a transparency log proves about a capture, to whoever trusts the log's key.

The record that a capture is logged under follows from the file alone, so a file and its receipt are enough.
Digests of the whole file are not in it: padding may change without the signature noticing. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

from authn.core.captured import CaptureDigests
from authn.core.errors import NoteError, ReceiptRefused
from authn.core.evidence import Axis, AxisEvidence, Finding, Outcome
from authn.core.keys import spki_sha256
from authn.provenance.own import OwnReading
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.cosignature import parse_witness_key
from authn.tlog.format.entry import EntryKind, Value, canonical
from authn.tlog.format.note import Verifier, parse_vkey
from authn.tlog.format.note import parse as parse_note
from authn.tlog.format.policy import WitnessPolicy
from authn.tlog.format.receipt import VerifiedReceipt, parse_receipt, verify_receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTrust:
    """The logs whose receipts the reader accepts, and the witnesses whose word counts: of these it takes
    ``quorum`` to say when a checkpoint was seen. ``policy`` brings witnesses and quorum of its own, in place
    of those two."""

    logs: tuple[Verifier, ...] = ()
    witnesses: tuple[Verifier, ...] = ()
    quorum: int = 1
    policy: WitnessPolicy | None = None

    @classmethod
    def of_policy(cls, policy: WitnessPolicy, logs: tuple[Verifier, ...] = ()) -> LogTrust:
        """``logs`` beside those of the policy."""
        witnesses = tuple(w.key for w in policy.witnesses)
        return cls(logs=(*logs, *policy.logs), witnesses=witnesses, policy=policy)

    def enough(self, names: Collection[str]) -> bool:
        """Whether these witnesses together count. Nobody never does, also where a policy asks for nobody."""
        if self.policy is not None:
            return bool(self.policy.quorum) and self.policy.satisfied_by(names)
        return len(set(names)) >= self.quorum


def capture_record(own: OwnReading) -> Mapping[str, Value]:
    """What is logged about a capture, as it stands in the entry. Raises as ``capture_digests``."""
    return asdict(capture_digests(own))


def capture_digests(own: OwnReading) -> CaptureDigests:
    """Digests of claim, signature, key and time-stamp.

    Raises ``ReceiptRefused`` where there is no readable signature.
    """
    if own.signature is None or not own.certificates:
        raise ReceiptRefused("there is no readable signature that could be logged")
    tokens = own.signature.tokens_v2
    return CaptureDigests(
        claim_sha256=sha256(own.claim).hexdigest(),
        signature_sha256=sha256(own.signature.signature).hexdigest(),
        key_sha256=spki_sha256(own.certificates[0].public_key()),
        token_sha256=sha256(tokens[0]).hexdigest() if tokens else None,
    )


def log_axis(own: OwnReading, receipt: str | None, trust: LogTrust) -> AxisEvidence:
    """Established: the receipt proves that this very capture is in a log of the reader's list."""
    if receipt is None:
        why = "no receipt of a transparency log was given"
        return _axis(_finding("assay.log.noReceipt", Outcome.ABSENT, why))
    if own.signature is None or not own.certificates:
        why = "there is no readable signature that a receipt could be about"
        return _axis(_finding("assay.log.notExamined", Outcome.NOT_EXAMINED, why))
    return record_axis(capture_record(own), receipt, trust)


def record_axis(
    record: Mapping[str, Value], text: str, trust: LogTrust, kind: EntryKind = EntryKind.RECEIPT
) -> AxisEvidence:
    """Established: the receipt proves that this very record is in a log of the reader's list."""
    if not trust.logs:
        why = "no key of a transparency log was given"
        return _axis(_finding("assay.log.notExamined", Outcome.NOT_EXAMINED, why))
    if origin := _elsewhere(text, trust):
        why = f"the receipt is of the log {origin}, and that is in none of your lists"
        return _axis(_finding("assay.log.outsideLists", Outcome.OUTSIDE_LISTS, why))
    try:
        verified = _verified(record, text, trust, kind)
    except ReceiptRefused as e:
        return _axis(_finding("assay.log.receiptRefused", Outcome.REFUTED, e.detail))
    return _axis(_included(verified, kind), _witnessed(verified, trust))


def _elsewhere(text: str, trust: LogTrust) -> str | None:
    """The log that the receipt says it is of, where the list has none of that name. What bears the name of a
    log of the list and is not signed by it is another matter."""
    try:
        origin = parse_checkpoint(parse_note(parse_receipt(text).note).text).origin
    except ReceiptRefused:
        return None
    return None if origin in {log.name for log in trust.logs} else origin


def _verified(record: Mapping[str, Value], text: str, trust: LogTrust, kind: EntryKind) -> VerifiedReceipt:
    receipt = parse_receipt(text)
    if receipt.kind != kind:
        raise ReceiptRefused(f"the receipt is about something else: {receipt.kind}")
    leaf = receipt.leaf(canonical(record))
    refused = ReceiptRefused("the receipt is of no log in your list")
    for log in trust.logs:
        try:
            return verify_receipt(receipt, leaf, log, trust.witnesses)
        except ReceiptRefused as e:
            refused = e
    raise refused


def _included(verified: VerifiedReceipt, kind: EntryKind) -> Finding:
    what = "capture" if kind is EntryKind.RECEIPT else "record"
    return Finding(
        code="assay.log.included",
        outcome=Outcome.ESTABLISHED,
        detail=f"the {what} is entry {verified.index} of the log {verified.origin}",
        facts=(("origin", verified.origin), ("index", verified.index), ("size", verified.size)),
    )


def _witnessed(verified: VerifiedReceipt, trust: LogTrust) -> Finding:
    if not trust.enough(verified.witnessed_by):
        seen = (
            f"; {len(verified.witnessed_by)} of your witnesses did, too few" if verified.witnessed_by else ""
        )
        why = "unwitnessed: the operator committed to the entry; nobody else is shown to have seen that log"
        return _finding("assay.log.unwitnessed", Outcome.NOT_EXAMINED, f"{why}{seen}")
    return Finding(
        code="assay.log.witnessed",
        outcome=Outcome.ESTABLISHED,
        detail=f"witnesses in your list saw the same log: {', '.join(verified.witnessed_by)}",
        facts=(("witnesses", len(verified.witnessed_by)),),
    )


def _finding(code: str, outcome: Outcome, detail: str) -> Finding:
    return Finding(code=code, outcome=outcome, detail=detail)


def _axis(*findings: Finding) -> AxisEvidence:
    return AxisEvidence.of(Axis.LOG, *findings)


def parse_log_keys(texts: Sequence[str]) -> tuple[Verifier, ...]:
    """vkeys of logs (C2SP signed-note). Raises ``NoteError``."""
    return tuple(parse_vkey(text) for text in texts)


def parse_witness_keys(texts: Sequence[str], logs: Sequence[Verifier] = ()) -> tuple[Verifier, ...]:
    """vkeys of witnesses (C2SP tlog-cosignature) of these logs. Raises ``NoteError``, also for one key under
    two names, which would count for two, and for a log's own key, which vouches for nobody."""
    keys = tuple(dict.fromkeys(parse_witness_key(text) for text in texts))
    if len({key.public for key in keys}) != len(keys):
        raise NoteError("one key stands for two witnesses")
    if {log.public for log in logs} & {key.public for key in keys}:
        raise NoteError("a log's own key stands as its witness")
    return keys
