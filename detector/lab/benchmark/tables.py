"""Scores that somebody made elsewhere: a CSV file with sha256, score and, where it likes, view."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from pathlib import Path

from detector.core.errors import CorpusError
from detector.core.files import read_file
from detector.lab.benchmark.asking import Given
from detector.lab.benchmark.said import Said, Unit, heard
from detector.lab.benchmark.views import STORED, VIEWS

_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_given(path: Path, *, name: str, unit: Unit) -> Given:
    """``sha256`` is of the file as stored, whatever the view; without a ``view`` a line is of the stored one.
    A score that is none, or outside its unit, is a failure of that picture. Raises ``FileFailed``, and
    ``CorpusError`` for a table that is none, a digest or view that is none, and a picture twice."""
    data = read_file(path, str(path))
    try:
        lines = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        scores = _scores(lines, path.name, unit)
    except (UnicodeDecodeError, csv.Error) as e:
        raise CorpusError(f"{path.name} is no CSV table: {e}") from e
    sha256 = hashlib.sha256(data).hexdigest()
    return Given(name=name, table=path.name, unit=unit, sha256=sha256, scores=scores)


def _scores(lines: csv.DictReader[str], name: str, unit: Unit) -> dict[tuple[str, str], Said]:
    if lacking := sorted({"sha256", "score"} - set(lines.fieldnames or ())):
        raise CorpusError(f"{name} lacks the columns {', '.join(lacking)}")
    scores: dict[tuple[str, str], Said] = {}
    for line in lines:
        sha256 = (line["sha256"] or "").strip().lower()
        view = (line.get("view") or STORED).strip()
        if not _SHA256.fullmatch(sha256):
            raise CorpusError(f"{name}, line {lines.line_num}: {sha256[:40]!r} is no SHA-256")
        if view not in VIEWS:
            raise CorpusError(
                f"{name}, line {lines.line_num}: no view is called {view[:40]!r}; known: {', '.join(VIEWS)}"
            )
        if (sha256, view) in scores:
            raise CorpusError(f"{name}, line {lines.line_num}: a picture of a line before, in the same view")
        scores[sha256, view] = heard(line["score"] or "", unit)
    return scores
