"""What an audit left out can be told from what it says it did, and so can what somebody changed since."""

from __future__ import annotations

import csv
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authn.audit.check import Checked, check_run, check_source
from authn.audit.complete import home_key, load_key
from authn.audit.conduct import conduct
from authn.audit.diff import differences
from authn.audit.export import write_csv, write_parquet, write_sarif
from authn.audit.inputs import open_inputs
from authn.audit.select import Selection
from authn.core.errors import AuditError, FileUnusable
from authn.core.media import MediaLimits
from authn.core.report import refusal_json, report_json
from authn.tlog.format.note import SigningKey, sign
from tests.authn.audit.test_run import AS_OF, Silent, gif, order_for, photos
from tests.doubles.commands import Shell
from tests.doubles.reports import SAMPLES

KEY = SigningKey.generate("assay-audit")
NAMES = ("a.gif", "b.gif", "c.gif", "altered-1.gif", "empty-1.gif")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``in`` and its audit ``run``."""
    folder = tmp_path_factory.mktemp("complete")
    source = photos(folder / "in", *NAMES)
    (source / "notes.txt").write_text("no photo")
    (source / "link.gif").symlink_to("a.gif")
    order = replace(order_for(source, folder / "run"), key=lambda: KEY)
    conduct(order, clock=lambda: AS_OF, progress=Silent())
    return folder


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    (cwd := tmp_path / "here").mkdir()
    return Shell(tmp_path / "home", cwd, monkeypatch, capsys)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to be spoilt."""
    shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy" / "run"


def said(checked: Checked) -> dict[str, tuple[int, list[str]]]:
    return checked.found


def test_a_finished_run_holds_over_examined_and_skipped_alike(run: Path) -> None:
    checked = check_run(run, [KEY.verifier])
    check_source(run, open_inputs(run.parent / "in", MediaLimits()), checked, contents=True)
    assert checked.found == {}
    assert (checked.size, checked.signer) == (7, "assay-audit")
    assert {"reported 5", "not_examined 2"} <= set(checked.facts)


def edit(run: Path, change: Callable[[list[str]], None], name: str = "results.jsonl") -> None:
    lines = (run / name).read_text().splitlines()
    change(lines)
    (run / name).write_text("".join(f"{line}\n" for line in lines))


def at(lines: list[str], name: str) -> int:
    return next(i for i, line in enumerate(lines) if f'"name":"{name}"' in line.replace(": ", ":"))


def remove_row(lines: list[str]) -> None:
    del lines[at(lines, "b.gif")]


def change_row(lines: list[str]) -> None:
    i = at(lines, "altered-1.gif")
    lines[i] = lines[i].replace('"refuted"', '"established"')


def rename_row(lines: list[str]) -> None:
    i = at(lines, "c.gif")
    lines[i] = lines[i].replace("c.gif", "z.gif")


def repeat_row(lines: list[str]) -> None:
    lines.append(lines[0])


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (remove_row, {"row_gone": ["b.gif"]}),
        (change_row, {"row_changed": ["altered-1.gif"]}),
        (rename_row, {"row_gone": ["c.gif"], "row_of_no_input": ["z.gif"]}),
    ],
)
def test_rows_that_were_tampered_with_are_named(
    run: Path, change: Callable[[list[str]], None], kinds: dict[str, list[str]]
) -> None:
    edit(run, change)
    assert {kind: names for kind, (_, names) in check_run(run, [KEY.verifier]).found.items()} == kinds


def test_a_second_row_of_one_name_is_told(run: Path) -> None:
    edit(run, repeat_row)
    assert said(check_run(run, [KEY.verifier]))["row_of_no_input"][0] == 1


def test_an_input_that_is_gone_from_plan_and_rows_alike_is_counted(run: Path) -> None:
    edit(run, remove_row)
    edit(run, remove_row, "plan.jsonl")
    assert said(check_run(run, [KEY.verifier])) == {"input_gone": (1, [])}


def test_leaves_that_were_adapted_do_not_have_the_signed_root(run: Path) -> None:
    leaves = bytearray((run / "leaves.bin").read_bytes())
    leaves[40] ^= 1
    (run / "leaves.bin").write_bytes(leaves)
    assert said(check_run(run, [KEY.verifier])).keys() == {"leaves"}
    (run / "leaves.bin").unlink()
    edit(run, change_row)
    assert said(check_run(run, [KEY.verifier])).keys() == {"leaves", "statement"}


