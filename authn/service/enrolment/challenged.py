"""Enrolling with a challenge: the device proves that it holds its key now, and its maker may say where it is.

Everything is examined before anything is written; a refusal writes nothing and uses no challenge up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from authn.devices.attestation import prepare_attestation, verify_attestation
from authn.devices.attestation.attested import Asked, Prepared, Terms
from authn.devices.registry import EnrolledDevice, Evidence
from authn.pki.profile import parse_csr
from authn.service.enrolment.challenges import Challenge, Challenges, use
from authn.service.enrolment.intake import Intake
from authn.service.enrolment.terms import why_not_usable


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What goes out to a device; ``answer`` is empty but for formats of two steps."""

    challenge: str
    expires_at: datetime
    formats: tuple[str, ...]
    answer: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolling:
    """``attestation`` is a JSON object with ``fmt``; ``credential`` got the challenge."""

    name: str
    csr: bytes
    challenge: str
    attestation: Mapping[str, object]
    credential: str = field(repr=False)


class Enrolments:
    """Who may ask is decided by the caller: see ``authn.service.enrolment.tokens.verify_token``."""

    def __init__(self, intake: Intake, challenges: Challenges, terms: Terms) -> None:
        self._intake = intake
        self._challenges = challenges
        self._terms = terms

    def ask(self, sent: Mapping[str, object], credential: str, now: datetime) -> Asking:
        """A challenge for whoever holds ``credential``; ``sent`` is empty or the first step of a format.
        Raises ``AttestationRefused``."""
        made: list[Prepared] = []

        def keep(value: bytes) -> bytes:
            made.append(prepare_attestation(sent, value, self._terms))
            return made[0].state

        challenge = self._challenges.issue(credential, now, keep)
        return Asking(
            challenge=challenge.text,
            expires_at=challenge.expires_at,
            formats=tuple(sorted(self._terms.formats)),
            answer=made[0].answer,
        )

    def enrol(self, asked_for: Enrolling, now: datetime) -> EnrolledDevice:
        """As ``Intake.enrol``. Raises ``ChallengeRefused`` and ``AttestationRefused`` besides."""
        challenge = self._challenges.open(asked_for.challenge, asked_for.credential, now)
        parse_csr(asked_for.csr, challenge=challenge.text, origin=self._terms.webauthn.origin)
        return self._intake.enrol(
            asked_for.name,
            asked_for.csr,
            now,
            evidence=self._examine(asked_for.attestation, challenge, now),
            within=lambda connection: use(connection, challenge, now),
        )

    def why_not_ready(self, now: datetime) -> str:
        """One sentence where an accepted format cannot be examined; empty when all can."""
        return why_not_usable(self._terms, now)

    def _examine(
        self, attestation: Mapping[str, object], challenge: Challenge, now: datetime
    ) -> Evidence | None:
        asked = Asked(challenge=challenge.value, at=now, terms=self._terms, state=challenge.state)
        attested = verify_attestation(attestation, asked)
        if attested is None:
            return None
        statement = json.dumps(attestation, sort_keys=True, separators=(",", ":")).encode()
        return Evidence(attested=attested, statement=statement, challenge=challenge.text)
