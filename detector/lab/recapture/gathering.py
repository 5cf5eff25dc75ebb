"""Numbers of the pictures that a detector of recaptures is fitted and measured on, one JSON line a picture.

Two kinds of material. *Authors*: a folder for each person who photographed screens and scenes, with
``screen`` and ``scene`` in it. *Sources*: real pictures of a corpus by the shipped manifest,
taken for scenes. What is fitted on which: ``detector.lab.halves``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from detector.core.errors import DetectorError, LabError
from detector.core.files import read_file
from detector.core.progress import Report, silent
from detector.data.manifest import shipped_manifest
from detector.forensics.recapture import NAMES, features
from detector.lab.halves import MOST_PIXELS, TYPES, by_source
from detector.pixels.decode import decode

MOST_OF_AUTHOR = 60  # of a kind
MOST_OF_SOURCE = 5
_DIGITS = 5
_KEYS = ("picture", "source", "of", "what")
_NOT_OURS = "{name} holds no numbers that this release of assay lab recapture kept; name another file"

Line = dict[str, Any]


def gather(authors: Path, corpus: Path, out: Path, report: Report = silent) -> None:
    """Appends to ``out`` what is not in it yet. Pictures that cannot be asked keep their reason. A line that
    was cut when the last run was killed is measured again. Raises as ``read_lines``, and leaves a file that
    holds something else as it is."""
    done = _resumed(out) if out.exists() else set()
    found = _all(authors, corpus)
    with out.open("a", encoding="utf-8") as lines:
        for line, path in found:
            if line["picture"] in done:
                continue
            try:
                pixels = decode(read_file(path, path.name), TYPES[path.suffix], max_pixels=MOST_PIXELS)
                line["numbers"] = [round(float(v), _DIGITS) for v in features(pixels)]
            except DetectorError as e:
                line["why"] = e.detail
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            done.add(line["picture"])
            report("measuring pictures", len(done), len(found))


def _resumed(out: Path) -> set[str]:
    """The pictures that are in it. Cuts off a last line that is not whole, if all others are ours."""
    data = read_file(out, out.name)
    end = data.rfind(b"\n") + 1
    done = {line["picture"] for line in _lines(data[:end], out.name)}
    if end < len(data):
        if not done:
            raise LabError(_NOT_OURS.format(name=out.name))
        os.truncate(out, end)
    return done


def read_lines(path: Path) -> list[Line]:
    """What ``gather`` wrote. Raises ``LabError`` for anything else, numbers of another release among it."""
    return _lines(read_file(path, path.name), path.name)


def _lines(data: bytes, name: str) -> list[Line]:
    try:
        lines = [json.loads(line) for line in data.decode().splitlines()]
    except (ValueError, RecursionError):
        lines = [None]
    if not all(map(_is_line, lines)):
        raise LabError(_NOT_OURS.format(name=name))
    return lines


def _is_line(line: object) -> bool:
    if not isinstance(line, dict) or not all(isinstance(line.get(key), str) for key in _KEYS):
        return False
    numbers = line.get("numbers", [0.0] * len(NAMES))
    return (
        isinstance(numbers, list)
        and len(numbers) == len(NAMES)
        and all(type(n) in (int, float) and math.isfinite(n) for n in numbers)
    )


def _all(authors: Path, corpus: Path) -> list[tuple[Line, Path]]:
    found = [*_of_authors(authors), *_of_sources(corpus)]
    return sorted(found, key=lambda f: sha256(f[0]["picture"].encode()).digest())


def _of_authors(folder: Path) -> Iterator[tuple[Line, Path]]:
    for author in sorted(p for p in folder.iterdir() if p.is_dir()):
        for what in ("screen", "scene"):
            for path in sorted((author / what).glob("*"))[:MOST_OF_AUTHOR]:
                if path.suffix in TYPES:
                    name = f"{author.name}/{what}/{path.name}"
                    yield {"picture": name, "source": author.name, "of": "author", "what": what}, path


def _of_sources(corpus: Path) -> Iterator[tuple[Line, Path]]:
    for source, rows in by_source(shipped_manifest(), corpus).items():
        for row in rows[:MOST_OF_SOURCE]:
            line = {
                "picture": row.sha256,
                "source": source,
                "of": "source",
                "what": "scene",
                "kind": row.kind,
            }
            yield line, corpus / row.file
