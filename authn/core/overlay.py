"""What a source draws over a picture, and over the reference photo beside it: fields, lines, or a view.

Any source may give such drawings (docs/extending/maps.md). Like maps of scores they are no evidence, are kept
beside the small preview and never in the report, and say the same in words.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

MAX_CELLS = 10_000
MAX_LINES = 200
MAX_JPEG_BYTES = 256 * 1024
MAX_WORDS_CHARS = 600
LEVELS = 10
UNMEASURED = "."
_CELLS = frozenset("0123456789" + UNMEASURED)
_MAX_SIDE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From one place to another that goes with it, in pixels."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What lies over one picture of ``width`` by ``height`` pixels.

    ``cells`` share the picture evenly, row by row from the top left, one character each: the tenth of the
    scale that a value lies in, 0 to 9, or ``UNMEASURED``. ``jpeg`` is a picture in its place. A layer with a
    ``jpeg`` stands upright; every other one is in the decoder's pixels, and is turned by ``upright``.
    """

    width: int
    height: int
    columns: int = 0
    rows: int = 0
    cells: str = ""
    lines: tuple[Line, ...] = ()
    jpeg: bytes = b""

    def upright(self, orientation: int) -> Layer:
        """The same places after the picture was turned as its EXIF orientation (1 to 8) asks for."""
        if self.jpeg:
            return self
        across = orientation in (5, 6, 7, 8)
        turned = _turned([self.cells[i : i + self.columns] for i in _starts(self)], orientation)
        return replace(
            self,
            width=self.height if across else self.width,
            height=self.width if across else self.height,
            columns=self.rows if across else self.columns,
            rows=self.columns if across else self.rows,
            cells="".join(turned),
            lines=tuple(self._line(line, orientation) for line in self.lines),
        )

    def _line(self, line: Line, orientation: int) -> Line:
        (x1, y1), (x2, y2) = (
            self._point(x, y, orientation) for x, y in ((line.x1, line.y1), (line.x2, line.y2))
        )
        return Line(x1=x1, y1=y1, x2=x2, y2=y2)

    def _point(self, x: int, y: int, orientation: int) -> tuple[int, int]:
        right, below = self.width - 1 - x, self.height - 1 - y
        return {
            2: (right, y),
            3: (right, below),
            4: (x, below),
            5: (y, x),
            6: (below, x),
            7: (below, right),
            8: (y, right),
        }.get(orientation, (x, y))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """One drawing of a source. Texts are English sentences; a page translates those that its tables know.

    ``title`` names what is drawn, ``low`` and ``high`` the ends of its scale with their unit, the same for
    every picture; ``says`` is what it shows of this one, ``normal`` what ordinary pictures look like in it.
    A ``view`` is shown apart from the evidence and called none. ``reference`` is the same of the photo that
    ships (``detector.models.reference``), in its pixels.
    """

    detector: str
    title: str
    low: str
    high: str
    says: str
    normal: str
    own: Layer
    reference: Layer | None
    view: bool = False

    def upright(self, orientation: int) -> Overlay:
        """As its picture stands; the reference stands already."""
        return replace(self, own=self.own.upright(orientation))


def cells_of(rows: Sequence[Sequence[float]], low: float, high: float) -> str:
    """``Layer.cells`` of values, each between ``low`` and ``high`` or cut off there; what is not finite was
    not measured. An array's ``tolist()`` will do."""
    span = high - low
    return "".join(
        str(min(LEVELS - 1, max(0, int(LEVELS * (v - low) / span)))) if math.isfinite(v) else UNMEASURED
        for row in rows
        for v in row
    )


def overlay_json(overlay: Overlay) -> dict[str, Any]:
    """For keeping beside a report."""
    kept = {**asdict(overlay), "own": _layer_json(overlay.own)}
    return {**kept, "reference": None if overlay.reference is None else _layer_json(overlay.reference)}


def parse_overlay(entry: dict[str, Any]) -> Overlay:
    """Strict: a confined worker made it. Raises ``ValueError``, ``TypeError`` or ``KeyError``."""
    texts = {name: _words(entry[name]) for name in ("detector", "title", "low", "high", "says", "normal")}
    if type(entry["view"]) is not bool:
        raise ValueError("neither a view nor none")
    reference = entry["reference"]
    return Overlay(
        own=_layer(entry["own"]),
        reference=None if reference is None else _layer(reference),
        view=entry["view"],
        **texts,
    )


def _layer_json(layer: Layer) -> dict[str, Any]:
    lines = [[n.x1, n.y1, n.x2, n.y2] for n in layer.lines]
    return {**asdict(layer), "lines": lines, "jpeg": base64.b64encode(layer.jpeg).decode("ascii")}


def _layer(entry: dict[str, Any]) -> Layer:
    width, height = _whole(entry["width"], 1, _MAX_SIDE), _whole(entry["height"], 1, _MAX_SIDE)
    columns, rows, cells = _whole(entry["columns"]), _whole(entry["rows"]), entry["cells"]
    if not isinstance(cells, str) or len(cells) != columns * rows or len(cells) > MAX_CELLS:
        raise ValueError("not so many cells")
    if not _CELLS.issuperset(cells):
        raise ValueError("not a level")
    return Layer(
        width=width,
        height=height,
        columns=columns,
        rows=rows,
        cells=cells,
        lines=_lines(entry["lines"], width, height),
        jpeg=_jpeg(entry["jpeg"]),
    )


def _lines(rows: Any, width: int, height: int) -> tuple[Line, ...]:
    if not isinstance(rows, list) or len(rows) > MAX_LINES:
        raise ValueError("not a short list of lines")
    limits = (width - 1, height - 1, width - 1, height - 1)
    return tuple(
        Line(
            **{
                n: _whole(v, 0, most)
                for n, v, most in zip(("x1", "y1", "x2", "y2"), row, limits, strict=True)
            }
        )
        for row in rows
    )


def _jpeg(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * MAX_JPEG_BYTES:
        raise ValueError("not a small picture")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as e:
        raise ValueError("not base64") from e
    if data and (not data.startswith(b"\xff\xd8") or len(data) > MAX_JPEG_BYTES):
        raise ValueError("not a small JPEG")
    return data


def _whole(value: Any, low: int = 0, high: int = MAX_CELLS) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError("not a number in its bounds")
    return value


def _words(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_WORDS_CHARS:
        raise ValueError("not a short text")
    return value


def _starts(layer: Layer) -> range:
    return range(0, len(layer.cells), max(layer.columns, 1))


def _turned(rows: list[str], orientation: int) -> list[str]:
    if orientation in (5, 6, 7, 8):
        rows = ["".join(column) for column in zip(*rows, strict=True)]  # as orientation 5
    if orientation in (2, 3, 6, 7):
        rows = [row[::-1] for row in rows]
    return rows[::-1] if orientation in (3, 4, 7, 8) else rows
