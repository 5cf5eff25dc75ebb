"""Where an engine is not heard, for a known limit of its own that meets what stands in the file.

The limits themselves are fields of ``EngineTraits``; here stands when each of them matters
(docs/decisions/0004).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509

from authn.core.evidence import Axis, Outcome
from authn.pki.chains import has_only_usages_of, is_pss_signed
from authn.provenance.answers import Asked, EngineAnswer, EngineState
from authn.provenance.own import OwnReading
from authn.provenance.reading import Abstention, engine_outcome
from signer.proof.timestamp import VerifiedTimestamp
from signer.proof.usages import SIGNER_USAGES

# An engine that judges at the clock calls such a signer untrusted too: a report would change with the
# reader's calendar. Validity is judged by us and by an engine that takes the time that is asked about.
_AT_THE_CLOCK = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})


def known_limits(
    own: OwnReading,
    answers: Sequence[EngineAnswer],
    usages: frozenset[x509.ObjectIdentifier] = SIGNER_USAGES,
) -> tuple[Abstention, ...]:
    """On the signer and on integrity. ``usages``: those that the reader's list allows a signer."""
    found: list[Abstention] = []
    for answer in (a for a in answers if a.asked is not Asked.CLAIMS):
        if not answer.by.reads_pss and is_pss_signed(own.certificates):
            reason = "it does not evaluate certificates that are signed with RSASSA-PSS"
            found.append(_not_heard(answer, Axis.SIGNER, reason))
        elif not answer.by.takes_usages and has_only_usages_of(own.certificates, usages - SIGNER_USAGES):
            reason = "its list of key usages cannot be set, and lacks the one that your list allows"
            found.append(_not_heard(answer, Axis.SIGNER, reason))
        if any(c.code in _AT_THE_CLOCK for c in answer.failures()):
            found.extend(by_clock([answer]))
        if engine_outcome(answer, Axis.INTEGRITY) is Outcome.NOT_EXAMINED:
            reason = "it did not evaluate the hard binding"
            if answer.state is not EngineState.READ:
                reason = f"it cannot read the manifest store: {answer.detail or 'it finds none'}"
            found.append(_not_heard(answer, Axis.INTEGRITY, reason))
    return tuple(found)


def by_clock(answers: Iterable[EngineAnswer]) -> tuple[Abstention, ...]:
    """On the signer, of those who judge at the clock: for a certificate that has run out at some time."""
    return tuple(
        Abstention(engine=a.engine, axis=Axis.SIGNER, reason="", by_clock=True)
        for a in answers
        if a.by.judges_at_clock
    )


def of_fractions(stamp: VerifiedTimestamp, answers: Iterable[EngineAnswer]) -> tuple[Abstention, ...]:
    """On the time, of those who do not read a genTime as this one."""
    return tuple(
        _not_heard(a, Axis.TIME, "it does not read a genTime with a fraction")
        for a in answers
        if not a.by.reads_fractions
        and stamp.gen_time.microsecond
        and any(c.code == "timeStamp.malformed" for c in a.codes)
    )


def _not_heard(answer: EngineAnswer, axis: Axis, reason: str) -> Abstention:
    return Abstention(engine=answer.engine, axis=axis, reason=reason)
