"""Drawings of a benchmark as SVG, the same bytes for the same figures: a row a group, a mark a detector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_ROW = 22
_LEFT = 250
_WIDTH = 420
_RIGHT = 30
_TOP = 34
COLOURS = ("#1b6ca8", "#b3541e", "#3c7a3c", "#7a4a9e", "#8a6d00", "#555555")  # readable on white and on black
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """``low`` and ``high`` are the ends of an interval; ``series`` numbers the detector."""

    value: float
    low: float
    high: float
    series: int


def dots(
    rows: Sequence[tuple[str, Sequence[Mark]]], *, low: float, high: float, ticks: Sequence[float],
    line: float, title: str,
) -> str:  # fmt: skip
    """Marks with their intervals on one axis from ``low`` to ``high``, a row of ``rows`` for each name;
    ``line`` is drawn through all of them."""
    height = _TOP + _ROW * len(rows) + 12

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (min(max(value, low), high) - low) / (high - low)

    parts = [*_axis(ticks, x(line), height, x)]
    for n, (name, marks) in enumerate(rows):
        middle = _TOP + _ROW * n + _ROW / 2
        parts.append(
            f'<text x="{_LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(name[:38])}</text>'
        )
        for place, mark in enumerate(marks):
            y = middle + 4 * (place - (len(marks) - 1) / 2)
            colour = COLOURS[mark.series % len(COLOURS)]
            parts.append(
                f'<line x1="{x(mark.low):.1f}" x2="{x(mark.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"'
                f' stroke="{colour}" stroke-opacity=".45" stroke-width="2"/>'
            )
            parts.append(_shape(mark.series, x(mark.value), y, colour))
    width = _LEFT + _WIDTH + _RIGHT
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _axis(ticks: Iterable[float], line: float, height: int, x: Callable[[float], float]) -> Iterator[str]:
    bottom = height - 12
    for tick in ticks:
        at = x(tick)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 6}" y2="{bottom}"/>'
        yield f'<text x="{at:.1f}" y="{_TOP - 12}" text-anchor="middle">{tick:g}</text>'
    yield f'<line class="chance" x1="{line:.1f}" x2="{line:.1f}" y1="{_TOP - 6}" y2="{bottom}"/>'


def _shape(series: int, x: float, y: float, colour: str) -> str:
    shape, r = SHAPES[series % len(SHAPES)], 4.5
    if shape in ("circle", "ring"):
        fill = colour if shape == "circle" else "none"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{fill}" stroke="{colour}"/>'
    points = {
        "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        "triangle": ((0, -5), (5, 4), (-5, 4)),
        "diamond": ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
        "cross": ((-5, -1.5), (-1.5, -1.5), (-1.5, -5), (1.5, -5), (1.5, -1.5), (5, -1.5), (5, 1.5),
                  (1.5, 1.5), (1.5, 5), (-1.5, 5), (-1.5, 1.5), (-5, 1.5)),
    }[shape]  # fmt: skip
    placed = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in points)
    return f'<polygon points="{placed}" fill="{colour}"/>'


def legend(names: Sequence[str]) -> str:
    """What each mark stands for."""
    parts = [
        f'<span class="series"><svg width="16" height="14" aria-hidden="true">'
        f"{_shape(n, 8, 7, COLOURS[n % len(COLOURS)])}</svg> {escape(name)}</span>"
        for n, name in enumerate(names)
    ]
    return f'<p class="legend">{"".join(parts)}</p>'
