"""What kind of picture it is, as far as that changes how a score must be read.

A painting, a rendered scene or a screenshot can score like a generated picture without being one, so every
kind has its own guarantee, and a picture whose kind is not known has none.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The kind of content, whether generated or not."""

    PHOTO = "photo"  # taken of a scene
    ART = "art"  # drawn or painted, by hand or with a tablet
    RENDER = "render"  # computed from a model of a scene: games, product pictures, films
    SCREENSHOT = "screenshot"  # of a screen; also charts, diagrams and other graphics
    SCAN = "scan"  # of paper or film
