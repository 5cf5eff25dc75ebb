"""What vouches for a learned detector's answer, in words; and what its ratio was given.

Numbers are those of the card that the report names by digest: nothing is computed here but rounding, upwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# One, and several that no generator made. None: the detector tells no kinds apart.
KINDS: Mapping[str | None, tuple[str, str]] = {
    "photo": ("photo", "photos"),
    "art": ("drawing or painting", "drawings and paintings"),
    "render": ("rendered picture", "rendered pictures"),
    "screenshot": ("screenshot or graphic", "screenshots and graphics"),
    "scan": ("scan", "scans"),
    None: ("picture", "pictures of any kind that was measured"),
}
PART = "Part of an answer"


def guarantee_sentence(detector: Mapping[str, Any]) -> str | None:
    """One sentence beside an answer; None where there is no answer. Reports of earlier releases have none."""
    found = detector.get("guarantee")
    if found is None:
        return None
    many = f"{KINDS.get(found['kind'], KINDS[None])[1]} that no generator made"
    sure = f"{100 * found['sure']:.0f} % sure"
    n = f"n = {found['pictures']:,} of {_sources(found['sources'])}"
    if found["answer"] == "supports":
        return f"At most {_in_100(found['bound'])} in 100 {many} get this answer, {sure}, {n}."
    return (
        "Generated pictures of this kind and size get this answer at most "
        f"{_share(found['bound'])} as often as {many}, {sure}, {n} and {found['generated']:,} generated."
    )


def read_as(detector: Mapping[str, Any]) -> str | None:
    """The kind and condition that a ratio is given; None for a source that has no such."""
    found = detector.get("read_as")
    if found is None:
        return None
    kind = KINDS[found["kind"]][0] if found["kind"] else "kind not known"
    quality = "" if found["quality"] is None else f", JPEG quality about {found['quality']}"
    return f"{kind}, shorter side {found['side']} pixels{quality}, as stored"


def joint_of(detector: Mapping[str, Any]) -> str | None:
    """The joint detector that answers in its place."""
    name: str | None = detector.get("part_of")
    return name


def _sources(count: int) -> str:
    return "1 source" if count == 1 else f"{count:,} sources"


def _in_100(share: float) -> str:
    """Rounded up to a tenth, without a needless zero."""
    tenths = math.ceil(round(1000 * share, 6))
    return f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths / 10:.1f}"


def _share(bound: float) -> str:
    return "a third" if abs(bound - 1 / 3) < 1e-3 else f"{bound:.2f} times"
