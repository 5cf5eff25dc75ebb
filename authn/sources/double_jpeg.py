"""Whether a JPEG was a JPEG before, and whether some of it was not. Question: *edited*.

Compressed twice is what nearly every picture is that a program saved: it is said, and nothing follows. Where
the picture was compressed twice and a place was not, it points to it and draws where: something was put there
after the first compression. Text, stickers, frames and retouching do the same as a pasted face. It is
never against, since most edits leave no such place.
"""

from __future__ import annotations

from functools import cache, partial

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.core.overlay import Layer, Overlay
from authn.sources.places import OfPixels, edited, layer_of_places, luminance_of, points, where_looked
from detector.core.errors import NotApplicable
from detector.forensics.double_jpeg import CELL, LEAST_SQUARES, DoubleJpeg, examine_double
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.augment import Encoding, encode
from detector.pixels.decode import Pixels, decode
from detector.pixels.jpeg import Table, luminance_table
from detector.pixels.quantisation import nearest_quality

NAME, VERSION = "double_jpeg", "1"
PLAIN = 1.0  # nats a square, from which on the first compression is plain enough to tell where it is missing
ONCE = -18.0  # of a place: from here down it points to an edit (docs/cards/double_jpeg.md)
LOW, HIGH = -36.0, 36.0  # the ends of the drawing
BETWEEN_PIXELS = 8 * CELL // 2  # from the middle of a place to the next
_evidence = partial(edited, NAME, VERSION)
REFERENCE_QUALITIES = (75, 92)


class DoubleJpegSource(OfPixels):
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            table = luminance_of(media)
            found = examine_double(self._pictures.of(media), table)
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        if found is None:
            why = f"fewer than {LEAST_SQUARES} squares of 8 x 8 pixels are free of black and burnt-out pixels"
            return (_evidence(HeuristicOutcome.ABSTAIN, why),)
        outcome, reason = _said(found)
        return (_evidence(outcome, reason, raw=found.gain, findings=(_finding(found, table),)),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Where it was compressed once, over an answer that points to it. Raises as ``examine``."""
        if not points(found):
            return ()
        pixels = self._pictures.of(media)
        again = examine_double(pixels, luminance_of(media))
        if again is None:
            return ()
        return (
            Overlay(
                detector=self.name,
                title="Where the picture was compressed once and not twice",
                low="once",
                high="twice",
                says="Low places do not have the traces of the first compression that the rest has.",
                normal="A picture that was only saved again lies in the upper half everywhere; smooth and "
                "burnt-out places are left open.",
                own=_layer(again, pixels),
                reference=_reference(),
            ),
        )


def _said(found: DoubleJpeg) -> tuple[HeuristicOutcome, str]:
    if not found.twice:
        return HeuristicOutcome.INCONCLUSIVE, (
            "no traces of an earlier compression on the same squares; one that was coarser than the last "
            "mostly leaves some, a finer one and one before resizing or cropping none, so nothing follows"
        )
    least = found.least
    if least is not None and least <= ONCE and found.gain < PLAIN:
        return HeuristicOutcome.INCONCLUSIVE, (
            "the picture was compressed twice, by what few frequencies show, and a place in it seems to have "
            "been once; so faint traces are missing in smooth and bright places as well, so nothing follows"
        )
    if least is not None and least <= ONCE:
        return HeuristicOutcome.SUPPORTS, (
            f"the picture was compressed twice, and a place in it only once ({least:.1f}; from {ONCE:g} down "
            "this points to it), as where something was put there after the first compression. Captions, "
            "frames, stickers and retouching do that as well as a pasted part"
        )
    return HeuristicOutcome.INCONCLUSIVE, (
        "the picture was compressed twice, everywhere alike as far as it can be seen, as when a program "
        "saved it again, which is common and innocent, so nothing follows"
    )


def _finding(found: DoubleJpeg, table: Table) -> Finding:
    steps = [c for c in found.combs if c.first_step]
    facts: Facts = (
        ("gain_nats_per_square", round(found.gain, 4)),
        ("twice", found.twice),
        ("quality_now", nearest_quality(table)),
        ("steps_now", " ".join(str(c.step) for c in found.combs)),
        ("steps_before", " ".join(str(c.first_step) for c in found.combs) if found.twice else None),
        ("least_place", None if found.least is None else round(found.least, 2)),
        ("looked_at_share", round(found.looked, 3)),
        ("clipped_share", round(found.clipped, 3)),
    )
    said = f"fits in {len(steps)} of {len(found.combs)} frequencies" if found.twice else "is not to be seen"
    return Finding(
        code="assay.double_jpeg.comb",
        outcome=Outcome.ESTABLISHED if found.twice else Outcome.ABSENT,
        detail=f"an earlier compression {said}: {found.gain:.2f} nats a square{where_looked(found.looked)}",
        facts=facts,
    )


def _layer(found: DoubleJpeg, pixels: Pixels) -> Layer:
    return layer_of_places(
        found.places, pixels, first=BETWEEN_PIXELS, between=BETWEEN_PIXELS, scale=(LOW, HIGH)
    )


@cache
def _reference() -> Layer | None:
    """The reference photo saved twice, the second time finer: everywhere alike."""
    coded, photo = b"", decode(reference_photo(), MEDIA_TYPE)
    for quality in REFERENCE_QUALITIES:
        coded = encode(photo, Encoding(media_type="image/jpeg", quality=quality))
        photo = decode(coded, "image/jpeg")
    table = luminance_table(coded)
    found = None if table is None else examine_double(photo, table)
    return None if found is None else _layer(found, photo)
