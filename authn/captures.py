"""Taking in a capture: verified fully first, then logged, then answered with a receipt.

What cannot be verified is refused rather than logged: the log must not lend weight to anything else. The
media are not kept. The receipt leaves only after the log's commit; the device verifies it offline and keeps
it beside the photo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from authn.errors import CaptureRefused
from authn.evidence import Axis, Outcome
from authn.media import Media
from authn.provenance.logs import CaptureDigests
from authn.tlog.entry import EntryKind, new_entry
from authn.tlog.log import Log
from authn.tlog.receipt import Receipt

# Everything that a receipt must not be given without; the log axis comes from the receipt itself.
REQUIRED = (
    Axis.CREDENTIAL,
    Axis.INTEGRITY,
    Axis.SIGNER,
    Axis.DEVICE,
    Axis.TIME,
    Axis.REVOCATION,
    Axis.HISTORY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The outcome of every axis, and what would be logged; no digests where no signature can be read."""

    outcomes: Mapping[Axis, Outcome]
    digests: CaptureDigests | None


class Judges(Protocol):
    """The confined examiner: nothing in the file is parsed here."""

    def judged(self, media: Media) -> Judged: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """``log_key`` is the vkey that the receipt verifies with; a device compares it with the one it knows."""

    receipt: Receipt
    log_key: str


class Captures:
    """Accepts uploads of registered devices and logs them."""

    def __init__(self, judges: Judges, log: Log, clock: Callable[[], datetime]) -> None:
        self._judges = judges
        self._log = log
        self._clock = clock

    def take(self, media: Media) -> Taken:
        """Raises ``CaptureRefused`` naming the first axis that is not established, ``LogHalted``, and what
        the examiner raises. Sending the same capture again logs it again: nothing is lost by a retry."""
        judged = self._judges.judged(media)
        for axis in REQUIRED:
            outcome = judged.outcomes[axis]
            if outcome is not Outcome.ESTABLISHED:
                raise CaptureRefused(f"{axis.value} is {outcome.value}, so the capture is not logged")
        if judged.digests is None:
            raise CaptureRefused("there is no readable signature that could be logged")
        entry = new_entry(EntryKind.RECEIPT, asdict(judged.digests))
        (receipt,) = self._log.append((entry,))
        return Taken(receipt=receipt, log_key=str(self._log.verifier))
