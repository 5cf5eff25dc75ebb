"""One check of this machine, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    NOTE = "note"  # works without it, or could not be found out
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    subject: str
    state: State
    says: str
    mend: str = ""


def ok(subject: str, says: str) -> Check:
    return Check(subject=subject, state=State.OK, says=says)


def problem(subject: str, says: str, mend: str) -> Check:
    return Check(subject=subject, state=State.PROBLEM, says=says, mend=mend)
