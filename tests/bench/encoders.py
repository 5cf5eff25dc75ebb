"""Writes detector/forensics/encoder_tables.json anew: ``python -m tests.bench.encoders ORIGINALS``.

ORIGINALS holds JPEG files, however deep, and may hold a ``sources.csv`` (``sha256,origin``) that says from
where each file named after its digest came; else the folder of a file is its source.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from detector.forensics.encoder_measure import measure_encoders
from tests.house.source import ROOT

TABLE = ROOT / "detector" / "forensics" / "encoder_tables.json"


def pictures(folder: Path) -> Iterator[tuple[Path, str]]:
    listed = folder / "sources.csv"
    origins = {}
    if listed.exists():
        with listed.open(encoding="utf-8", newline="") as file:
            origins = {row["sha256"]: row["origin"].split("@")[0] for row in csv.DictReader(file)}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")):
        yield path, origins.get(path.stem, path.parent.name)


if __name__ == "__main__":
    TABLE.write_text(measure_encoders(pictures(Path(sys.argv[1]))), encoding="utf-8")
