"""What a picture looks like, for finding photos that were signed here; runs in the held process.

Of what a picture shows as people see it: upright, its first colours, without metadata. A picture that is flat
has no hash that says anything, and an animation none that speaks for all of its pictures.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from authn.core.likeness import MOST_SMALL_WITHIN, Looks, PictureHash, SignedManifest
from authn.core.media import Media
from authn.provenance.own import read_own
from detector.core.errors import DetectorError, NotApplicable

if TYPE_CHECKING:
    from detector.pixels.decode import Pixels

HASHED_SIDE = 512  # pixels of the longer side; PDQ looks at 64 x 64 of them
LOOKED_THROUGH_SIDE = 1600  # of a picture that others are looked for in
LEAST_QUALITY = 50  # below it PDQ's authors compare nothing
NO_PICTURE = "no picture that is decoded here, so there is nothing to compare"
ANIMATED = "the picture is animated, and one of its pictures does not speak for the others"
FLAT = "the picture is too flat to compare: its hash has quality {quality} of 100, and {least} are needed"


def looks_of(media: Media, *, within: bool) -> Looks:
    """``within`` asks for the pictures that are shown in it too. Never fails: what has no hash has a
    reason."""
    from authn.report.preview import make_preview

    if _animated(media):
        return Looks(why_not=ANIMATED)
    shown = make_preview(media, LOOKED_THROUGH_SIDE if within else HASHED_SIDE)
    if shown is None:
        return Looks(why_not=media.not_decoded or NO_PICTURE)
    try:
        return _looks(shown, within=within)
    except DetectorError as e:
        return Looks(why_not=e.detail)


def manifest_of(media: Media) -> SignedManifest | None:
    """The store of a capture; None where it cannot be read or lies beside the file."""
    own = read_own(media)
    if not own.store or own.beside:
        return None
    return SignedManifest(manifest_id=own.label, store=own.store)


def _looks(jpeg: bytes, *, within: bool) -> Looks:
    from detector.pixels.crops import small_of
    from detector.pixels.decode import decode
    from detector.pixels.pdq import grey_of
    from detector.pixels.within import pictures_within, reduced

    pixels = decode(jpeg, "image/jpeg")
    shown = reduced(pixels, HASHED_SIDE)
    whole = _hash(shown)
    parts = pictures_within(pixels) if within else ()
    hashed = [(_hash(part), part) for part in (reduced(p, HASHED_SIDE) for p in parts)]
    kept = [(h, part) for h, part in hashed if h.quality >= LEAST_QUALITY]
    found = tuple(h for h, _ in kept)
    inside = tuple(small_of(grey_of(part)) for _, part in kept[:MOST_SMALL_WITHIN])
    if whole.quality >= LEAST_QUALITY:
        return Looks(whole=whole, within=found, small=small_of(grey_of(shown)), small_within=inside)
    return Looks(
        within=found, small_within=inside, why_not=FLAT.format(quality=whole.quality, least=LEAST_QUALITY)
    )


def _hash(pixels: Pixels) -> PictureHash:
    from detector.pixels.pdq import grey_of, pdq_hash

    found = pdq_hash(grey_of(pixels))
    return PictureHash(turned=tuple(t.hex() for t in found.turned), quality=found.quality)


def _animated(media: Media) -> bool:
    from PIL import Image

    from detector.pixels.guard import affordable, decoding

    if media.media_type not in ("image/gif", "image/webp", "image/png", "image/avif"):
        return False
    try:
        data = affordable(media.data, media.media_type)
        with decoding("the header"), Image.open(io.BytesIO(data)) as image:
            return getattr(image, "n_frames", 1) > 1
    except (DetectorError, NotApplicable):
        return False
