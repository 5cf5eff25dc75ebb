"""Where a picture differs from an original that was at hand, drawn over its preview and told in words."""

from __future__ import annotations

from dataclasses import dataclass

from authn.core.evidence import NotExamined
from authn.core.score_map import ORIGINAL, ScoreMap
from authn.report.language import count, t, told
from authn.report.overlays import kept_maps
from detector.models.score_map import Spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """SVG paths in pixels of the picture; both are empty where nothing could be compared or nothing
    differs. ``text`` says the same, or the reason."""

    width: int
    height: int
    clear: str
    slight: str
    text: str
    original_sha256: str


def differences_of(maps: str | None) -> Differences | None:
    """None where no original was named. ``maps`` as in ``authn.core.score_map``."""
    found = kept_maps(maps).of(ORIGINAL)
    if found is None:
        return None
    if isinstance(found, NotExamined):
        reason = t("difference.not", reason=told(found.why))
        return Differences(width=0, height=0, clear="", slight="", text=reason, original_sha256="")
    clear = tuple(s for s in found.squares if s.logit > found.point)
    slight = tuple(s for s in found.squares if s.logit <= found.point)
    return Differences(
        width=found.width,
        height=found.height,
        clear="".join(map(_frame, clear)),
        slight="".join(map(_dash, slight)),
        text=_text(found, len(clear)),
        original_sha256=found.model_sha256,
    )


def _text(found: ScoreMap, clear: int) -> str:
    said = _counted(found, clear)
    if found.reduced:
        return f"{said} {t('difference.reduced', width=count(found.width), height=count(found.height))}"
    if found.place is not None:
        return f"{said} {t('difference.cropped', x=count(found.place[0]), y=count(found.place[1]))}"
    return said


def _counted(found: ScoreMap, clear: int) -> str:
    if not found.squares:
        return t("difference.none")
    pixels, all_pixels = count(found.smooth), count(found.width * found.height)
    most = round(max(s.logit for s in found.squares))
    return t(
        "difference.some", pixels=pixels, all=all_pixels, most=most, clear=clear, level=round(found.point)
    )


def _dash(spot: Spot) -> str:
    third = spot.side // 3
    return f"M{spot.x + third} {spot.y + spot.side // 2}h{third}"


def _frame(spot: Spot) -> str:
    return f"M{spot.x} {spot.y}h{spot.side}v{spot.side}h-{spot.side}z"
