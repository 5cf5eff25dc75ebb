"""Which software or device wrote a JPEG last, as far as its quantisation tables name one.

Three ways, each weaker than its words: tables that follow a published rule (the Independent JPEG Group's,
and mozjpeg's own), levels of "save for web" as Pillow publishes them, and tables that ``MIN_FILES``
measured files have of which nearly all name one program or maker. Tables are copied freely, so a name says
whose tables these are, and not who used them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import cast

from PIL import JpegPresets

from detector.core.errors import DetectorError
from detector.forensics.compression import tables_digest
from detector.pixels.jpeg import JpegStructure, Table
from detector.pixels.quantisation import exact_quality, standard_table

MIN_FILES = 3  # that name somebody, of all that have the tables
MIN_SHARE = 0.9  # of those that name somebody name this one

# jcparam.c of mozjpeg, the table that it uses unless told otherwise (N. Robidoux), in rows.
_MOZJPEG = (
    16, 16, 16, 18, 25, 37, 56, 85, 16, 17, 20, 27, 34, 40, 53, 75, 16, 20, 24, 31, 43, 62, 91, 135,
    18, 27, 31, 40, 53, 74, 106, 156, 25, 34, 43, 53, 69, 94, 131, 189, 37, 40, 62, 74, 94, 124, 169, 238,
    56, 53, 91, 106, 131, 169, 226, 311, 85, 75, 135, 156, 189, 238, 311, 418,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """``name`` in words; ``setting`` as the program has it ("quality 85", "high"), empty where none is known.
    ``files`` of ``sources`` is how many measured files name it, 0 where a published rule does."""

    name: str
    setting: str
    basis: str  # "rule" | "published" | "measured"
    files: int = 0
    sources: int = 0


def encoder_of(jpeg: JpegStructure) -> Encoder | None:
    """None where the tables name nobody. Raises ``DetectorError`` when the package's own table is missing."""
    if not jpeg.tables:
        return None
    luma, rest = jpeg.tables[0], jpeg.tables[1:]
    if all(v == 1 for table in jpeg.tables for v in table):
        return Encoder(name="any encoder at its best", setting="all ones", basis="rule")
    quality = exact_quality(luma)
    if quality is not None and all(t in _ijg(quality) for t in rest):
        return Encoder(name="libjpeg or what is built on it", setting=f"quality {quality}", basis="rule")
    own = _mozjpeg().get(luma)
    if own is not None and all(t == luma for t in rest):
        return Encoder(name="mozjpeg", setting=f"quality {own}", basis="rule")
    digest = tables_digest(jpeg.tables)
    return _published().get(digest) or measured_encoders().get(digest)


def _ijg(quality: int) -> tuple[Table, Table]:
    return standard_table(quality), standard_table(quality, chroma=True)


@cache
def _mozjpeg() -> dict[Table, int]:
    """Qualities whose tables are one differ in nothing that can be seen: the highest is named."""
    scales = {q: 5000 // q if q < 50 else 200 - 2 * q for q in range(1, 101)}
    return {tuple(min(255, max(1, (v * s + 50) // 100)) for v in _MOZJPEG): q for q, s in scales.items()}


@cache
def _published() -> dict[str, Encoder]:
    """The levels that Pillow names after those of Photoshop, in the order of the file's tables."""
    found = {}
    for level, preset in JpegPresets.presets.items():
        tables = tuple(tuple(t) for t in cast("list[list[int]]", preset["quantization"]))
        if exact_quality(tables[0]) is None:
            said = level.replace("_", " ")
            found[tables_digest(tables)] = Encoder(name="Adobe Photoshop", setting=said, basis="published")
    return found


@cache
def measured_encoders() -> dict[str, Encoder]:
    """The measured table that comes with the package, by digest. Raises ``DetectorError``."""
    path = files("detector") / "forensics" / "encoder_tables.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["encoders"]
        return {
            r["tables_sha256"]: Encoder(
                name=r["name"], setting=r["setting"], basis="measured", files=r["files"], sources=r["sources"]
            )
            for r in rows
        }
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise DetectorError(f"the table of encoders cannot be read: {e}") from e
