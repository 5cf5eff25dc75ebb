"""Numbers of the pictures that a detector of recaptures is fitted and measured on, one JSON line a picture.

Two kinds of material. *Authors*: a folder for each person who photographed screens and scenes, with
``screen`` and ``scene`` in it. *Sources*: real pictures of a corpus by the shipped manifest,
taken for scenes.

Halves are fixed by names alone, before anything is measured: authors and sources whose name's SHA-256 begins
with 0 to 7 are the first half, on which everything is chosen; the second half reports.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from detector.core.errors import DetectorError, LabError
from detector.core.progress import Report, silent
from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import Row, shipped_manifest
from detector.forensics.recapture import features
from detector.pixels.decode import decode

_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
MOST_OF_AUTHOR = 60  # of a kind
MOST_OF_SOURCE = 5
MOST_PIXELS = 25_000_000
_DIGITS = 5
_KEYS = {"picture", "source", "of", "what"}

Line = dict[str, Any]


def first_half(name: str) -> bool:
    """Whether everything is chosen on this author or source."""
    return sha256(name.encode()).hexdigest()[0] in "01234567"


def may_be_asked(row: Row) -> bool:
    """Of the half that weights learn from only what its licence allows (docs/decisions/0025)."""
    return not first_half(source_of(row)) or may_learn(row.licence)


def gather(authors: Path, corpus: Path, out: Path, report: Report = silent) -> None:
    """Appends to ``out`` what is not in it yet. Pictures that cannot be asked keep their reason. A line that
    was cut when the last run was killed is measured again. Raises as ``read_lines``."""
    done: set[str] = set()
    if out.exists():
        os.truncate(out, out.read_bytes().rfind(b"\n") + 1)
        done = {line["picture"] for line in read_lines(out)}
    found = _all(authors, corpus)
    with out.open("a", encoding="utf-8") as lines:
        for line, path in found:
            if line["picture"] in done:
                continue
            try:
                pixels = decode(path.read_bytes(), _TYPES[path.suffix], max_pixels=MOST_PIXELS)
                line["numbers"] = [round(float(v), _DIGITS) for v in features(pixels)]
            except DetectorError as e:
                line["why"] = e.detail
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            done.add(line["picture"])
            report("measuring pictures", len(done), len(found))


def read_lines(path: Path) -> list[Line]:
    """What ``gather`` wrote. Raises ``LabError`` for anything else."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        lines = [None]
    if not all(isinstance(line, dict) and line.keys() >= _KEYS for line in lines):
        raise LabError(f"{path.name} holds no numbers that assay lab recapture kept")
    return lines


def _all(authors: Path, corpus: Path) -> list[tuple[Line, Path]]:
    found = [*_of_authors(authors), *_of_sources(corpus)]
    return sorted(found, key=lambda f: sha256(f[0]["picture"].encode()).digest())


def _of_authors(folder: Path) -> Iterator[tuple[Line, Path]]:
    for author in sorted(p for p in folder.iterdir() if p.is_dir()):
        for what in ("screen", "scene"):
            for path in sorted((author / what).glob("*"))[:MOST_OF_AUTHOR]:
                if path.suffix in _TYPES:
                    name = f"{author.name}/{what}/{path.name}"
                    yield {"picture": name, "source": author.name, "of": "author", "what": what}, path


def _of_sources(corpus: Path) -> Iterator[tuple[Line, Path]]:
    rows_asked = filter(may_be_asked, shipped_manifest())
    for source, rows in by_source(rows_asked, corpus).items():
        for row in rows[:MOST_OF_SOURCE]:
            line = {
                "picture": row.sha256,
                "source": source,
                "of": "source",
                "what": "scene",
                "kind": row.kind,
            }
            yield line, corpus / row.file


def by_source(rows: Iterable[Row], corpus: Path) -> dict[str, list[Row]]:
    """Real pictures that are there and can be asked, by source, in the order of their digests."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        path = corpus / row.file
        fits = row.width * row.height <= MOST_PIXELS and min(row.width, row.height) >= 320
        if not row.fake and fits and path.suffix in _TYPES and path.is_file():
            found[source_of(row)].append(row)
    return {s: sorted(of, key=lambda r: r.sha256) for s, of in sorted(found.items())}
