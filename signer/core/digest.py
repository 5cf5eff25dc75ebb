"""A digest never travels without its algorithm."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    algorithm: str
    value: bytes

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value.hex()}"


def sha256_of(data: bytes) -> Digest:
    return Digest(algorithm="sha256", value=hashlib.sha256(data).digest())
