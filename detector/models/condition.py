"""In which condition a file is, as stored: size and compression, which a score must not be taken for.

Small and strongly compressed pictures score otherwise than large ones, whoever made them. A calibration is
given the condition, and what it says holds of the file as it is stored, not of copies of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.pixels.jpeg import luminance_table
from detector.pixels.quantisation import nearest_quality

JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``side``: the shorter side in pixels, as decoded. ``quality``: 1 to 100, the quality of the IJG rule
    whose luminance table is nearest; None for what is no JPEG. ``media_type`` as the file was decoded."""

    side: int
    quality: int | None
    media_type: str


def condition_of(data: bytes, media_type: str, *, side: int) -> Condition:
    """Of an encoded picture whose decoded shorter side has ``side`` pixels. Never raises for what a file
    holds: a JPEG whose table cannot be read has no quality."""
    table = luminance_table(data) if media_type == JPEG else None
    return Condition(
        side=side, quality=None if table is None else nearest_quality(table), media_type=media_type
    )
