"""Where a learned detector's score comes from, as values that travel from the worker to the page.

A map is no evidence. It is kept beside the small preview, never in the report, and drawn only over an answer
that the report already holds (docs/decisions/0010).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from authn.core.errors import FileUnusable
from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, NotExamined
from authn.core.overlay import Overlay, overlay_json, parse_overlay
from detector.models.score_map import Spot

MAX_SPOTS = 200
ORIGINAL = "original"  # in the place of a detector: where the picture differs from an original
MAX_MAPS = 32
MAX_TEXT_CHARS = 8_000_000
_MAX_SIDE = 1 << 20
_MAX_LOGIT = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A map of the photo that ships for comparison (``detector.models.reference``), in its pixels."""

    width: int
    height: int
    smooth: int
    windows: tuple[Spot, ...]
    squares: tuple[Spot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMap:
    """In pixels of the picture. The score is the mean over ``windows``; ``squares`` were asked one by one, or
    are ``parts`` of the score (``detector.models.score_map``).

    ``smooth`` more squares held too little texture; ``point`` is the score from which the detector answers.
    ``reference`` is the same of an ordinary photo, for comparison; None in maps from before there was one. Of
    a comparison with an original: ``reduced`` where it was made at the size of the smaller of the two, which
    the pixels are then of, ``place`` where the file is a crop that begins at this x and y of the original.
    """

    detector: str
    model_sha256: str
    width: int
    height: int
    point: float
    smooth: int
    windows: tuple[Spot, ...]
    squares: tuple[Spot, ...]
    parts: bool = False
    reference: Reference | None = None
    reduced: bool = False
    place: tuple[int, int] | None = None

    def upright(self, orientation: int) -> ScoreMap:
        """The same places after the picture was turned as its EXIF orientation (1 to 8) asks for."""
        across = orientation in (5, 6, 7, 8)
        return replace(
            self,
            width=self.height if across else self.width,
            height=self.width if across else self.height,
            windows=tuple(self._turned(s, orientation) for s in self.windows),
            squares=tuple(self._turned(s, orientation) for s in self.squares),
        )

    def _turned(self, spot: Spot, orientation: int) -> Spot:
        right, below = self.width - spot.x - spot.side, self.height - spot.y - spot.side
        x = {2: right, 3: right, 5: spot.y, 6: below, 7: below, 8: spot.y}.get(orientation, spot.x)
        y = {3: below, 4: below, 5: spot.x, 6: spot.x, 7: right, 8: right}.get(orientation, spot.y)
        return replace(spot, x=x, y=y)


Maps = tuple[ScoreMap | Overlay | NotExamined, ...]


def has_map(guess: HeuristicEvidence, beside: Sequence[HeuristicEvidence] = ()) -> bool:
    """Only an answer that points to something: the other ones hold nothing that could be shown. A part of a
    joint answer that points to something is shown where its own ratio does too."""
    if guess.kind != "learned":
        return False
    if guess.part_of is not None:
        pointing = {g.detector for g in beside if g.outcome is HeuristicOutcome.SUPPORTS}
        return guess.part_of in pointing and guess.llr is not None and guess.llr.log10 > 0
    return guess.outcome is HeuristicOutcome.SUPPORTS


def maps_text(maps: Sequence[ScoreMap | Overlay | NotExamined]) -> str:
    """As JSON, for keeping beside a report."""
    entries = [_entry(m) for m in maps]
    return json.dumps(entries, separators=(",", ":"))


def _entry(entry: ScoreMap | Overlay | NotExamined) -> dict[str, Any]:
    if isinstance(entry, Overlay):
        return overlay_json(entry)
    if isinstance(entry, NotExamined):
        return {"detector": entry.what, "reason": entry.why}
    reference = None if entry.reference is None else _placed(entry.reference)
    return {**_placed(entry), "reference": reference}


def _placed(entry: ScoreMap | Reference) -> dict[str, Any]:
    return {**asdict(entry), "windows": _rows(entry.windows), "squares": _rows(entry.squares)}


def _rows(spots: tuple[Spot, ...]) -> list[list[float]]:
    return [[s.x, s.y, s.side, round(s.logit, 3)] for s in spots]


def parse_maps(text: str) -> Maps:
    """Strict: a confined worker computed this. Raises ``Unavailable`` for anything that is not a map."""
    try:
        return _entries(text)
    except (ValueError, TypeError, KeyError, RecursionError) as e:
        raise FileUnusable("what was kept of it cannot be read") from e


def _entries(text: str) -> Maps:
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError("too long")
    entries = json.loads(text)
    if not isinstance(entries, list) or len(entries) > MAX_MAPS:
        raise ValueError("not a short list")
    return tuple(_parsed(e) for e in entries)


def _parsed(entry: dict[str, Any]) -> ScoreMap | Overlay | NotExamined:
    if "own" in entry:
        return parse_overlay(entry)
    detector = _text(entry["detector"])
    reduced, place = entry.get("reduced", False), entry.get("place")
    if type(reduced) is not bool:
        raise ValueError("neither reduced nor not")
    if "reason" in entry:
        return NotExamined(what=detector, why=_text(entry["reason"]))
    parts, reference = entry.get("parts", False), entry.get("reference")
    if type(parts) is not bool:
        raise ValueError("neither parts nor not")
    return ScoreMap(
        detector=detector,
        model_sha256=_text(entry["model_sha256"]),
        point=_logit(entry["point"]),
        parts=parts,
        reference=None if reference is None else Reference(**_places(reference)),
        reduced=reduced,
        place=None if place is None else _corner(place),
        **_places(entry),
    )


def _places(entry: dict[str, Any]) -> dict[str, Any]:
    width, height = _whole(entry["width"], 1, _MAX_SIDE), _whole(entry["height"], 1, _MAX_SIDE)
    return {
        "width": width,
        "height": height,
        "smooth": _whole(entry["smooth"], 0, _MAX_SIDE),
        "windows": _spots(entry["windows"], width, height),
        "squares": _spots(entry["squares"], width, height),
    }


def _corner(given: Any) -> tuple[int, int]:
    x, y = given
    return _whole(x, 0, _MAX_SIDE), _whole(y, 0, _MAX_SIDE)


def _spots(rows: Any, width: int, height: int) -> tuple[Spot, ...]:
    if not isinstance(rows, list) or len(rows) > MAX_SPOTS:
        raise ValueError("not a short list of spots")
    spots = []
    for x, y, side, logit in rows:
        side = _whole(side, 1, min(width, height))
        x, y = _whole(x, 0, width - side), _whole(y, 0, height - side)
        spots.append(Spot(x=x, y=y, side=side, logit=_logit(logit)))
    return tuple(spots)


def _whole(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError("not a number of pixels in the picture")
    return value


def _logit(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > _MAX_LOGIT:
        raise ValueError("not a score")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
