"""Views drawn in the held process: each beside the same of an ordinary photo, and labelled in the picture.

Neither part of a report nor kept: whoever wants to see one sends the file again.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from authn.core.errors import SystemLacking
from authn.core.extras import need
from authn.core.media import Media
from authn.core.views import DrawnView, ViewsAsked
from authn.report.language import speaking, t
from detector.core.errors import DetectorError
from detector.forensics.views import view
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.augment import Encoding, encode, resize
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import upright

_GAP, _STRIP = 12, 30
_SMALL_WIDTH = 1400
_SMALL_QUALITY = 88
_INK = (20, 20, 20)


def draw_views(media: Media, asked: ViewsAsked) -> tuple[DrawnView, ...]:
    """One for each name, in their order. Never fails: what cannot be drawn says why."""
    if media.not_decoded:
        return tuple(DrawnView(name=n, picture=None, why=media.not_decoded) for n in asked.names)
    try:
        need("detect")
        pixels = decode(media.data, media.media_type)
    except (DetectorError, SystemLacking, MemoryError) as e:
        return tuple(DrawnView(name=n, picture=None, why=_why(e)) for n in asked.names)
    turn = orientation_of(media.data, media.media_type)
    return tuple(_drawn(name, pixels, turn, asked) for name in asked.names)


def _drawn(name: str, pixels: Pixels, turn: int, asked: ViewsAsked) -> DrawnView:
    try:
        own = view(name, pixels)
        own = own if name in _NOT_TURNED else upright(own, turn)
        with speaking(asked.language):
            whole = _beside(name, own, _of_reference(name))
        return DrawnView(name=name, picture=_encoded(whole, small=asked.small))
    except (DetectorError, MemoryError) as e:
        return DrawnView(name=name, picture=None, why=_why(e))


_NOT_TURNED = ("bits", "spectrum", "moire", "histogram")  # what lies where in them is no place in the picture


def _why(e: Exception) -> str:
    return getattr(e, "detail", "") or "there is not enough memory to draw it"


@lru_cache
def _of_reference(name: str) -> Pixels:
    return view(name, decode(reference_photo(), MEDIA_TYPE))


def _beside(name: str, own: Pixels, reference: Pixels) -> Pixels:
    """Both on white, each in its own pixels, with what they are above and the scale below."""
    left = max(own.shape[1], 300)
    width = left + max(reference.shape[1], 300) + 3 * _GAP
    height = max(own.shape[0], reference.shape[0]) + 3 * _STRIP
    sheet = np.full((height, width, 3), 255, np.uint8)
    for x, part in ((_GAP, own), (left + 2 * _GAP, reference)):
        sheet[_STRIP : _STRIP + part.shape[0], x : x + part.shape[1]] = part
    image = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    draw.text((_GAP, 6), t("view.drawn.this", name=name), font=font, fill=_INK)
    draw.text((left + 2 * _GAP, 6), t("view.drawn.other"), font=font, fill=_INK)
    draw.text((_GAP, height - 2 * _STRIP + 8), t("view.drawn.label"), font=font, fill=_INK)
    draw.text((_GAP, height - _STRIP + 4), t(f"view.{name}.scale"), font=font, fill=_INK)
    return np.asarray(image)


def _encoded(pixels: Pixels, *, small: bool) -> bytes:
    if small:
        pixels = resize(pixels, min(1.0, _SMALL_WIDTH / pixels.shape[1]), "area")
        return encode(pixels, Encoding(media_type="image/jpeg", quality=_SMALL_QUALITY, full_chroma=True))
    cv2 = open_cv2()
    done, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        raise DetectorError("the picture of the view could not be written")
    return bytes(data)
