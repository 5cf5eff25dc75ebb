"""What a log says about a capture, as values that every process can read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDigests:
    """What is logged about a capture. Nothing personal."""

    claim_sha256: str
    signature_sha256: str
    key_sha256: str
    token_sha256: str | None
