"""An ordinary photo beside which the map of a score is shown: a few marks mean nothing, and it shows how few.

Where it is from says ``reference_files/README.md``. Reading it needs nothing but this package.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

MEDIA_TYPE = "image/jpeg"


@cache
def reference_photo() -> bytes:
    """The encoded photo, of ``MEDIA_TYPE``."""
    return (files("detector.models") / "reference_files" / "photo.jpg").read_bytes()
