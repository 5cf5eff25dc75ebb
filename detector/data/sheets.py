"""Contact sheets: pictures side by side as PNG grids, with an index that names each place, to be looked at
by a person before a corpus is believed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from detector.core.errors import DetectorError, NotApplicable
from detector.core.files import read_file, write_whole
from detector.core.progress import Report, silent
from detector.data.manifest import Row
from detector.pixels.guard import decoding

COLUMNS, ROWS = 8, 6
SIDE = 160  # pixels of a place
CAPTION = 14
INDEX_NAME = "index.csv"
MAX_PIXELS = 128_000_000
_GROUND = (245, 245, 245)
_FRAMES = {False: (40, 90, 160), True: (180, 60, 30)}  # by fake


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture on a sheet, and why it is there."""

    row: Row
    why: str = ""


def write_sheets(
    shown: Sequence[Shown], corpus: Path, to: Path, name: str, report: Report = silent
) -> tuple[Path, ...]:
    """``NAME-001.png`` and so on in ``to``, 48 places each, left to right and top to bottom; a blue frame
    says real, a red one fake. A picture that is not there or does not decode leaves its place empty, with
    the reason. The index is written by ``write_index``. Raises ``FileFailed`` where nothing can be
    written."""
    paths = []
    per_sheet = COLUMNS * ROWS
    for first in range(0, len(shown), per_sheet):
        report(f"contact sheets: {name}", first, len(shown))
        part = shown[first : first + per_sheet]
        lines = -(-len(part) // COLUMNS)
        sheet = Image.new("RGB", (COLUMNS * SIDE, lines * (SIDE + CAPTION)), _GROUND)
        for n, one in enumerate(part):
            _place(sheet, n, one.row, corpus)
        path = to / sheet_name(name, first)
        out = io.BytesIO()
        sheet.save(out, "PNG")
        write_whole(path, out.getvalue())
        paths.append(path)
    report(f"contact sheets: {name}", len(shown), len(shown))
    return tuple(paths)


def sheet_name(name: str, place: int) -> str:
    """The file that the picture at this place of a list is on."""
    return f"{name}-{place // (COLUMNS * ROWS) + 1:03}.png"


def write_index(lists: Iterable[tuple[str, Sequence[Shown]]], to: Path) -> Path:
    """``index.csv``: sheet, line and column from 1, and what is there. Raises ``FileFailed``."""
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["sheet", "line", "column", "file", "label", "kind", "generator", "source", "why"])
    for name, shown in lists:
        for n, one in enumerate(shown):
            line, column = divmod(n % (COLUMNS * ROWS), COLUMNS)
            r = one.row
            table.writerow(
                [
                    sheet_name(name, n),
                    line + 1,
                    column + 1,
                    r.file,
                    r.label,
                    r.kind,
                    r.generator,
                    r.source,
                    one.why,
                ]
            )
    write_whole(to / INDEX_NAME, out.getvalue().encode())
    return to / INDEX_NAME


def _place(sheet: Image.Image, n: int, row: Row, corpus: Path) -> None:
    line, column = divmod(n, COLUMNS)
    x, y = column * SIDE, line * (SIDE + CAPTION)
    draw = ImageDraw.Draw(sheet)
    try:
        small = thumbnail(read_file(corpus / row.file, row.file), row.format, SIDE - 6)
        sheet.paste(small, (x + (SIDE - small.width) // 2, y + (SIDE - small.height) // 2))
    except DetectorError as e:
        draw.text((x + 6, y + SIDE // 2), e.detail.replace(row.file, "it")[:26], fill=(90, 90, 90))
    draw.rectangle((x + 1, y + 1, x + SIDE - 2, y + SIDE - 2), outline=_FRAMES[row.fake])
    words = f"{line + 1}.{column + 1} {row.kind or row.label} {row.sha256[:8]}"
    draw.text((x + 3, y + SIDE), words, fill=(0, 0, 0))


def thumbnail(data: bytes, form: str, side: int) -> Image.Image:
    """The picture within a square of so many pixels. Raises ``PixelsUnreadable`` and ``NotApplicable``."""
    formats = ["JPEG", "MPO"] if form == "MPO" else [form]  # the one is opened by way of the other
    with decoding("the picture"), Image.open(io.BytesIO(data), formats=formats) as image:
        if image.width * image.height > MAX_PIXELS:
            raise NotApplicable("more pixels than the limit")
        image.draft("RGB", (2 * side, 2 * side))
        small = image.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        return small
