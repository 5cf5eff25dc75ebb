"""Prefer (RFC 7240): whether a client would rather come back than wait, and how long it waits.

A preference that is not known, or is not written as the standard has it, is passed over, as it wants.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_WAIT_S = 30
_PREFERENCE = re.compile(
    r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:\"([^\"\\]*)\"|([^\s\",;]*)))?\s*(?:;.*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """``wait_s``: seconds that the client waits for the report itself, at most ``MAX_WAIT_S``."""

    respond_async: bool = False
    wait_s: int | None = None

    @property
    def any(self) -> bool:
        return self.respond_async or self.wait_s is not None

    @property
    def applied(self) -> str:
        """As Preference-Applied."""
        wait = () if self.wait_s is None else (f"wait={self.wait_s}",)
        return ", ".join((*(("respond-async",) if self.respond_async else ()), *wait))


def preferences(headers: Iterable[str]) -> Preferences:
    """Of what stands twice the first counts (RFC 7240, 2)."""
    found: dict[str, str] = {}
    for part in ",".join(headers).split(","):
        if matched := _PREFERENCE.fullmatch(part):
            found.setdefault(matched[1].lower(), matched[2] or matched[3] or "")
    wait = found.get("wait", "")
    seconds = min(int(wait[:9]), MAX_WAIT_S) if wait.isascii() and wait.isdigit() else None
    return Preferences(respond_async=found.get("respond-async", "no") in ("", "true", "1"), wait_s=seconds)
