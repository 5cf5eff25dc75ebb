"""Keys that can say where they are: what a backend's key offers beside signing, where it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class AttestingKey(Protocol):
    """A private key with evidence of where it is kept (docs/formats/enrolment.md). Both methods raise
    ``KeyUnavailable`` where the hardware cannot be asked."""

    def attestation_request(self) -> Mapping[str, object]:
        """What the request for a challenge carries: ``fmt``, and what the format's first step needs."""
        ...

    def attest(self, challenge: bytes, answer: Mapping[str, str]) -> Mapping[str, object]:
        """The evidence for this challenge (32 bytes), with ``fmt``; ``answer`` is what the service answered
        to ``attestation_request`` beside the challenge."""
        ...
