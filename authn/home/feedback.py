"""What the reader of a report found out to be true: labelled cases in the home, appended and never changed.

A case has the digest of the file and the scores that detectors gave it, as the report has them; no picture.
Of two cases about one file the later one counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from authn.core.errors import BadRequest, FileUnusable
from authn.core.instants import instant
from signer.core.durable import write_durably
from signer.core.locks import lock_file

FILE = "feedback.jsonl"
LOCK = "feedback.lock"


class Truth(StrEnum):
    """``OTHER``: neither a photo nor generated, or not known; kept, and used by no calibration."""

    REAL = "real"
    GENERATED = "generated"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The score of one detector with exactly these weights, to a thousandth."""

    model_id: str
    weights_sha256: str
    logit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    sha256: str
    truth: Truth
    said_at: str
    report_id: str
    scores: tuple[Given, ...]


def case_of(report: Mapping[str, Any], truth: Truth, now: datetime) -> Case:
    """From the JSON form of a report. Raises ``BadRequest`` for what is none."""
    try:
        return Case(
            sha256=str(report["subject"]["sha256"]),
            truth=truth,
            said_at=instant(now),
            report_id=str(report["run"]["report_id"]),
            scores=tuple(
                Given(model_id=d["id"], weights_sha256=d["model_sha256"], logit=float(d["raw"]))
                for d in report["heuristic"]["detectors"]
                if d["kind"] == "learned" and d["raw"] is not None and d["model_sha256"]
            ),
        )
    except (KeyError, TypeError, ValueError) as e:
        raise BadRequest(f"this is no report in JSON: {e}") from e


def append(home: Path, case: Case) -> Path:
    """One line, on the disk before this returns. Raises ``FileUnusable``."""
    path = home / FILE
    line = json.dumps(asdict(case), separators=(",", ":")).encode() + b"\n"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock_file(home / LOCK):  # two at once would each write what the other has not read
            kept = path.read_bytes() if path.exists() else b""
            write_durably(path, kept + line)
    except OSError as e:
        raise FileUnusable(f"{path} cannot be written: {e.strerror}") from e
    return path


def cases(home: Path) -> tuple[Case, ...]:
    """The last about each file, in the order of the lines. Raises ``FileUnusable``."""
    path = home / FILE
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as e:
        raise FileUnusable(f"{path} cannot be read: {e.strerror}") from e
    return tuple({case.sha256: case for case in _read(path, lines)}.values())


def _read(path: Path, lines: list[bytes]) -> Iterator[Case]:
    for number, line in enumerate(lines, 1):
        try:
            table = json.loads(line)
            given = tuple(Given(**score) for score in table.pop("scores"))
            yield Case(**{**table, "truth": Truth(table["truth"])}, scores=given)
        except (ValueError, TypeError, KeyError) as e:
            raise FileUnusable(f"{path}, line {number} is no case of feedback") from e
