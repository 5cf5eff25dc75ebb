"""Whether signatures lead from a signer's certificate to a root of a list, whatever else the path lacks.

It tells "outside your lists" from "refuted" and nothing more: time, usage and constraints are not looked at,
so that a yes is never a reason to believe anything. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from signer.certificates import Certificate, issued_by

MAX_SIGNATURE_CHECKS = 256


def reaches(certificates: Sequence[Certificate], roots: Sequence[Certificate]) -> bool:
    """``certificates``: as the file brings them, the signer's first. Each is visited once; a maze of issuers
    that costs more than the budget reaches nothing."""
    waiting, seen, checks = [certificates[0]], {certificates[0]}, MAX_SIGNATURE_CHECKS
    while waiting:
        lower = waiting.pop()
        if lower in roots:
            return True
        for upper in (*roots, *certificates[1:]):
            if upper in seen or upper.subject != lower.issuer:
                continue
            checks -= 1
            if checks < 0:
                return False
            if issued_by(lower, upper):
                seen.add(upper)
                waiting.append(upper)
    return False
