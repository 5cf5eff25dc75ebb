"""How detector/forensics/encoder_tables.json was made, and how to make it again from a folder of originals.

A file names somebody by its Software tag where that is a program, else by its Make where Software looks like
the firmware of a device. Files whose tables follow a published rule are left out: they need no measuring.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from detector.core.errors import PixelsUnreadable
from detector.forensics.compression import tables_digest
from detector.forensics.encoders import MIN_FILES, MIN_SHARE, encoder_of
from detector.pixels import exif
from detector.pixels.jpeg import JpegStructure, parse_jpeg

NOTE = (
    "Measured by `python -m tests.bench.encoders ORIGINALS` on original JPEG files of public repositories "
    "and packages. Only digests of quantisation tables and counts are kept, no picture. `files` name the "
    "encoder, `of` have the tables, from `sources` repositories."
)
_PROGRAMS = (
    (re.compile(r"photoshop|lightroom|camera raw|adobe", re.IGNORECASE), "Adobe Photoshop or Lightroom"),
    (re.compile(r"gimp", re.IGNORECASE), "GIMP"),
    (re.compile(r"paint\.net", re.IGNORECASE), "Paint.NET"),
    (re.compile(r"paint shop", re.IGNORECASE), "Paint Shop Pro"),
    (re.compile(r"snapseed", re.IGNORECASE), "Snapseed"),
    (re.compile(r"picasa", re.IGNORECASE), "Picasa"),
    (re.compile(r"capture one", re.IGNORECASE), "Capture One"),
    (re.compile(r"^photos |iphoto|aperture|quicktime|preview", re.IGNORECASE), "a program of Apple"),
    (re.compile(r"^google", re.IGNORECASE), "a program of Google"),
    (re.compile(r"windows|microsoft", re.IGNORECASE), "a program of Microsoft"),
)
_MAKERS = {
    "apple": "Apple",
    "nikon corporation": "Nikon",
    "samsung": "Samsung",
    "sony": "Sony",
    "canon": "Canon",
    "google": "Google",
    "gopro": "GoPro",
    "dji": "DJI",
    "huawei": "Huawei",
    "panasonic": "Panasonic",
    "olympus imaging corp.": "Olympus",
    "fujifilm": "Fujifilm",
}


def measure_encoders(pictures: Iterable[tuple[Path, str]]) -> str:
    """The table as JSON text, from (file, source) pairs; files that cannot be read are passed over."""
    have: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
    for path, source in pictures:
        try:
            jpeg = parse_jpeg(path.read_bytes())
        except (OSError, PixelsUnreadable):
            continue
        known = encoder_of(jpeg)
        if jpeg.tables and (known is None or known.basis != "rule"):
            have[tables_digest(jpeg.tables)].append((_named(jpeg), source))
    rows = [row for digest, seen in sorted(have.items()) if (row := _row(digest, seen)) is not None]
    return json.dumps({"origin": NOTE, "encoders": rows}, indent=1) + "\n"


def _row(digest: str, seen: list[tuple[str | None, str]]) -> dict[str, object] | None:
    named = Counter(name for name, _ in seen if name)
    if not named:
        return None
    name, files = named.most_common(1)[0]
    if files < MIN_FILES or files < MIN_SHARE * named.total():
        return None
    sources = {source for said, source in seen if said == name}
    return {
        "tables_sha256": digest,
        "name": name,
        "setting": "",
        "files": files,
        "of": len(seen),
        "sources": len(sources),
    }


def _named(jpeg: JpegStructure) -> str | None:
    tags = exif.exif_of(jpeg)
    if tags is None:
        return None
    software, make = tags.text(exif.SOFTWARE) or "", (tags.text(exif.MAKE) or "").strip("\0 ").lower()
    program = next((name for pattern, name in _PROGRAMS if pattern.search(software)), None)
    if program is not None:
        return program
    edited = any(s.marker == 0xED and s.payload.startswith(b"Photoshop 3.0\0") for s in jpeg.segments)
    maker = _MAKERS.get(make)
    if maker is None or (edited and maker != "Apple") or not software:
        return None
    return f"a device of {maker}"
