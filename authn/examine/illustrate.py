"""What a page shows beside a report while the media are at hand: a small picture, and where scores come from.

Neither is part of the report, and nothing in the report depends on them (docs/decisions/0010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from authn.core.evidence import NotExamined
from authn.core.media import Media
from authn.core.report import Report
from authn.core.score_map import Maps

SHOWN_SIDE_PIXELS = 1280  # large enough for a magnifier; about 150 kB


class MapsScores(Protocol):
    """``authn.examine.examiner.Examiner``, as far as it is used here."""

    def maps(self, media: Media, report: Report) -> Maps: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Illustrated:
    """``maps`` stand upright, like the preview; without a preview there are none."""

    preview_jpeg: bytes | None
    maps: Maps


def illustrate(
    examiner: MapsScores, media: Media, report: Report, original: Media | None = None
) -> Illustrated:
    """Never fails: what cannot be drawn is missing, or its reason. With an ``original`` a map of what differs
    from it stands last."""
    from authn.report.preview import make_preview, orientation_of  # pixels are decoded only when asked for

    preview = make_preview(media, SHOWN_SIDE_PIXELS)
    maps = () if preview is None else examiner.maps(media, report)
    if preview is not None and original is not None:
        from authn.examine.difference import difference

        maps = (*maps, difference(media, original))
    turn = orientation_of(media) if maps else 1
    upright = tuple(m if isinstance(m, NotExamined) else m.upright(turn) for m in maps)
    return Illustrated(preview_jpeg=preview, maps=upright)
