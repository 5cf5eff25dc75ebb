"""Where a learned detector's score comes from, drawn over the preview: marks, a legend and the same in words.

Only over an answer that points to something. There are three marks and no scale, and they mean the same in
every report: how a square's own score lies to the point from which the detector answers. They differ in size
and shape, so that they survive greyscale, print and colour-blind eyes; none is an alarm colour.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from authn.core.evidence import HeuristicOutcome, NotExamined
from authn.core.score_map import Reference, ScoreMap
from authn.report.cards import MAX_ROWS, Document
from authn.report.language import number, t, told
from authn.report.overlays import kept_maps
from authn.report.vouching import joint_of
from detector.models.reference import reference_photo
from detector.models.score_map import Spot

# Model -> of 100 squares of ordinary photos, how many get a large disc, and how many a small one
# (python -m tests.bench.score_places). For a model that was not measured the page gives no numbers.
ORDINARY = {
    "5a2c68c0ccdc27eceb9c4aee1c4f0390476eda8b0423b2c53c59803f1c1e34af": (1, 15),  # traces-1
    "4dc4dfdbf4783d0bafa8eecc0f659ee66e1dc31fff956d582e2cffcc79113aaa": (0, 15),  # traces-2
    "db6a7489aee092dd1b56603fbf2deff4a2c59a2b3730a2c237ff5ee32005427c": (14, 15),  # semantic-3
}

_MARK = 0.36  # of the distance between squares
_MAX_MARK = 0.03  # of the longer side
_INSET = 0.02  # of a window's side: windows that touch stay apart
_NEARLY_ALL = 0.6
_MAX_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """SVG paths in pixels of the picture; each is empty where nothing gets that mark."""

    width: int
    height: int
    strong: str
    weak: str
    other: str
    windows: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing(Marks):
    """The marks of a picture, what they mean, and those of the photo beside it; None where none was kept."""

    legend: tuple[tuple[str, str], ...]
    ordinary: str
    score: str
    reference: Marks | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One detector's drawing, or in one sentence why there is none."""

    drawing: Drawing | None = None
    why_not: str = ""


def shown_maps(report: Document, maps: str | None, *, preview: bool) -> tuple[Shown | None, ...]:
    """One for each detector of the report, in its order; None for a source that has no score to place.

    ``maps`` is what was kept beside the report (``authn.core.score_map``).
    """
    detectors = report["heuristic"]["detectors"][:MAX_ROWS]
    return tuple(_placed(d, detectors, maps, preview) for d in detectors)


def _placed(detector: Document, beside: list[Document], maps: str | None, preview: bool) -> Shown | None:
    """A joint answer has no places of its own, its parts have; a part is drawn where the answer points to
    something and its own ratio does too."""
    if detector["kind"] != "learned" or any(joint_of(d) == detector["id"] for d in beside):
        return None
    if (joint := joint_of(detector)) is None:
        return _shown(detector, maps, preview)
    answer = next((d for d in beside if d["id"] == joint), None)
    if answer is None or answer["outcome"] != HeuristicOutcome.SUPPORTS.value:
        return _without(t("map.not.inconclusive"))
    if detector["llr"] is None or detector["llr"]["log10"] <= 0:
        return _without(t("map.not.part"))
    return _shown({**detector, "outcome": HeuristicOutcome.SUPPORTS.value}, maps, preview)


def _shown(detector: Document, maps: str | None, preview: bool) -> Shown:
    outcome = HeuristicOutcome(detector["outcome"])
    if outcome is not HeuristicOutcome.SUPPORTS:
        return _without(t(f"map.not.{outcome.value}"))
    if not preview:
        return _without(t("map.not.preview"))
    kept = kept_maps(maps)
    found = kept.of(detector["id"])
    if found is None:
        return _without(told(kept.unreadable) if kept.unreadable else t("map.not.kept"))
    if isinstance(found, NotExamined):
        return _without(told(found.why))
    if found.model_sha256 != detector["model_sha256"]:
        return _without(t("map.not.model"))
    return Shown(drawing=draw(found))


def _without(reason: str) -> Shown:
    return Shown(why_not=t("map.not", reason=reason))


def draw(found: ScoreMap) -> Drawing:
    """Marks for every square, frames for the windows that the score is the mean of; the same, by the same
    measure, of the photo that is kept for comparison."""
    own = _marks(found, found.point)
    return Drawing(
        **asdict(own),
        legend=_legend(found),
        ordinary=_ordinary(found.model_sha256),
        score=_score(found),
        reference=None if found.reference is None else _marks(found.reference, found.point),
    )


