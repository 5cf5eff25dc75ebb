"""Whether a smooth place of the picture was put elsewhere in it. Question: *edited*. Runs on request.

What keypoints do not see: sky, skin, walls. It says where the grain of a smooth place stands a second time,
and points to nothing: on too few photos was it measured to vouch for an answer (docs/decisions/0051). Nor is
it ever against: grain that was wiped out by a coarse JPEG or by reducing the picture, or a place that was
turned, shows nothing.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.sources.places import OfPixels, edited
from detector.core.errors import NotApplicable
from detector.forensics.smooth_copies import (
    LEAST_AGREEING,
    SmoothCopies,
    SmoothPlace,
    examine_smooth_copies,
)

NAME, VERSION = "smooth_copies", "1"
_evidence = partial(edited, NAME, VERSION)
_NOTHING = (
    "no smooth place of it is found to stand a second time; a coarse JPEG and reducing the picture wipe out "
    "what would show it, so nothing follows"
)
_COPIED = (
    "the grain of a smooth place stands a second time, {down} pixels down and {across} across (correlation "
    "{agreeing}; from {least} on it is said), over {area} pixels, as where one was put there from the other. "
    "Cloning away dust, a wire or a blemish does that, and drawings in which a pattern repeats have it; on "
    "too few pictures was it measured to point to anything, so look at both places"
)


class SmoothCopiesSource(OfPixels):
    """Implements ``HeuristicSource``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            found = examine_smooth_copies(self._pictures.of(media))
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        best = max((p.agreeing for p in found.copied), default=None)
        findings = tuple(_finding(p, found) for p in found.copied)
        said = _said(found) if findings else _NOTHING
        return (_evidence(HeuristicOutcome.INCONCLUSIVE, said, raw=best, findings=findings),)


def _said(found: SmoothCopies) -> str:
    first = found.copied[0]
    return _COPIED.format(
        down=round(first.down / found.reduced),
        across=round(first.across / found.reduced),
        agreeing=f"{first.agreeing:.2f}",
        least=f"{LEAST_AGREEING:g}",
        area=f"{round(first.area / found.reduced**2):,}",
    )


def _finding(place: SmoothPlace, found: SmoothCopies) -> Finding:
    (x, y), (other_x, other_y) = _ends(place, found)
    facts: Facts = (
        ("grain_correlation", round(place.agreeing, 3)),
        ("grain_levels", round(place.grain, 2)),
        ("pixels", round(place.area / found.reduced**2)),
        ("x", x), ("y", y), ("other_x", other_x), ("other_y", other_y),
        ("smooth_share", round(found.smooth, 3)),
    )  # fmt: skip
    return Finding(
        code="assay.smooth_copies.place",
        outcome=Outcome.ESTABLISHED,
        detail=f"the grain around {x}, {y} stands again around {other_x}, {other_y}",
        facts=facts,
    )


def _ends(place: SmoothPlace, found: SmoothCopies) -> tuple[tuple[int, int], tuple[int, int]]:
    """x and y of the middles of both places, in pixels of the picture."""
    x, y = place.middle
    ends = np.array([(x, y), (x + place.across, y + place.down)]) / found.reduced
    (a, b), (c, d) = ends.round().astype(int).tolist()
    return (a, b), (c, d)
