"""On which squares a picture was a JPEG before, and where on others. Question: *edited*.

That a picture was a JPEG before, and was cropped after that, is said, and nothing follows: both are common
and innocent. Where squares lie otherwise in a place than in the rest, or are seen in that place alone, it
points to it: what is there came out of another JPEG, or was moved. Collages, panoramas and screenshots that
show photos are made like that. It is never against.
"""

from __future__ import annotations

from functools import cache, partial

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.core.overlay import Layer, Overlay
from authn.sources.places import OfPixels, edited, layer_of_places, points, where_looked
from detector.core.errors import NotApplicable
from detector.forensics.jpeg_grid import BETWEEN, PIECE, SEEN, WIDE, JpegGrid, examine_grid
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.decode import Pixels, decode
from detector.pixels.jpeg import luminance_table

NAME, VERSION = "jpeg_grid", "1"
OTHER = -40.0  # of a place: from here down it points to an edit (docs/cards/jpeg_grid.md)
LOW, HIGH = -120.0, 0.0  # the ends of the drawing
OWN = {"image/jpeg": 8, "image/png": 0}  # pixels of the squares that the format has itself
_evidence = partial(edited, NAME, VERSION)
_OTHERS_OWN = 4  # WebP, AVIF and HEIC: no lossy file of theirs has squares that begin elsewhere


class JpegGridSource(OfPixels):
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            found = self._found(media)
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        outcome, reason = _said(found)
        strangest = found.strangest
        raw = None if strangest is None else strangest[0]
        return (_evidence(outcome, reason, raw=raw, findings=(_finding(found),)),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Where squares lie otherwise, over an answer that points to it. Raises as ``examine``."""
        if not points(found):
            return ()
        again = self._found(media)
        return (
            Overlay(
                detector=self.name,
                title="Where the squares of an earlier JPEG lie otherwise",
                low="1 in 10^120 by chance",
                high="as in the rest",
                says="Low places have squares of an earlier JPEG that do not go with those of the picture.",
                normal="A photo lies at the upper end everywhere, also one that was cropped and saved again; "
                "smooth and drawn places are left open.",
                own=_layer(again, self._pictures.of(media)),
                reference=_reference(),
            ),
        )

    def _found(self, media: Media) -> JpegGrid:
        table = luminance_table(media.data) if media.media_type == "image/jpeg" else None
        own = OWN.get(media.media_type, _OTHERS_OWN)
        return examine_grid(self._pictures.of(media), own=own, table=table)


def _whole(found: JpegGrid) -> bool:
    """Whether all of it was a JPEG on the squares that are named."""
    return found.chance <= SEEN and not found.part


def _beside(way: tuple[int, int], found: JpegGrid) -> bool:
    """Whether these squares lie one pixel from those that all the rest has."""
    apart = ((a - b) % 8 for a, b in zip(way, found.offset, strict=True))
    return _whole(found) and all(d in (0, 1, 7) for d in apart)


def _said(found: JpegGrid) -> tuple[HeuristicOutcome, str]:
    strangest = found.strangest
    if strangest is not None and strangest[0] <= OTHER and _beside(strangest[1], found):
        return HeuristicOutcome.INCONCLUSIVE, (
            "a place has squares of an earlier JPEG one pixel beside those of the rest: pictures that were "
            "stretched by a pixel, or scanned in strips, have that, so nothing follows"
        )
    if strangest is not None and strangest[0] <= OTHER:
        chance, (down, across) = strangest
        rest = "the rest has them elsewhere, or none" if not found.part else "the rest has none"
        return HeuristicOutcome.SUPPORTS, (
            f"a place has the squares of an earlier JPEG {down} down and {across} across from the corner, "
            f"and {rest} (by chance once in 10^{-chance:.0f}; from {-OTHER:g} on this points to it), as "
            "where it came out of another JPEG, or was moved. Collages, panoramas and screenshots that show "
            "photos are made so"
        )
    if not _whole(found):
        return HeuristicOutcome.INCONCLUSIVE, (
            "no squares of an earlier JPEG are to be seen; resizing and a coarser JPEG wipe them out, so "
            "nothing follows"
        )
    if found.offset != (0, 0):
        down, across = found.offset
        return HeuristicOutcome.INCONCLUSIVE, (
            f"the picture has squares as of a JPEG that begin {down} down and {across} across from its "
            "corner: most likely it was cropped after that, or got a border, which is common and innocent; "
            "text in even lines and what was enlarged by whole pixels look the same, so nothing follows"
        )
    return HeuristicOutcome.INCONCLUSIVE, (
        "the picture has squares as of a JPEG that begin at its corner; programs save JPEGs in other "
        "formats, and drawings in even steps look the same, so nothing follows"
    )


def _finding(found: JpegGrid) -> Finding:
    strangest, whole = found.strangest, found.chance <= SEEN
    way = strangest[1] if strangest is not None and strangest[0] <= SEEN else None
    facts: Facts = (
        ("offset_down", found.offset[0] if whole else None),
        ("offset_across", found.offset[1] if whole else None),
        ("log10_by_chance", round(found.chance, 1)),
        ("share_of_votes", round(found.share, 4)),
        ("in_part", found.part),
        ("place_log10_by_chance", None if strangest is None else round(strangest[0], 1)),
        ("place_offset_down", None if way is None else way[0]),
        ("place_offset_across", None if way is None else way[1]),
        ("voting_share", round(found.voting, 3)),
        ("looked_at_share", round(found.looked, 3)),
    )
    said = "are to be seen" if whole or way is not None else "are not to be seen"
    return Finding(
        code="assay.jpeg_grid.offset",
        outcome=Outcome.ESTABLISHED if whole or way is not None else Outcome.ABSENT,
        detail=f"the squares of an earlier JPEG {said}; {found.voting:.0%} of the pixels have a vote"
        f"{where_looked(found.looked)}",
        facts=facts,
    )


@cache
def _reference() -> Layer:
    """The reference photo as it is stored."""
    photo, table = decode(reference_photo(), MEDIA_TYPE), luminance_table(reference_photo())
    return _layer(examine_grid(photo, own=8, table=table), photo)


def _layer(found: JpegGrid, pixels: Pixels) -> Layer:
    first = WIDE * PIECE / 2
    return layer_of_places(found.places, pixels, first=first, between=BETWEEN, scale=(LOW, HIGH))
