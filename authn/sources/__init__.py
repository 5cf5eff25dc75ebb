"""Evidence sources: each asks one question of the pixels or the metadata, and can only warn or abstain."""

from __future__ import annotations

from typing import Protocol

from authn.evidence import HeuristicEvidence
from authn.media import Media


class HeuristicSource(Protocol):
    """A source is pure towards the outside: bytes in, evidence out; it opens no socket."""

    @property
    def name(self) -> str:
        """Stable name of the source, as it stands in ``not_examined`` when it fails."""
        ...

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``DetectorError`` or ``AuthnError`` when it cannot run; a failure is never a score."""
        ...
