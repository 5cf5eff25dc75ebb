"""The time-stamp tokens of a claim signature, against the reader's list: part of step 5 of the verifier.

Three ends are told apart: a check failed (refuted), the authority is on no list (outside the lists), and
nobody could say (not examined, docs/decisions/0014 and 0015).
"""

from __future__ import annotations

from collections.abc import Sequence

from authn.core.evidence import Axis, Finding, Outcome
from signer.core.errors import TimestampError, TimestampUnfit, TimestampUntrusted
from signer.proof.certificates import Certificate
from signer.proof.cose import ClaimSignature, stamped_message_v1, stamped_message_v2
from signer.proof.timestamp import VerifiedTimestamp, parse_response, verify_token


def read_tokens(
    signature: ClaimSignature, claim: bytes, roots: Sequence[Certificate], *, trusted: bool
) -> tuple[list[VerifiedTimestamp], tuple[Finding, ...]]:
    """Those that hold, and what is found about those that do not. ``trusted``: an engine trusts a time-stamp
    of this signature."""
    verified, refused = [], []
    attempts = [(t, stamped_message_v2(signature), False) for t in signature.tokens_v2]
    attempts += [(r, stamped_message_v1(signature, claim), True) for r in signature.responses_v1]
    for blob, message, is_response in attempts:
        try:
            verified.append(verify_token(parse_response(blob) if is_response else blob, message, roots))
        except TimestampError as e:
            refused.append(_token_refused(e, trusted=trusted))
    return verified, tuple(refused)


def _token_refused(error: TimestampError, *, trusted: bool) -> Finding:
    """A path that we refuse and an engine trusts accuses nobody: our verifier of paths has rules beyond the
    standard."""
    if isinstance(error, TimestampUnfit) and error.on_path and trusted:
        return Finding.not_examined(Axis.TIME, error.detail)
    left = Outcome.OUTSIDE_LISTS if isinstance(error, TimestampUntrusted) else Outcome.NOT_EXAMINED
    return Finding(code=error.code, outcome=Outcome.REFUTED if error.refutes else left, detail=error.detail)
