"""Views of a picture, as values that travel from the held process: pictures for people, and no evidence.

What they are made of: ``detector.forensics.views``.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMES = (
    "ela", "noise", "noise_level", "differs", "gradient", "light", "chroma",
    "pca", "bits", "spectrum", "moire", "histogram",
)  # fmt: skip
MAX_DRAWN_BYTES = 12 * 1024 * 1024
AT_ONCE = 4  # small ones, in one answer of a held process; of the others one


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewsAsked:
    """``names`` of ``NAMES``; ``language``: of the few words in the picture; ``small``: JPEG for a page, else
    PNG."""

    names: tuple[str, ...]
    language: str
    small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnView:
    """``picture``: the view beside the same view of an ordinary photo, as PNG or JPEG; or ``why`` there is
    none."""

    name: str
    picture: bytes | None
    why: str = ""
