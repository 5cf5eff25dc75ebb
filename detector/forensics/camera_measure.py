"""How detector/forensics/camera_tables.json was made, and how to make it again from the corpus.

A file counts when nothing says that software wrote it after the camera: no desktop program in the Software
tag, no Adobe segment, and the size that EXIF states. The crops without metadata were cut losslessly by us,
so their tables are the camera's; their model is the one the index names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from detector.core.errors import FileFailed, PixelsUnreadable
from detector.data.corpus import index_rows
from detector.forensics.compression import Compression, camera_key, examine_compression
from detector.pixels import exif
from detector.pixels.jpeg import JpegStructure, parse_jpeg

_DESKTOP = re.compile(r"camedia|photo ?desk|photoshop|lab system|gimp|picasa|scanner", re.IGNORECASE)

NOTE = (
    "Measured by `assay lab cameras` on original camera files of the development corpus "
    "(github.com/drewnoakes/metadata-extractor-images, free to use; Dresden Image Database, two units of one "
    "Nikon D70). Only digests of quantisation tables are kept, no picture. One file per model in most rows."
)


def measure_cameras(root: Path) -> str:
    """The table as JSON text. Raises ``CorpusError`` for a missing index and
    ``FileFailed`` for a missing picture."""
    seen: dict[str, list[Compression]] = {}
    for camera, found in _camera_files(root):
        seen.setdefault(camera, []).append(found)
    rows = [
        {
            "camera": camera,
            "samples": len(found),
            "uses_standard": any(f.luma_standard for f in found),
            "tables_sha256": sorted({f.tables_sha256 for f in found}),
        }
        for camera, found in sorted(seen.items())
    ]
    return json.dumps({"origin": NOTE, "cameras": rows}, indent=1) + "\n"


def _camera_files(root: Path) -> Iterator[tuple[str, Compression]]:
    for row in index_rows(root):
        if not row["path"].startswith("camera/") or row["format"] != "JPEG":
            continue
        try:
            jpeg = parse_jpeg((root / row["path"]).read_bytes())
        except (OSError, PixelsUnreadable) as e:
            raise FileFailed(f"{row['path']} cannot be read") from e
        camera, found = _camera(row, jpeg), examine_compression(jpeg)
        if camera is not None and not found.adobe and not found.photoshop:
            yield camera, found


def _camera(row: dict[str, str], jpeg: JpegStructure) -> str | None:
    tags = exif.exif_of(jpeg)
    if tags is None:
        return camera_key(row["source"].split(": ", 1)[-1], " ")
    software, width, height = tags.text(exif.SOFTWARE), tags.number(exif.PIXEL_X), tags.number(exif.PIXEL_Y)
    if software and _DESKTOP.search(software):
        return None
    if width and height and {width, height} != {jpeg.width, jpeg.height}:
        return None
    return camera_key(tags.text(exif.MAKE), tags.text(exif.MODEL))
