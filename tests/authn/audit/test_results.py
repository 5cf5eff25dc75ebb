"""Rows are appended whole or not at all, and counted without adding up what does not belong together."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from authn.audit.counts import MAX_DISTINCT_REASONS, OTHER_REASONS, Counts, Tally
from authn.audit.results import SYNC_EVERY_ROWS, ResultsWriter, Row, read_rows, row_digest, row_line
from authn.core.errors import AuditError
from authn.core.report import refusal_json, report_json
from tests.doubles.reports import altered_report, contradicting_report, signed_report, unsigned_report


def named(name: str) -> Row:
    row: Row = refusal_json(name, "assay.media.unreadable", "it is empty")
    return row


def tally(rows: Iterable[Row]) -> Tally:
    """Stored and read back after every row, as if it were interrupted each time."""
    counts = Counts()
    for row in rows:
        counts.add(row)
        counts = Counts.of(counts.text())
    return counts.tally()


def written(path: Path, *rows: Row) -> list[str]:
    with ResultsWriter(path) as results:
        results.append(row_line(r) for r in rows)
    return [r["subject"]["name"] for r in read_rows(path)]


def test_a_torn_last_line_is_dropped_and_what_follows_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    written(path, named("a"), named("b"))
    whole = path.read_bytes()
    for cut in range(len(whole) - 1, len(whole) // 2, -1):
        path.write_bytes(whole[:cut])
        assert [r["subject"]["name"] for r in read_rows(path)] == ["a"]
    assert written(path, named("c")) == ["a", "c"]


def test_a_file_that_is_one_torn_line_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"x" * 200_000)
    assert written(path, named("a")) == ["a"]


@pytest.mark.parametrize("line", [b"{}\n", b"nonsense\n", b"[]\n", b'{"subject": 3}\n'])
def test_a_whole_line_that_is_no_row_is_an_error(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(line)
    with pytest.raises(AuditError, match="byte 0"):
        list(read_rows(path))


def test_two_audits_do_not_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with (
        ResultsWriter(path) as first,
        pytest.raises(AuditError, match="another audit is writing"),
    ):
        first.append([row_line(named("a"))])
        ResultsWriter(path)
    assert written(path, named("b")) == ["a", "b"]


def test_a_disk_that_is_full_stops_the_audit_and_whole_rows_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    written(path, named("a"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(AuditError, match="cannot be written"), ResultsWriter(path) as results:
            results.append([row_line(named("b"))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert written(path, named("c")) == ["a", "c"]


def test_rows_reach_the_disk_every_few_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    line = row_line(named("a"))
    with ResultsWriter(tmp_path / "results.jsonl") as results:
        for _ in range(SYNC_EVERY_ROWS + 1):
            results.append([line])
    size = len(line.encode()) + 1
    assert synced == [SYNC_EVERY_ROWS * size, (SYNC_EVERY_ROWS + 1) * size]


def test_a_row_is_one_line_whatever_stands_in_it() -> None:
    line = row_line(named("a\u2028b\nc\r\x85\udce9"))
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert json.loads(line)["subject"]["name"] == "a\u2028b\nc\r\x85\udce9"


def test_counts_stay_on_their_axis_and_with_their_detector() -> None:
    reports = (signed_report(), altered_report(), unsigned_report(), contradicting_report())
    counted = tally([*(report_json(r) for r in reports), named("empty.jpg")])
    assert (counted.reported, counted.not_reported) == (4, 1)
    assert (counted.refuted, counted.contradictory) == (1, 1)
    integrity = dict(dict(counted.axes)["integrity"])
    assert integrity == {"established": 2, "refuted": 1, "outside_lists": 0, "absent": 1, "not_examined": 0}
    assert dict(dict(counted.detectors)["metadata (synthetic)"])["supports"] == 1


def test_the_digest_of_a_row_ignores_its_run_and_nothing_else() -> None:
    one = signed_report()
    rerun = replace(one, run=replace(one.run, report_id="other", elapsed_ms=1.0))
    assert row_digest(report_json(rerun)) == row_digest(report_json(one))
    changed = replace(one, limits=(*one.limits, "another"))
    assert row_digest(report_json(changed)) != row_digest(report_json(one))


def test_reasons_without_end_are_counted_together() -> None:
    counts, row = Counts(), report_json(unsigned_report())
    for i in range(MAX_DISTINCT_REASONS + 50):
        counts.add({**row, "not_examined": [{"what": "log", "why": f"reason {i}"}]})
    found = counts.pairs("not_examined")
    assert len(found) == MAX_DISTINCT_REASONS + 1
    assert found["log", OTHER_REASONS] == 50
    assert Counts.of(counts.text()).pairs("not_examined") == found


def test_receipts_and_manifest_stores_beside_files_are_counted_apart() -> None:
    """They are what `assay verify` takes in and an audit does not; a photo of such a name is none of them."""
    names = ("a.jpg.tlog-proof", "a.c2pa", "notes.txt", "b.jpg", "sub.zip/a.c2pa", "c.tlog-proof.txt")
    rows = [refusal_json(name, "assay.media.unsupported", "no media") for name in names]
    rows.append(refusal_json("torn.c2pa", "assay.media.unreadable", "it is empty"))
    found = tally(rows)
    assert (found.not_reported, found.not_media, found.beside) == (7, 5, 3)
