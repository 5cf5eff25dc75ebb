"""Whether a smooth place of the picture was put elsewhere in it. Question: *edited*. Runs on request.

What keypoints do not see: sky, skin, walls. It points to it where the grain of a smooth place stands a second
time. Cloning away dust, a wire or a blemish does that and is common and innocent. It is never against: grain
that was wiped out by a coarse JPEG or by reducing the picture, or a place that was turned, shows nothing.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.core.overlay import Layer, Line, Overlay
from authn.sources.places import OfPixels, edited, layer_of_mask, points
from detector.core.errors import NotApplicable
from detector.forensics.smooth_copies import (
    LEAST_AGREEING,
    SmoothCopies,
    SmoothPlace,
    examine_smooth_copies,
)
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.decode import decode

NAME, VERSION = "smooth_copies", "1"
MOST_CELLS = 80  # of the drawing along a side
_evidence = partial(edited, NAME, VERSION)
_NOTHING = (
    "no smooth place of it is found to stand a second time; a coarse JPEG and reducing the picture wipe out "
    "what would show it, so nothing follows"
)
_COPIED = (
    "the grain of a smooth place stands a second time, {down} pixels down and {across} across (correlation "
    "{agreeing}; from {least} on this points to it), over {area} pixels: one was put there from the other. "
    "Cloning away dust, a wire or a blemish does that as well as hiding a person; so do drawings in which a "
    "pattern repeats"
)


class SmoothCopiesSource(OfPixels):
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            found = examine_smooth_copies(self._pictures.of(media))
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        best = max((p.agreeing for p in found.copied), default=None)
        findings = tuple(_finding(p, found) for p in found.copied)
        if not findings:
            return (_evidence(HeuristicOutcome.INCONCLUSIVE, _NOTHING, findings=()),)
        return (_evidence(HeuristicOutcome.SUPPORTS, _said(found), raw=best, findings=findings),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Both places, over an answer that points to them. Raises as ``examine``."""
        if not points(found):
            return ()
        again = examine_smooth_copies(self._pictures.of(media))
        return (
            Overlay(
                detector=self.name,
                title="Smooth places whose grain stands twice",
                low="no such place",
                high="one grain",
                says="A line joins both places. Which of the two was there first is not to be seen.",
                normal="In an ordinary photo no grain stands twice: each place of a sky has its own.",
                own=_layer(again),
                reference=_reference(),
            ),
        )


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


def _layer(found: SmoothCopies) -> Layer:
    mask = np.zeros((found.height, found.width), bool)
    lines = []
    for place in found.copied:
        mask |= place.mask
        (a, b), (c, d) = _ends(place, found)
        lines.append(Line(x1=a, y1=b, x2=c, y2=d))
    return layer_of_mask(mask, found.reduced, MOST_CELLS, lines)


@cache
def _reference() -> Layer:
    """Of the reference photo, which has no such places."""
    return _layer(examine_smooth_copies(decode(reference_photo(), MEDIA_TYPE)))
