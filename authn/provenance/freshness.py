"""The lower end of a signature's time: not before witnesses of the reader's list saw a log's checkpoint.

A capture commits to the newest checkpoint note its device knows (``signer.freshness``): the nonce of its
device assertion is the note's SHA-256. With a quorum of k, up to k - 1 witnesses may name a time that is too
late, so the bound is the k-th latest of their times: an honest witness saw the note then or later. With a
policy, it is the latest time at which the witnesses of then and later are enough for it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from authn.core.errors import NoteError
from authn.core.evidence import Finding, Outcome
from authn.core.instants import instant, spoken
from authn.core.plain import map_of
from authn.provenance.answers import EngineAnswer, assertions_of
from authn.provenance.logs import LogTrust
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.cosignature import signed_at
from authn.tlog.format.note import each_key_once, verify
from signer.claim import DEVICE_ASSERTION

_FAR_FUTURE = 253_402_300_799  # the last second that a datetime can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerBound:
    """``not_before`` is None where there is no checkpoint or too few witnesses; ``finding`` says which."""

    not_before: datetime | None = None
    finding: Finding | None = None


def lower_bound(answer: EngineAnswer, trust: LogTrust) -> LowerBound:
    """``answer`` shows the claims of a file whose integrity is established; the caller has checked that."""
    said = (data for label, data in assertions_of(answer.shown) if label == DEVICE_ASSERTION)
    device = map_of(next(said, None))
    checkpoint, nonce = device.get("checkpoint"), device.get("nonce")
    if not isinstance(checkpoint, str) or not checkpoint:
        return LowerBound()
    if nonce != sha256(checkpoint.encode("utf-8", "surrogatepass")).hexdigest():
        return _open(
            "assay.time.nonceMismatch", Outcome.REFUTED, "the nonce does not commit to the checkpoint"
        )
    if not trust.logs or not trust.witnesses:
        why = "the capture carries a checkpoint, and no log or no witness is in your list"
        return _open("assay.time.checkpointNotExamined", Outcome.NOT_EXAMINED, why)
    try:
        verified = verify(checkpoint, (*trust.logs, *trust.witnesses))
        tree = parse_checkpoint(verified.text)
    except NoteError as e:
        return _open(
            "assay.time.checkpointRefused", Outcome.REFUTED, f"the checkpoint does not hold: {e.detail}"
        )
    by_key = {s.key_id: s for s in verified.signatures}
    if not any(log.key_id in by_key and log.name == tree.origin for log in trust.logs):
        why = "the checkpoint is of no log in your list"
        return _open("assay.time.checkpointNotExamined", Outcome.NOT_EXAMINED, why)
    signed = each_key_once((w for w in trust.witnesses if w.key_id in by_key), trust.logs)
    times = {w.name: signed_at(by_key[w.key_id].signature) for w in signed}
    known = {name: t for name, t in times.items() if t is not None and t <= _FAR_FUTURE}
    at = next((t for t in sorted(known.values(), reverse=True) if _enough_since(t, known, trust)), None)
    if at is None:
        asked = "your policy asks for" if trust.policy else f"the {trust.quorum} that you ask for"
        why = f"{len(known)} witnesses in your list have signed the checkpoint, fewer than {asked}"
        return _open("assay.time.checkpointUnwitnessed", Outcome.NOT_EXAMINED, why)
    return _bound(datetime.fromtimestamp(at, UTC), tree.origin, tree.size, len(known))


def _enough_since(at: int, known: Mapping[str, int], trust: LogTrust) -> bool:
    return trust.enough([name for name, t in known.items() if t >= at])


def _bound(at: datetime, origin: str, size: int, witnesses: int) -> LowerBound:
    finding = Finding(
        code="assay.time.checkpoint",
        outcome=Outcome.ESTABLISHED,
        detail=f"signed not before {spoken(at)}, when witnesses in your list had seen its checkpoint",
        facts=(("origin", origin), ("size", size), ("witnesses", witnesses), ("not_before", instant(at))),
    )
    return LowerBound(not_before=at, finding=finding)


def _open(code: str, outcome: Outcome, detail: str) -> LowerBound:
    return LowerBound(finding=Finding(code=code, outcome=outcome, detail=detail))
