"""Where a picture differs from a signed original that is at hand. Runs in the held process.

Neither proof nor a guess about who changed it: both files are decoded and compared pixel by pixel. It is
drawn beside a report and never part of it. A copy that was only saved again differs slightly all over. One
of another size is compared where it is a scaled copy or a crop at full size (``laid_over``).
"""

from __future__ import annotations

import math

from authn.core.errors import SystemLacking
from authn.core.evidence import NotExamined
from authn.core.extras import need
from authn.core.media import Media
from authn.core.score_map import MAX_SPOTS, ORIGINAL, ScoreMap
from detector.core.errors import DetectorError
from detector.models.score_map import Spot

CLEAR_LEVELS = 16  # of 255, in any channel: above what saving a JPEG again mostly does
_LEAST_SIDE = 16


def difference(media: Media, original: Media) -> ScoreMap | NotExamined:
    """Squares that hold a pixel that differs; ``logit`` is the largest difference in it, in levels of 255,
    ``point`` is ``CLEAR_LEVELS``, ``smooth`` counts the pixels that differ at all and ``model_sha256`` names
    the original. Or the reason why they cannot be compared."""
    try:
        need("detect")
        return _compared(media, original)
    except (DetectorError, SystemLacking, MemoryError) as e:
        why = getattr(e, "detail", "") or "there is not enough memory to compare them"
        return NotExamined(what=ORIGINAL, why=why)


def _compared(media: Media, original: Media) -> ScoreMap | NotExamined:
    import numpy as np

    from authn.examine.laid_over import laid_over
    from detector.pixels.decode import decode

    laid = laid_over(*(decode(m.data, m.media_type) for m in (media, original)))
    if isinstance(laid, str):
        return NotExamined(what=ORIGINAL, why=laid)
    apart = np.abs(laid.one.astype(np.int16) - laid.other).max(axis=2)
    height, width = apart.shape
    side = max(_LEAST_SIDE, math.ceil(math.sqrt(width * height / MAX_SPOTS)))
    while math.ceil(width / side) * math.ceil(height / side) > MAX_SPOTS:
        side += 1
    side = min(side, width, height)
    places = [
        (min(x, width - side), min(y, height - side))
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    found = [(x, y, float(apart[y : y + side, x : x + side].max())) for x, y in places]
    return ScoreMap(
        detector=ORIGINAL,
        model_sha256=original.sha256,
        width=width,
        height=height,
        point=float(CLEAR_LEVELS),
        smooth=int((apart > 0).sum()),
        windows=(),
        squares=tuple(Spot(x=x, y=y, side=side, logit=most) for x, y, most in found if most > 0)[:MAX_SPOTS],
        reduced=laid.reduced,
        place=laid.place,
    )
