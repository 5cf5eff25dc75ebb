"""What the quantisation tables of a JPEG say about the program that wrote it last.

Software mostly uses the tables of ITU-T T.81 annex K scaled by the Independent JPEG Group's rule; many
cameras have tables of their own. A file that claims such a camera and carries the software's tables was
written again after the camera. That is common and innocent: most tools that resize, rotate or strip a photo
do it. The table of cameras is our own measurement, with one or a few files per model: being absent from it,
or unlike it, proves nothing by itself, and a model seen in fewer than ``MIN_SAMPLES`` files is no reference.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from detector.core.errors import DetectorError
from detector.pixels.jpeg import JpegStructure, Table
from detector.pixels.quantisation import exact_quality, nearest_quality, standard_table

# Of a camera's files, how many have tables that none of k others has: of 22 of a Nikon D70, 48 % at k = 1,
# 25 % at 5, 19 % at 20. And if none of 20 files has software's tables, up to 14 % of the camera's may still
# have them (95 %, 1 - 0.05 ** (1 / 20)); if one file has not, up to 95 %.
MIN_SAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """``ijg_quality`` is the nearest quality of the luma table; ``standard`` says that all tables are exactly
    those of that quality, ``luma_standard`` that the first is. ``tables_sha256`` is over all tables in
    order; ``adobe`` says that a segment tells a decoder of Adobe's coding, ``photoshop`` that captions or
    settings stand in Photoshop's form, which programs add without touching the picture."""

    ijg_quality: int
    standard: bool
    luma_standard: bool
    subsampling: str
    progressive: bool
    tables_sha256: str
    adobe: bool
    photoshop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTables:
    """What was seen from one model, in ``samples`` files."""

    camera: str
    samples: int
    tables_sha256: tuple[str, ...]
    uses_standard: bool


class Comparison(StrEnum):
    """The tables of a file beside those of the camera that it claims."""

    UNKNOWN_CAMERA = "unknown_camera"
    MATCHES_CAMERA = "matches_camera"
    CAMERA_USES_STANDARD = "camera_uses_standard"  # the camera itself uses software's tables: nothing follows
    FEW_SAMPLES = "few_samples"  # not seen, but too few files were to say "never"
    SOFTWARE_TABLES = "software_tables"
    UNLIKE_BOTH = "unlike_both"


def compare(found: Compression, camera: CameraTables | None) -> Comparison:
    """Pure comparison; what follows from it is the caller's business."""
    if camera is None:
        return Comparison.UNKNOWN_CAMERA
    if found.tables_sha256 in camera.tables_sha256:
        return Comparison.MATCHES_CAMERA
    if found.standard and camera.uses_standard:
        return Comparison.CAMERA_USES_STANDARD
    if camera.samples < MIN_SAMPLES:
        return Comparison.FEW_SAMPLES
    if found.standard or found.adobe:
        return Comparison.SOFTWARE_TABLES
    return Comparison.UNLIKE_BOTH


def examine_compression(jpeg: JpegStructure) -> Compression:
    """Raises ``DetectorError`` for a JPEG without quantisation tables that can be read."""
    if not jpeg.tables:
        raise DetectorError((*jpeg.troubles, "the JPEG has no quantisation tables")[0])
    luma = jpeg.tables[0]
    exact = exact_quality(luma)
    rest = jpeg.tables[1:]
    return Compression(
        ijg_quality=exact if exact is not None else nearest_quality(luma),
        standard=exact is not None
        and all(t in (standard_table(exact), standard_table(exact, chroma=True)) for t in rest),
        luma_standard=exact is not None,
        subsampling=jpeg.subsampling,
        progressive=jpeg.progressive,
        tables_sha256=tables_digest(jpeg.tables),
        adobe=any(s.marker == 0xEE and s.payload.startswith(b"Adobe") for s in jpeg.segments),
        photoshop=any(s.marker == 0xED and s.payload.startswith(b"Photoshop 3.0\0") for s in jpeg.segments),
    )


def tables_digest(tables: tuple[Table, ...]) -> str:
    """SHA-256 over the values, two bytes each, in rows, table after table; of the tables and their transposes
    the smaller one, because a lossless quarter turn transposes them."""
    turned = tuple(tuple(t[8 * x + y] for y in range(8) for x in range(8)) for t in tables)
    return min(
        hashlib.sha256(b"".join(v.to_bytes(2, "big") for t in each for v in t)).hexdigest()
        for each in (tables, turned)
    )


def camera_key(make: str | None, model: str | None) -> str | None:
    """One spelling for a camera: make and model as EXIF has them, lower case, without padding. None when
    either is missing."""
    if not make or not model:
        return None
    return " ".join(f"{make} {model}".replace("\0", " ").lower().split())


@cache
def known_cameras() -> dict[str, CameraTables]:
    """The measured table that comes with the package. Raises ``DetectorError`` when it is missing or
    malformed."""
    path = files("detector") / "forensics" / "camera_tables.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["cameras"]
        tables = [
            CameraTables(
                camera=r["camera"], samples=r["samples"], uses_standard=r["uses_standard"],
                tables_sha256=tuple(r["tables_sha256"]),
            )
            for r in rows
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise DetectorError(f"the table of camera quantisation tables cannot be read: {e}") from e
    return {t.camera: t for t in tables}
