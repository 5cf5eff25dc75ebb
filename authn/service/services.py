"""What a service process holds: built by ``authn.service.wiring.open_services``, passed to ``create_app``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine, select

from authn.core.config import Settings
from authn.core.errors import DatabaseUnusable
from authn.devices.ocsp import Responder
from authn.devices.registry import Registry
from authn.devices.revocation import Revocations
from authn.jobs.runner import Runner
from authn.pki.authority import Authority
from authn.service.batches import Batches
from authn.service.captures import Captures
from authn.service.deferred import Deferred
from authn.service.enrolment.challenged import Enrolments
from authn.service.enrolment.intake import Intake
from authn.service.examinations import Examinations
from authn.service.recovering import Recovering
from authn.service.repeats import Repeats
from authn.service.sweeping import Sweeper
from authn.service.webhooks import Webhooks
from authn.store.captures import TakenCaptures
from authn.store.engine import reading
from authn.store.verifications import Verifications
from authn.tlog.log.log import Log
from authn.tlog.log.publisher import Publisher
from signer.proof.certificates import Certificate

if TYPE_CHECKING:
    from authn.examine.detectors import LearnedDetector
    from authn.recovery.lookup import Recovery


class Stamper(Protocol):
    """``authn.pki.tsa.TimestampAuthority``: DER in, DER out; a rejection is an answer too."""

    def respond(self, request: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    settings: Settings
    engine: Engine
    authority: Authority
    registry: Registry
    intake: Intake
    enrolments: Enrolments
    tsa: Stamper
    log: Log
    publisher: Publisher | None
    tsa_roots: tuple[Certificate, ...]
    revocations: Revocations
    responder: Responder
    verifications: Verifications
    examinations: Examinations
    deferred: Deferred
    repeats: Repeats
    batches: Batches
    webhooks: Webhooks
    runners: tuple[Runner, ...] = ()
    sweeper: Sweeper | None = None
    recovery: Recovery | None = None
    detectors: tuple[LearnedDetector, ...] = ()  # as they were when the examiners were made
    clock: Callable[[], datetime]
    enrolment_token: str = field(repr=False)

    @property
    def captures(self) -> Captures:
        taken, remembers = TakenCaptures(self.engine), None
        if self.recovery is not None:
            devices = frozenset(self.settings.recovery_devices.split())
            remembers = Recovering(recovery=self.recovery, devices=devices, clock=self.clock)
        return Captures(self.examinations, self.log, self.registry, taken, self.clock, remembers)

    def why_not_ready(self) -> tuple[str, ...]:
        """One sentence for each part that cannot do its work now; empty when all can."""
        now = self.clock()
        reasons = []
        try:
            with reading(self.engine) as connection:
                connection.execute(select(1))
        except DatabaseUnusable as e:
            reasons.append(e.detail)
        if not now < self.authority.issuing.not_valid_after_utc:
            reasons.append("the issuing authority's certificate has ended")
        if not now < self.authority.stamper.certificate.not_valid_after_utc:
            reasons.append("the time-stamp authority's certificate has ended")
        if not self.authority.clock_synchronised():
            reasons.append("the clock is not synchronised, so nothing is time-stamped")
        if why := self.authority.clock.why_not():
            reasons.append(why)
        if why := self.enrolments.why_not_ready(now):
            reasons.append(why)
        if self.log.halted:
            reasons.append(self.log.halted)
        examiner = self.examinations.why_not_ready()
        return (*reasons, examiner) if examiner else tuple(reasons)

    def begin(self) -> None:
        """Build the usual examiner, do jobs and ask witnesses, all in the background; ``close`` ends it."""
        self.examinations.start_warming()
        for runner in self.runners:
            runner.start()
        if self.sweeper is not None:
            self.sweeper.start()
        if self.publisher is not None:
            self.publisher.start()

    def close(self) -> None:
        """End the confined processes and what runs in the background; wait for them. Jobs that are not done
        yet go back to the others."""
        for runner in self.runners:
            runner.close()
        if self.sweeper is not None:
            self.sweeper.close()
        if self.publisher is not None:
            self.publisher.close()
        self.examinations.close()
        self.repeats.close()
        if self.recovery is not None:
            self.recovery.close()
        self.log.close()
        self.engine.dispose()
