"""What turned out to be true is kept without pictures, in lines that are added, and counts once a file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from authn.core.errors import BadRequest, FileUnusable
from authn.home.feedback import FILE, Truth, append, case_of, cases

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def report(sha256: str = "a" * 64, raw: float | None = 1.25) -> dict[str, Any]:
    learned = {"id": "d", "kind": "learned", "model_sha256": "w" * 64, "raw": raw}
    metadata = {"id": "metadata", "kind": "metadata", "model_sha256": None, "raw": None}
    return {
        "subject": {"sha256": sha256},
        "run": {"report_id": "r"},
        "heuristic": {"detectors": [learned, metadata]},
    }


def test_a_case_has_digest_scores_and_truth_and_the_last_of_a_file_counts(tmp_path: Path) -> None:
    append(tmp_path, case_of(report(), Truth.REAL, NOW))
    append(tmp_path, case_of(report("b" * 64), Truth.OTHER, NOW))
    append(tmp_path, case_of(report(), Truth.GENERATED, NOW))
    first, second = cases(tmp_path)
    assert (first.truth, second.truth) == (Truth.GENERATED, Truth.OTHER)
    assert [(s.model_id, s.logit) for s in first.scores] == [("d", 1.25)]
    assert len((tmp_path / FILE).read_text().splitlines()) == 3
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_cases_that_come_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(tmp_path, case_of(report(f"{n:064x}"), Truth.REAL, NOW)), range(24)))
    assert len(cases(tmp_path)) == 24


def test_a_home_that_is_made_for_it_is_its_owners_alone(tmp_path: Path) -> None:
    append(tmp_path / "home", case_of(report(), Truth.REAL, NOW))
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_nothing_was_said_yet(tmp_path: Path) -> None:
    assert cases(tmp_path) == ()
    assert case_of(report(raw=None), Truth.REAL, NOW).scores == ()


def test_what_is_no_report_or_no_case_is_a_typed_error(tmp_path: Path) -> None:
    for broken in ({}, {"subject": 5}, []):
        with pytest.raises(BadRequest):
            case_of(broken, Truth.REAL, NOW)  # type: ignore[arg-type]
    (tmp_path / FILE).write_text("{}\n")
    with pytest.raises(FileUnusable, match="line 1"):
        cases(tmp_path)
