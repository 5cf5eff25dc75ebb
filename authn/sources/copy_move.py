"""Whether a place of the picture was copied to another place of it. Question: *edited*. Runs on request.

It points to it only where two places agree down to their grain, as no two windows of a house do: then one was
put there from the other, to hide something or to show it twice. Cloning dust and wires away is common and
innocent. Places that are only alike are said and count for nothing. It is never against: what was cloned
smoothly, or copied in pieces, leaves nothing that is found here.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.core.overlay import Layer, Line, Overlay
from authn.sources.places import OfPixels, edited, layer_of_mask
from detector.core.errors import NotApplicable
from detector.forensics.copy_move import (
    FEW_GRAIN,
    LEAST_GRAIN,
    LEAST_POINTS,
    CopyMove,
    Place,
    examine_copy_move,
)
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.decode import decode

NAME, VERSION = "copy_move", "1"
MOST_CELLS = 80  # of the drawing along a side
MOST_LINES = 12  # of a pair of places
_NOTHING = "no two places of it are found to be alike beyond chance, so nothing follows"
_ALIKE = (
    "places look alike (pairs: {count}), each with its own grain: the same thing twice, or a pattern, and no "
    "copy that is seen here, so nothing follows"
)
_COPIED = (
    "two places agree down to the grain (correlation {grain}; from {least} on this points to it), over "
    "{area} pixels{moved}, as where one was put there from the other. Cloning away dust or a wire does that "
    "as well as hiding a person; so do drawings and collages that show one picture twice"
)


class CopyMoveSource(OfPixels):
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            found = examine_copy_move(self._pictures.of(media))
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        outcome, reason = _said(found)
        return (_evidence(outcome, reason, found),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Both places, over an answer that points to them. Raises as ``examine``."""
        if not any(g.outcome is HeuristicOutcome.SUPPORTS for g in found):
            return ()
        again = examine_copy_move(self._pictures.of(media))
        return (
            Overlay(
                detector=self.name,
                title="Places that agree down to their grain",
                low="no such place",
                high="one grain",
                says="Lines join points of one place with those of the other. Which of the two was there "
                "first is not to be seen.",
                normal="An ordinary photo has no such places, not even where windows or bricks look alike.",
                own=_layer(again),
                reference=_reference(),
            ),
        )


def _said(found: CopyMove) -> tuple[HeuristicOutcome, str]:
    if copied := found.copied:
        best = copied[0]
        return HeuristicOutcome.SUPPORTS, _COPIED.format(
            grain=f"{best.grain:.2f}",
            least=f"{LEAST_GRAIN if len(best.first) >= LEAST_POINTS else FEW_GRAIN:g}",
            area=f"{round(best.area / found.reduced**2):,}",
            moved=_moved(best),
        )
    if found.places:
        return HeuristicOutcome.INCONCLUSIVE, _ALIKE.format(count=len(found.places))
    return HeuristicOutcome.INCONCLUSIVE, _NOTHING


def _moved(place: Place) -> str:
    """Empty where it was moved and nothing else."""
    over = ", mirrored" if place.mirrored else ""
    turn = f", turned by {place.turn:.0f} degrees" if abs(place.turn) >= 1 else ""
    return over + turn + (f", scaled by {place.scale:.2f}" if abs(place.scale - 1) >= 0.02 else "")


def _finding(place: Place, found: CopyMove) -> Finding:
    copied = place.copied
    first, second = (_middle(p, found.reduced) for p in (place.first, place.second))
    facts: Facts = (
        ("grain_correlation", round(place.grain, 3)),
        ("agreeing_share", round(place.alike, 3)),
        ("not_flat_share", round(place.told, 3)),
        ("ground_share", round(place.ground, 3)),
        ("keypoints", len(place.first)),
        ("pixels", round(place.area / found.reduced**2)),
        ("x", first[0]), ("y", first[1]), ("other_x", second[0]), ("other_y", second[1]),
        ("turned_degrees", round(place.turn, 1)),
        ("scaled", round(place.scale, 3)),
        ("mirrored", place.mirrored),
    )  # fmt: skip
    return Finding(
        code="assay.copy_move.places",
        outcome=Outcome.ESTABLISHED if copied else Outcome.ABSENT,
        detail=f"two places agree {'down to their grain' if copied else 'and not in their grain'}, "
        f"around {first[0]}, {first[1]} and around {second[0]}, {second[1]}",
        facts=facts,
    )


def _middle(points: NDArray[np.float64], reduced: float) -> tuple[int, int]:
    """In pixels of the picture."""
    x, y = (points.mean(axis=0) / reduced).round()
    return int(x), int(y)


def _layer(found: CopyMove) -> Layer:
    """Where the copied places lie; lines join their points."""
    height, width = round(found.height / found.reduced), round(found.width / found.reduced)
    mask = np.zeros((found.height, found.width), bool)
    lines: list[Line] = []
    for place in found.copied:
        mask |= place.mask
        step = max(1, len(place.first) // MOST_LINES)
        ends = np.hstack([place.first, place.second])[::step][:MOST_LINES] / found.reduced
        ends = np.clip(ends.round(), 0, (width - 1, height - 1) * 2).astype(int)
        lines += [Line(x1=a, y1=b, x2=c, y2=d) for a, b, c, d in ends.tolist()]
    return layer_of_mask(mask, found.reduced, MOST_CELLS, lines)


@cache
def _reference() -> Layer:
    """Of the reference photo, which has no such places."""
    return _layer(examine_copy_move(decode(reference_photo(), MEDIA_TYPE)))


def _evidence(outcome: HeuristicOutcome, reason: str, found: CopyMove | None = None) -> HeuristicEvidence:
    if found is None:
        return edited(NAME, VERSION, outcome, reason)
    best = max((p.grain for p in found.places), default=None)
    findings = tuple(_finding(p, found) for p in found.places)
    return edited(NAME, VERSION, outcome, reason, raw=best, findings=findings)