def test_a_statement_counts_only_from_a_key_that_the_reader_knows(run: Path) -> None:
    stranger = SigningKey.generate("assay-audit")
    assert said(check_run(run, [stranger.verifier])).keys() == {"signature"}
    note = run / "completeness.note"
    text = note.read_text()
    note.write_text(sign(text.partition("\n\n")[0] + "\n", [stranger]))
    assert said(check_run(run, [KEY.verifier])).keys() == {"signature"}
    note.write_text(text.replace("reported 5", "reported 9"))
    assert said(check_run(run, [KEY.verifier])).keys() == {"signature"}
    note.write_text("nothing")
    assert said(check_run(run, [KEY.verifier])).keys() == {"statement"}
    note.unlink()
    with pytest.raises(AuditError, match="has its audit finished"):
        check_run(run, [KEY.verifier])


def test_what_became_of_the_source_is_told_apart(run: Path) -> None:
    source = run.parent / "in"
    (source / "new.gif").write_bytes(gif(50))
    (source / "a.gif").unlink()
    (source / "b.gif").write_bytes(gif(51) + b"more")
    before = (source / "c.gif").stat()
    (source / "c.gif").write_bytes(gif(52))
    os.utime(source / "c.gif", ns=(before.st_atime_ns, before.st_mtime_ns))
    checked = Checked()
    check_source(run, open_inputs(source, MediaLimits()), checked, contents=True)
    assert {kind: names for kind, (_, names) in checked.found.items()} == {
        "source_new": ["new.gif"],
        "source_gone": ["a.gif"],
        "source_changed": ["b.gif"],
        "source_content": ["a.gif", "b.gif", "c.gif"],
    }


def test_without_a_key_the_statement_says_that_it_has_no_signature(tmp_path: Path) -> None:
    order = order_for(photos(tmp_path / "in"), tmp_path / "run")
    finished = conduct(order, clock=lambda: AS_OF, progress=Silent())
    assert finished.summary["completeness"]["signer"] is None  # type: ignore[index,call-overload]
    assert said(check_run(tmp_path / "run", [KEY.verifier])) == {"signature": (1, ["it has no signature"])}


def test_a_home_has_one_key_for_its_audits(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = home_key(home)
    assert str(home_key(home).verifier) == str(first.verifier) == (home / "audit.vkey").read_text().strip()
    assert (home / "audit.pem").stat().st_mode & 0o777 == 0o600
    (home / "audit.pem").write_text("no key")
    with pytest.raises(FileUnusable, match="no key"):
        load_key(home / "audit.pem")


def rows() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for name, make in SAMPLES.items():
        row = json.loads(json.dumps(report_json(make())))
        row["subject"]["name"] = f"{name}.jpg"
        made.append(row)
    return [*made, refusal_json("=HYPERLINK(1).jpg", "assay.media.unreadable", "it is empty")]


def test_two_audits_differ_in_what_came_went_and_changed() -> None:
    old, new = rows(), rows()
    new[0]["cryptographic"]["axes"]["signer"]["outcome"] = "outside_lists"
    new[1]["subject"]["sha256"] = "00" * 32
    new[2]["subject"]["name"] = "renamed.jpg"
    new[3]["run"] = {}
    new[5] = {**old[0], "subject": {**old[0]["subject"], "name": "=HYPERLINK(1).jpg"}}
    found = {d.name: (d.kind, d.changes) for d in differences(old, new)}
    assert found.pop("signed.jpg") == ("said", (("signer", "established", "outside_lists"),))
    assert found.pop("altered.jpg") == ("bytes", ())
    assert found.pop("renamed.jpg") == ("new", ())
    assert found.pop("unsigned.jpg") == ("gone", ())
    kind, changes = found.pop("=HYPERLINK(1).jpg")
    assert (kind, changes[0]) == ("bytes", ("report", "none: assay.media.unreadable", "yes"))
    assert found == {}
    assert list(differences(old, rows())) == []


def test_a_table_has_a_line_for_every_row_and_runs_no_formula(tmp_path: Path) -> None:
    write_csv(rows(), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as f:
        table = {row["name"]: row for row in csv.DictReader(f)}
    assert len(table) == len(SAMPLES) + 1
    assert table["altered.jpg"]["integrity"] == "refuted"
    assert table["'=HYPERLINK(1).jpg"]["error"] == "it is empty"


def test_parquet_holds_the_same_with_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(rows(), tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [r["name"] for r in table] == [r["subject"]["name"] for r in rows()]
    assert table[0]["width"] == rows()[0]["subject"]["width"]
    assert table[-1]["integrity"] is None


def test_sarif_has_a_result_for_what_somebody_should_look_at(tmp_path: Path) -> None:
    listed = rows()
    said = {"id": "news.unmarked", "kind": "cryptographic", "value": False, "level": "warning"}
    listed[2]["policy_statements"] = [
        {**said, "texts": {"en": "It bears no mark."}},
        {**said, "id": "news.other", "value": True, "level": "none", "texts": {"en": "It is seen."}},
    ]
    write_sarif(listed, tmp_path / "t.sarif", "1.0")
    (found,) = json.loads((tmp_path / "t.sarif").read_text())["runs"]
    results = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]: r for r in found["results"]}
    assert results["altered.jpg"]["level"] == "error"
    assert results["unsigned.jpg"]["message"]["text"] == "It bears no mark."
    assert results["%3DHYPERLINK%281%29.jpg"]["ruleId"] == "assay.notExamined"
    assert "signed.jpg" not in results
    assert {r["id"] for r in found["tool"]["driver"]["rules"]} == {r["ruleId"] for r in found["results"]}
    write_sarif([], tmp_path / "none.sarif", "1.0")
    assert json.loads((tmp_path / "none.sarif").read_text())["runs"][0]["results"] == []


def test_a_run_that_says_it_was_asked_something_else_is_found_out(run: Path) -> None:
    """What is compared with the source, and what is passed over there, stands in run.json."""
    said_of = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**said_of, "source": f"{said_of['source']}/elsewhere"}))
    assert "question" in said(check_run(run, [KEY.verifier]))


