"""A source that is not installed: it stays in its place, and says with every file why it does not answer."""

from __future__ import annotations

from authn.core.errors import SystemLacking
from authn.core.evidence import HeuristicEvidence
from authn.core.media import Media


class AbsentSource:
    """Implements ``HeuristicSource``."""

    reads_pixels = False

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``SystemLacking``, whatever the file."""
        raise SystemLacking(self._why)
