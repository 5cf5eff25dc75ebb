"""Views drawn in the held process: each beside the same of an ordinary photo, and labelled in the picture.

Neither part of a report nor kept: whoever wants to see one sends the file again.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

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

_GAP, _STRIP, _LETTERS = 12, 30, 16
_LEAST_WIDTH = 300
_SHOWN_WIDTH, _LEAST_LETTERS = 640, 13  # on a page a view is never narrower (assay.css, .view .scroll)
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
            whole = _beside(name, own, _of_reference(name), small=asked.small)
        return DrawnView(name=name, picture=_encoded(whole, small=asked.small))
    except (DetectorError, MemoryError) as e:
        return DrawnView(name=name, picture=None, why=_why(e))


_NOT_TURNED = ("bits", "spectrum", "moire", "histogram")  # what lies where in them is no place in the picture


def _why(e: Exception) -> str:
    return getattr(e, "detail", "") or "there is not enough memory to draw it"


@lru_cache
def _of_reference(name: str) -> Pixels:
    return view(name, decode(reference_photo(), MEDIA_TYPE))


def _beside(name: str, own: Pixels, reference: Pixels, *, small: bool) -> Pixels:
    """Both on white, with what they are above and the scale below, each in its own pixels or, for a page, as
    small as both fit, and in letters that stay ``_LEAST_LETTERS`` high where the page is narrowest."""
    if small:
        fits = min(1.0, (_SMALL_WIDTH - 3 * _GAP) / (own.shape[1] + reference.shape[1]))
        own, reference = (resize(p, fits, "area") for p in (own, reference))
    left, right = max(own.shape[1], _LEAST_WIDTH), max(reference.shape[1], _LEAST_WIDTH)
    width = left + right + 3 * _GAP
    letters = max(_LETTERS, ceil(_LEAST_LETTERS * width / _SHOWN_WIDTH)) if small else _LETTERS
    font = ImageFont.load_default(letters)
    this, other = t("view.drawn.this", name=name), t("view.drawn.other")
    above = [_wrapped(this, font, left), _wrapped(other, font, right)]
    words = (t("view.drawn.label"), t(f"view.{name}.scale"))
    below = [line for text in words for line in _wrapped(text, font, width - 2 * _GAP)]
    strip = letters * _STRIP // _LETTERS
    top = strip * max(map(len, above))
    bottom = top + max(own.shape[0], reference.shape[0])
    sheet = np.full((bottom + strip * len(below), width, 3), 255, np.uint8)
    for x, part in ((_GAP, own), (left + 2 * _GAP, reference)):
        sheet[top : top + part.shape[0], x : x + part.shape[1]] = part
    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    for x, y, lines in ((_GAP, 0, above[0]), (left + 2 * _GAP, 0, above[1]), (_GAP, bottom, below)):
        for number, line in enumerate(lines):
            draw.text((x, y + number * strip + strip // 5), line, font=font, fill=_INK)
    return np.asarray(image)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """In lines that are no wider, as far as words can be parted."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _encoded(pixels: Pixels, *, small: bool) -> bytes:
    if small:
        return encode(pixels, Encoding(media_type="image/jpeg", quality=_SMALL_QUALITY, full_chroma=True))
    cv2 = open_cv2()
    done, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        raise DetectorError("the picture of the view could not be written")
    return bytes(data)
