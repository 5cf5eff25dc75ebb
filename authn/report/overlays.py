"""What sources draw over a picture: any list of fields, lines and views, with the same of an ordinary photo.

A field is drawn in five steps of one colour, the highest framed, and what was not measured is struck through,
so that it survives greyscale and print. Nothing here knows a source by name.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from authn.core.errors import Unavailable
from authn.core.evidence import NotExamined
from authn.core.overlay import LEVELS, UNMEASURED, Layer, Overlay
from authn.core.score_map import Maps, ScoreMap, parse_maps
from authn.core.visible import visible
from authn.report.language import Told, spoken, tell

STEPS = 5
_FEW_CHARS = 80


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept beside a report; ``unreadable``: why nothing of it can be shown."""

    maps: Maps = ()
    unreadable: str = ""

    def of(self, detector: str) -> ScoreMap | NotExamined | None:
        """The map of this detector's score, or why there is none."""
        return next((m for m in self.maps if not isinstance(m, Overlay) and _name(m) == detector), None)


@lru_cache(maxsize=1)
def kept_maps(maps: str | None) -> Kept:
    """``maps`` as in ``authn.core.score_map``. A page asks several times."""
    try:
        return Kept(parse_maps(maps) if maps is not None else ())
    except Unavailable as e:
        return Kept((), e.detail)


def _name(entry: ScoreMap | NotExamined) -> str:
    return entry.what if isinstance(entry, NotExamined) else entry.detector


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """SVG paths in a box of ``width`` by ``height``: one for each step of the scale, the lowest first; then
    frames, what was not measured, lines. ``jpeg``: a view, as base64. ``tall``: the picture's height by its
    width."""

    width: int
    height: int
    tall: float
    steps: tuple[str, ...]
    frames: str
    unmeasured: str
    lines: str
    jpeg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One drawing, and the same of the photo beside it; None where there is none."""

    anchor: str
    source: str
    title: Told
    low: Told
    high: Told
    says: Told
    normal: Told
    own: Drawn
    reference: Drawn | None
    view: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """In the order in which sources gave them."""

    evidence: tuple[Figure, ...] = ()
    views: tuple[Figure, ...] = ()

    def of(self, source: str) -> tuple[Figure, ...]:
        return tuple(f for f in self.evidence if f.source == source)


def figures_of(maps: str | None) -> Figures:
    """Every drawing that was kept; those of a report without any are none."""
    found = [m for m in kept_maps(maps).maps if isinstance(m, Overlay)]
    made = [_figure(m, i) for i, m in enumerate(found)]
    return Figures(evidence=tuple(f for f in made if not f.view), views=tuple(f for f in made if f.view))


def _figure(overlay: Overlay, index: int) -> Figure:
    return Figure(
        anchor=f"drawing-{index}",
        source=visible(overlay.detector, _FEW_CHARS),
        title=tell(overlay.title, _FEW_CHARS),
        low=tell(overlay.low, _FEW_CHARS),
        high=tell(overlay.high, _FEW_CHARS),
        says=tell(overlay.says),
        normal=tell(overlay.normal),
        own=_drawn(overlay.own),
        reference=None if overlay.reference is None else _drawn(overlay.reference),
        view=overlay.view,
    )


def _drawn(layer: Layer) -> Drawn:
    width, height = layer.columns or layer.width, layer.rows or layer.height
    runs = tuple(_runs(layer))
    return Drawn(
        width=width,
        height=height,
        tall=layer.height / layer.width,
        steps=tuple("".join(_box(*r[1:]) for r in runs if r[0] == step) for step in range(STEPS)),
        frames="".join(_frames(layer)),
        unmeasured="".join(f"M{x} {y + 1}L{x + n} {y}" for step, x, y, n in runs if step is None),
        lines=_lines(layer, width, height),
        jpeg=b64encode(layer.jpeg).decode("ascii"),
    )


def _step(cell: str) -> int | None:
    return None if cell == UNMEASURED else int(cell) * STEPS // LEVELS


def _runs(layer: Layer) -> Iterator[tuple[int | None, int, int, int]]:
    """Neighbours of one step in a row: step, column, row, how many."""
    for y in range(layer.rows):
        x = 0
        for step, cells in groupby(layer.cells[y * layer.columns : (y + 1) * layer.columns], key=_step):
            n = len(list(cells))
            yield step, x, y, n
            x += n


def _box(x: int, y: int, n: int) -> str:
    return f"M{x} {y}h{n}v1h-{n}z"


def _frames(layer: Layer) -> Iterator[str]:
    """The edges between cells of the highest step and others."""
    top = {
        (i % layer.columns, i // layer.columns) for i, c in enumerate(layer.cells) if _step(c) == STEPS - 1
    }
    for x, y in sorted(top):
        for beside, edge in (
            ((x, y - 1), f"M{x} {y}h1"),
            ((x, y + 1), f"M{x} {y + 1}h1"),
            ((x - 1, y), f"M{x} {y}v1"),
            ((x + 1, y), f"M{x + 1} {y}v1"),
        ):
            if beside not in top:
                yield edge


def _lines(layer: Layer, width: int, height: int) -> str:
    across, down = width / layer.width, height / layer.height
    return "".join(
        f"M{n.x1 * across:.2f} {n.y1 * down:.2f}L{n.x2 * across:.2f} {n.y2 * down:.2f}" for n in layer.lines
    )


def label(figure: Figure) -> str:
    """Its name for whoever cannot see it; what it shows stands beside it in words. An attribute cannot mark
    another language, so a title that no table knows gives way to the source's own name."""
    return figure.title.text if figure.title.code == spoken() else figure.source
