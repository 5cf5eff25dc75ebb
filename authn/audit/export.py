"""The record in other forms, for other programs: CSV, Parquet and SARIF. JSON lines stay the record."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from authn.audit.file_row import file_row, urgency_of_refusal
from authn.audit.plan import FILE_MODE
from authn.audit.results import Row
from authn.core.errors import AuditError
from authn.core.evidence import Axis
from authn.core.extras import need
from authn.core.media import claimed_type
from authn.report import wording
from signer.core.durable import rewritten_durably

Cell = str | int | bool | None

AXES = tuple(axis.value for axis in Axis)
COLUMNS: tuple[tuple[str, type], ...] = (
    ("name", str), ("sha256", str), ("bytes", int), ("media_type", str), ("width", int), ("height", int),
    ("as_of", str), ("urgency", int), ("situation", str), *((axis, str) for axis in AXES),
    ("contradictions", int), ("supports", str), ("answers", str), ("error_code", str), ("error", str),
    ("contradiction_codes", str),
)  # fmt: skip
ROWS_PER_GROUP = 10_000
_SEVERITIES = {"high": "error", "medium": "warning", "low": "note"}  # as SARIF has them
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cells(row: Row) -> dict[str, Cell]:
    """One row, flat. ``supports`` are the sources that point to something, ``answers`` what each answered."""
    subject = row["subject"]
    found: dict[str, Cell] = dict.fromkeys(name for name, _ in COLUMNS)
    found["name"] = subject["name"]
    if "error" in row:
        error = row["error"]
        return found | {
            "urgency": urgency_of_refusal(row),
            "error_code": error["code"],
            "error": error["detail"],
        }
    shown, detectors = file_row(row), row["heuristic"]["detectors"]
    found |= {k: subject[k] for k in ("sha256", "bytes", "media_type", "width", "height")}
    found |= {axis: row["cryptographic"]["axes"][axis]["outcome"] for axis in AXES}
    return found | {
        "as_of": row["evaluated_as_of"],
        "urgency": shown.urgency,
        "situation": shown.situation,
        "contradictions": len(row["contradictions"]),
        "contradiction_codes": "; ".join(_code(c) for c in row["contradictions"]),
        "supports": "; ".join(d["id"] for d in detectors if d["outcome"] == "supports"),
        "answers": "; ".join(f"{d['id']} {d['question']}: {d['outcome']}" for d in detectors),
    }


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """UTF-8 with a header. A text that a spreadsheet would run as a formula has an apostrophe before it."""
    with _written(path) as f:
        lines = _Lines(f)
        table = csv.DictWriter(lines, [name for name, _ in COLUMNS], lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({k: _inert(v) for k, v in cells(row).items()})


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class _Lines:
    def __init__(self, f: IO[bytes]) -> None:
        self._f = f

    def write(self, text: str) -> int:
        return self._f.write(text.encode())


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Needs ``assay[parquet]``. Ten thousand rows in memory at a time."""
    need("parquet")
    import pyarrow
    from pyarrow import parquet

    kinds = {str: pyarrow.string(), int: pyarrow.int64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS])
    with _written(path) as f, parquet.ParquetWriter(f, schema, compression="zstd") as table:
        for group in _groups(map(cells, rows)):
            table.write_table(pyarrow.Table.from_pylist(group, schema))


def _groups(found: Iterator[dict[str, Cell]]) -> Iterator[list[dict[str, Cell]]]:
    group: list[dict[str, Cell]] = []
    for one in found:
        group.append(one)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


def write_sarif(rows: Iterable[Row], path: Path, version: str) -> None:
    """SARIF 2.1.0: what somebody should look at, one result each; a file without findings has none.

    What the policy or a rubric applied as one gives a level is a result with that level; the refutations that
    no policy changes are among them. Contradictions are warnings, and what a heuristic points to is a note
    unless a statement about heuristics has a level.
    """
    rules: dict[str, str] = {}
    with _written(path) as f:
        head = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0"}
        f.write((json.dumps(head)[:-1] + ', "runs": [{"results": [').encode())
        first = True
        for row in rows:
            for rule, level, text in _findings(row):
                rules.setdefault(rule, text)
                result = {
                    "ruleId": rule,
                    "level": level,
                    "message": {"text": text},
                    "locations": [_location(row["subject"]["name"])],
                }
                f.write(("" if first else ",\n").encode() + json.dumps(result).encode())
                first = False
        listed = [{"id": rule, "shortDescription": {"text": rule}} for rule in rules]
        driver = {"name": "Assay", "version": version, "rules": listed}
        f.write(('], "tool": ' + json.dumps({"driver": driver}) + "}]}\n").encode())


def _location(name: str) -> dict[str, object]:
    from urllib.parse import quote

    return {"physicalLocation": {"artifactLocation": {"uri": quote(name)}}}


def _findings(row: Row) -> Iterator[tuple[str, str, str]]:
    """(rule, level, sentence)."""
    if "error" in row:
        if claimed_type(row["subject"]["name"]) is not None:
            yield "assay.notExamined", "warning", f"Not examined: {row['error']['detail']}"
        return
    said = [s for s in row.get("policy_statements", ()) if s["level"] != "none"]
    yield from ((s["id"], s["level"], s["texts"]["en"]) for s in said)
    for label in row["run"].get("rubrics", ()):
        if label.get("level", "none") != "none":
            yield label["id"], label["level"], f"{label['rubric']}: {label['text']}"
    if not row.get("policy_statements"):  # of an earlier version
        yield from _refuted(row)
    for c in row["contradictions"]:
        yield _code(c), _SEVERITIES[c.get("severity", "medium")], c["text"]
    if all(s["kind"] == "cryptographic" for s in said):
        for d in row["heuristic"]["detectors"]:
            if d["outcome"] == "supports":
                yield f"assay.heuristic.{d['question']}", "note", f"{d['id']} points to: {d['question']}"


def _refuted(row: Row) -> Iterator[tuple[str, str, str]]:
    for axis in Axis:
        if row["cryptographic"]["axes"][axis.value]["outcome"] == "refuted":
            yield f"assay.refuted.{axis.value}", "error", f"{wording.AXIS_TITLES[axis]} is refuted"


def _code(contradiction: Row) -> str:
    """Runs that were begun by version 0.1 have none."""
    return str(contradiction.get("code", "assay.contradiction"))


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    try:
        with rewritten_durably(path, mode=FILE_MODE) as f:
            yield f
    except OSError as e:
        raise AuditError(f"{path} cannot be written: {e.strerror or e}") from e


WRITERS: dict[str, Callable[..., None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "sarif": write_sarif,
}
