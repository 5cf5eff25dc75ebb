"""Whether signatures lead from a certificate to a root of a list, whatever else the path lacks.

It tells "outside your lists" from "refuted" and nothing more: usage and constraints are not looked at, nor
when anything but the roots is valid, so that a yes is never a reason to believe anything. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from signer.proof.certificates import Certificate, issued_by
from signer.proof.path import MAX_INTERMEDIATES

MAX_SIGNATURE_CHECKS = 256


def reaches(
    certificates: Sequence[Certificate], roots: Sequence[Certificate], at: datetime | None = None
) -> bool:
    """``certificates``: as the file brings them, the one asked about first. ``at``: of the roots only those
    count that are valid then, since what another one lacks is about the list and not about the file.

    Each is visited once. A maze of issuers that costs more than the budget reaches nothing, nor does a path
    that is longer than our verifiers go."""
    known = [r for r in roots if at is None or r.not_valid_before_utc <= at <= r.not_valid_after_utc]
    level, seen, checks = [certificates[0]], {certificates[0]}, MAX_SIGNATURE_CHECKS
    for _ in range(MAX_INTERMEDIATES + 2):
        if any(c in known for c in level):
            return True
        above: list[Certificate] = []
        for lower in level:
            for upper in (*known, *certificates[1:]):
                if upper in seen or upper.subject != lower.issuer:
                    continue
                checks -= 1
                if checks < 0:
                    return False
                if issued_by(lower, upper):
                    seen.add(upper)
                    above.append(upper)
        level = above
    return False
