"""Quantisation tables of ITU-T T.81 annex K, scaled by the Independent JPEG Group's rule, and the quality
that a table is nearest to: one number for how far a JPEG was compressed, whoever wrote it."""

from __future__ import annotations

from functools import cache

from detector.pixels.jpeg import Table

# ITU-T T.81 tables K.1 and K.2, in rows.
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *([99] * 32),
)  # fmt: skip


@cache
def standard_table(quality: int, *, chroma: bool = False) -> Table:
    """The IJG rule (jcparam.c, ``jpeg_quality_scaling``), limited to baseline values."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = _CHROMA if chroma else _LUMA
    return tuple(min(255, max(1, (v * scale + 50) // 100)) for v in base)


@cache
def _qualities() -> dict[Table, int]:
    return {standard_table(q): q for q in range(100, 0, -1)}


def exact_quality(luma: Table) -> int | None:
    """The quality whose luminance table this is, 1 to 100; None where it is no table of the rule."""
    return _qualities().get(luma)


def nearest_quality(luma: Table) -> int:
    """The quality, 1 to 100, whose luminance table differs least, by the sum of absolute differences."""
    if (exact := exact_quality(luma)) is not None:
        return exact

    def distance(quality: int) -> int:
        return sum(abs(a - b) for a, b in zip(standard_table(quality), luma, strict=True))

    return min(range(1, 101), key=distance)