def _marks(found: ScoreMap | Reference, point: float) -> Marks:
    strong = tuple(s for s in found.squares if s.logit >= point)
    weak = tuple(s for s in found.squares if 0 <= s.logit < point)
    other = tuple(s for s in found.squares if s.logit < 0)
    mark = _mark_radius(found)
    return Marks(
        width=found.width,
        height=found.height,
        strong=_discs(strong, mark),
        weak=_discs(weak, mark / 2),
        other="".join(f"M{_n(x - mark / 2)} {_n(y)}h{_n(mark)}" for x, y in map(_centre, other)),
        windows="".join(map(_frame, found.windows)),
        summary=_summary(found, strong, weak, other),
    )


def _mark_radius(found: ScoreMap | Reference) -> float:
    lines = (sorted({s.x for s in found.squares}), sorted({s.y for s in found.squares}))
    gaps = [after - before for line in lines for before, after in pairwise(line)]
    return min(_MARK * min(gaps, default=found.height), _MAX_MARK * max(found.width, found.height))


def _frame(window: Spot) -> str:
    inset, side = _INSET * window.side, _n((1 - 2 * _INSET) * window.side)
    return f"M{_n(window.x + inset)} {_n(window.y + inset)}h{side}v{side}h-{side}z"


def _discs(spots: Iterable[Spot], radius: float) -> str:
    r = round(radius, 1)  # before it is used: arcs that miss each other by a tenth make an egg
    there, back = (f"a{_n(r)} {_n(r)} 0 1 0 {_n(d)} 0" for d in (2 * r, -2 * r))
    return "".join(f"M{_n(x - r)} {_n(y)}{there}{back}z" for x, y in map(_centre, spots))


def _centre(spot: Spot) -> tuple[float, float]:
    return spot.x + spot.side / 2, spot.y + spot.side / 2


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _legend(found: ScoreMap) -> tuple[tuple[str, str], ...]:
    side = found.squares[0].side if found.squares else 0
    way = "parts" if found.parts else "windows"
    kinds = ("strong", "weak", "other", "none", "window")
    return tuple((kind, t(f"map.legend.{way}.{kind}", side=side)) for kind in kinds)


def _score(found: ScoreMap) -> str:
    windows = found.windows
    if not windows:
        return ""
    if found.parts:
        return t("map.score.parts", score=number(windows[0].logit), squares=len(found.squares))
    values = [w.logit for w in windows]
    mean = number(sum(values) / len(values))
    if len(values) == 1:
        return t("map.score.one", score=mean)
    low, high = number(min(values)), number(max(values))
    return t("map.score.windows", score=mean, windows=len(values), low=low, high=high)


def _summary(
    found: ScoreMap | Reference, strong: Sequence[Spot], weak: Sequence[Spot], other: Sequence[Spot]
) -> str:
    squares = t("map.squares", strong=len(strong), asked=len(found.squares), weak=len(weak), other=len(other))
    if found.smooth:
        squares = t("map.smooth", squares=squares, smooth=found.smooth)
    return f"{squares}. {_whereabouts(found, strong)}"


def _whereabouts(found: ScoreMap | Reference, strong: Sequence[Spot]) -> str:
    """The ninths of the picture of which half gets a large disc, if they hold most of these discs."""
    if not strong:
        return t("map.where.none")
    if len(strong) >= _NEARLY_ALL * len(found.squares):
        return t("map.where.all")
    chosen, counts = set(strong), dict[tuple[int, int], list[bool]]()
    for spot in found.squares:
        x, y = _centre(spot)
        counts.setdefault((int(3 * y / found.height), int(3 * x / found.width)), []).append(spot in chosen)
    dense = {ninth: sum(marks) for ninth, marks in sorted(counts.items()) if 2 * sum(marks) >= len(marks)}
    if 2 * sum(dense.values()) <= len(strong) or len(dense) > _MAX_NAMED:
        return t("map.where.scattered")
    places = t("and").join(t(f"map.ninth.{row}{column}") for row, column in dense)
    return t("map.where.at", places=places)


def _ordinary(model_sha256: str) -> str:
    if model_sha256 not in ORDINARY:
        return t("map.ordinary.some")
    strong, weak = ORDINARY[model_sha256]
    return t("map.ordinary", strong=strong, weak=weak)


def reference_preview() -> str:
    """The photo that stands beside each drawing, as base64."""
    return embedded(reference_photo())


def embedded(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode("ascii")
