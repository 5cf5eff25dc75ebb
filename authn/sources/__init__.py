"""Evidence sources: each asks one question of the pixels or the metadata, and can only warn or abstain."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from authn.core.evidence import HeuristicEvidence
from authn.core.media import Media
from authn.core.overlay import Overlay
from authn.core.score_map import ScoreMap


class HeuristicSource(Protocol):
    """A source is pure towards the outside: bytes in, evidence out; it opens no socket."""

    @property
    def name(self) -> str:
        """Stable name of the source, as it stands in ``not_examined`` when it fails."""
        ...

    @property
    def reads_pixels(self) -> bool:
        """Whether it decodes a picture; it is not asked then about one that no decoder may get."""
        ...

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``DetectorError`` or ``AuthnError`` when it cannot run; a failure is never a score."""
        ...


@runtime_checkable
class HasScoreMap(Protocol):
    """A source that can also say where in a picture its score comes from."""

    @property
    def name(self) -> str: ...
    def score_map(self, media: Media) -> ScoreMap:
        """In the pixels of the decoder, before any orientation. Raises as ``HeuristicSource.examine``."""
        ...


@runtime_checkable
class HasOverlays(Protocol):
    """A source that can draw over the picture what it saw (docs/extending/maps.md)."""

    @property
    def name(self) -> str: ...
    @property
    def reads_pixels(self) -> bool: ...
    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """``found`` is what the report holds of this source. Empty where there is nothing to draw. Raises as
        ``HeuristicSource.examine``."""
        ...
