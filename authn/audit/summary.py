"""One self-contained HTML page over thousands of reports: what was found, what was not looked at, who must look.

Decides nothing about any file. Reads each report once and keeps a short row of it; needs no script, no
network and no other file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What the audit knows about itself; ``skipped`` are (name, code, reason) of files without a report."""

    started_at: datetime
    finished_at: datetime
    source: str
    counts: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, str, str], ...] = ()
    results_sha256: str | None = None
