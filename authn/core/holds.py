"""What holds the process that looks at a file, as values: for reports, for ``/readyz`` and for ``doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One mechanism. ``detail`` says how far it goes, or why it is not active."""

    name: str
    active: bool
    detail: str


Holds = tuple[Hold, ...]


def confinement_json(holds: Iterable[Hold] | None) -> dict[str, bool | dict[str, bool | str]]:
    """None: there was no process of its own."""
    if holds is None:
        return {"process": False}
    return {"process": True, **{h.name: {"active": h.active, "detail": h.detail} for h in holds}}