def test_where_the_plan_says_that_a_file_lies_is_not_believed(run: Path) -> None:
    """Another picture of the same size and time, and a plan that leads to the one that was examined."""
    source = run.parent / "in"
    before = (source / "a.gif").stat()
    shutil.copy2(source / "a.gif", run.parent / "kept.gif")
    other = bytearray((source / "a.gif").read_bytes())
    other[-2] ^= 1
    (source / "a.gif").write_bytes(bytes(other))
    os.utime(source / "a.gif", ns=(before.st_atime_ns, before.st_mtime_ns))
    edit(run, lambda lines: redirect(lines, "a.gif", "../kept.gif"), "plan.jsonl")
    checked = check_run(run, [KEY.verifier])
    check_source(run, open_inputs(source, MediaLimits()), checked, contents=True)
    assert said(checked) == {"source_content": (1, ["a.gif"])}


def redirect(lines: list[str], name: str, ref: str) -> None:
    n = at(lines, name)
    lines[n] = json.dumps({**json.loads(lines[n]), "ref": ref})


def test_members_of_one_name_and_a_limit_are_no_changes(tmp_path: Path) -> None:
    (source := tmp_path / "in").mkdir()
    with zipfile.ZipFile(source / "twice.zip", "w") as z, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(2):
            z.writestr("a.gif", gif(n))
    (source / "z.gif").write_bytes(gif(9))
    for limit in (None, 2):
        order = order_for(source, tmp_path / f"run-{limit}")
        order = replace(order, question=replace(order.question, limit=limit), key=lambda: KEY)
        conduct(order, clock=lambda: AS_OF, progress=Silent())
        checked = check_run(tmp_path / f"run-{limit}", [KEY.verifier])
        inputs = open_inputs(source, MediaLimits())
        check_source(tmp_path / f"run-{limit}", inputs, checked, contents=True)
        assert said(checked) == {}


def test_an_archive_of_which_nothing_is_wanted_is_no_new_file(tmp_path: Path) -> None:
    (source := tmp_path / "in").mkdir()
    (source / "a.gif").write_bytes(gif(1))
    with zipfile.ZipFile(source / "docs.zip", "w") as z:
        z.writestr("readme.txt", "no photo")
    inputs = open_inputs(source, MediaLimits(), select=Selection(include=("*.gif",)))
    assert [ref for ref, _ in inputs.places()] == ["a.gif"]


def test_what_cannot_be_compared_is_not_called_unchanged(run: Path, shell: Shell) -> None:
    key = str(KEY.verifier)
    gone = shell("audit", "verify", str(run), "--key", key)
    assert (gone.code, "nothing has changed" in gone.out) == (4, False)
    asked = shell("audit", "verify", str(run), "--key", key, "--no-source", "--json")
    assert (asked.code, json.loads(asked.out)["source_compared"]) == (0, False)


def test_a_folder_that_holds_no_audit_differs_from_nothing(tmp_path: Path, run: Path, shell: Shell) -> None:
    (none := tmp_path / "none").mkdir()
    assert shell("audit", "diff", str(none), str(run)).code == 4
    out = tmp_path / "out.sarif"
    assert shell("audit", "export", str(none), "--format", "sarif", "--out", str(out)).code == 4
    assert shell("audit", "show", str(none), "a.gif").code == 4
    assert not out.exists()
