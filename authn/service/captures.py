"""Taking in a capture: verified fully first, then logged, then answered with a receipt.

What cannot be verified is refused rather than logged: the log must not lend weight to anything else. The
media are not kept. The receipt leaves only after the log's commit; the device verifies it offline and keeps
it beside the photo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from authn.core.captured import CaptureDigests
from authn.core.errors import AccessDenied, CaptureRefused
from authn.core.evidence import Axis, Outcome
from authn.core.likeness import Looks, SignedManifest
from authn.core.media import Media
from authn.devices import DeviceRecord, RegistryView
from authn.service.access import Kind, Principal
from authn.store.captures import Capture, TakenCaptures
from authn.tlog.format.entry import EntryKind, new_entry
from authn.tlog.format.receipt import Receipt
from authn.tlog.log.log import Log

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
    """The outcome of every axis, and what would be logged; no digests where no signature can be read.
    ``counter`` is the number that the device gave the capture; ``looks`` and ``manifest`` are there where it
    is to be found again."""

    outcomes: Mapping[Axis, Outcome]
    digests: CaptureDigests | None
    counter: int | None = None
    stamped_at: datetime | None = None
    looks: Looks | None = None
    manifest: SignedManifest | None = None


class Judges(Protocol):
    """The confined examiner: nothing in the file is parsed here."""

    def judged(self, media: Media) -> Judged: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """``log_key`` is the vkey that the receipt verifies with; a device compares it with the one it knows.
    ``others``: entries of other captures of the device that bear the same number, ``counter``."""

    receipt: Receipt
    log_key: str
    counter: int | None = None
    others: tuple[int, ...] = ()
    recovery: str | None = None  # "remembered", or why it cannot be found again; None where nobody asks


class Remembers(Protocol):
    """``authn.service.recovering.Recovering``, as far as it is used here."""

    def remember(
        self, judged: Judged, record_sha256: str, subject_sha256: str, device: DeviceRecord
    ) -> str: ...


class Captures:
    """Accepts uploads of registered devices and logs them, each once."""

    def __init__(
        self,
        judges: Judges,
        log: Log,
        registry: RegistryView,
        taken: TakenCaptures,
        clock: Callable[[], datetime],
        remembers: Remembers | None = None,
    ) -> None:
        self._remembers = remembers
        self._judges = judges
        self._log = log
        self._registry = registry
        self._taken = taken
        self._clock = clock

    def take(self, media: Media, by: Principal) -> Taken:
        """A device hands in its own captures; others need the scope for it, which the caller has checked.

        Raises ``CaptureRefused`` naming the first axis that is not established, ``AccessDenied`` for another
        device's capture, ``LogHalted``, and what the examiner raises. The same capture again gets the same
        entry: nothing is lost by a retry, and nothing is logged twice.
        """
        judged = self._judges.judged(media)
        for axis in REQUIRED:
            outcome = judged.outcomes[axis]
            if outcome is not Outcome.ESTABLISHED:
                raise CaptureRefused(f"{axis.value} is {outcome.value}, so the capture is not logged")
        if judged.digests is None:
            raise CaptureRefused("there is no readable signature that could be logged")
        device = self._registry.device_by_key(judged.digests.key_sha256)
        if device is None:
            raise CaptureRefused("the capture is signed by no device of this service")
        if by.kind is Kind.DEVICE and by.id != device.device_id:
            raise AccessDenied("a device hands in its own captures; this one is another device's")
        taken, record_sha256 = self._logged(judged.digests, judged.counter, device.device_id)
        if self._remembers is None:
            return taken
        return replace(taken, recovery=self._remembers.remember(judged, record_sha256, media.sha256, device))

    def _logged(self, digests: CaptureDigests, counter: int | None, device_id: str) -> tuple[Taken, str]:
        """With the digest of the record."""
        fresh = new_entry(EntryKind.RECEIPT, asdict(digests))
        capture = Capture(
            record_sha256=sha256(fresh.record).hexdigest(),
            claim_sha256=digests.claim_sha256,
            device_id=device_id,
            counter=counter,
        )
        known = self._taken.remember(capture, fresh.salt, self._clock())
        (receipt,) = self._log.append((replace(fresh, salt=known.salt),))
        self._taken.placed(capture, receipt.index)
        key = str(self._log.verifier)
        taken = Taken(receipt=receipt, log_key=key, counter=counter, others=known.others)
        return taken, capture.record_sha256
