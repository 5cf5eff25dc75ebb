"""The summary page: complete counts, nobody forgotten, hostile names inert, small memory."""

from __future__ import annotations

import copy
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authn.audit.file_row import SITUATIONS
from authn.audit.frame import page_style
from authn.audit.pages import render_sheet
from authn.audit.summary import RunView, gather, render_summary
from authn.core.evidence import Axis, Outcome
from authn.core.report import refusal_json, report_json
from authn.report import wording
from authn.report.language import speaking
from tests.authn.report.test_html import ACTIVE, Outline, shape
from tests.authn.report.test_language import ENGLISH, Foreign
from tests.authn.report.test_visible import attack_strings, harmless
from tests.doubles.reports import (
    AS_OF,
    SAMPLES,
    SIGNED,
    axes,
    finding,
    hostile_report,
    signed_report,
    unsigned_report,
    untrusted_report,
)

RUN = RunView(
    started_at=AS_OF,
    finished_at=AS_OF,
    source="/photos",
    counts=(("inputs", 6),),
    skipped=(("torn.jpg", "assay.media.unreadable", "torn.jpg is empty"),),
    results_sha256="ab" * 32,
)


def named(name: str, document: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(document)
    made["subject"]["name"] = name
    return made


def samples() -> list[dict[str, Any]]:
    return [named(f"{name}.jpg", report_json(make())) for name, make in SAMPLES.items()]


def page_of(rows: list[dict[str, Any]], run: RunView = RUN) -> Outline:
    outline = Outline()
    outline.feed(render_summary(rows, run))
    assert outline.open == []
    return outline


def sheet_of(rows: list[dict[str, Any]]) -> Outline:
    outline = Outline()
    outline.feed(render_sheet(rows, source="/photos", first=1, total=len(rows)))
    assert outline.open == []
    return outline


def section(page: Outline, start: str, end: str) -> str:
    stop = page.text.rindex(end)
    return page.text[page.text.rindex(start, 0, stop) : stop]


def test_every_axis_outcome_is_counted() -> None:
    gathered = gather(samples())
    for axis in Axis:
        assert sum(gathered.counts["axis", axis.value, o.value] for o in Outcome) == len(SAMPLES)
    assert gathered.counts["axis", "integrity", "refuted"] == 1
    assert gathered.counts["axis", "credential", "absent"] == 1
    assert "Integrity 3 1 – 1 –" in page_of(samples()).text


def test_each_file_is_in_exactly_one_situation() -> None:
    situations = {f.name: f.situation for f in gather(samples()).files}
    assert situations == {
        "signed.jpg": "listed",
        "altered.jpg": "changed",
        "unsigned.jpg": "none",
        "untrusted.jpg": "outside",
        "contradiction.jpg": "listed",
    }


@pytest.mark.parametrize(
    ("changes", "situation"),
    [
        ({Axis.CREDENTIAL: Outcome.REFUTED, Axis.INTEGRITY: Outcome.NOT_EXAMINED}, "damaged"),
        ({Axis.CREDENTIAL: Outcome.NOT_EXAMINED, Axis.INTEGRITY: Outcome.NOT_EXAMINED}, "unseen"),
        ({Axis.TIME: Outcome.REFUTED}, "partly"),
        ({Axis.INTEGRITY: Outcome.NOT_EXAMINED}, "partly"),
        ({Axis.TIME: Outcome.ABSENT}, "listed"),
    ],
)
def test_a_situation_follows_from_the_cryptographic_axes(
    changes: dict[Axis, Outcome], situation: str
) -> None:
    base = signed_report()
    found = {**SIGNED, **{a: (o, (finding("assay.test", o, "a test"),)) for a, o in changes.items()}}
    report = replace(base, cryptographic=replace(base.cryptographic, axes=axes(found)))
    assert gather([report_json(report)]).files[0].situation == situation


def test_a_person_is_asked_about_contradictions_refutations_and_warnings_only() -> None:
    looked = {f.name: f.reasons for f in gather(samples()).files if f.reasons}
    assert set(looked) == {"altered.jpg", "contradiction.jpg"}
    assert looked["altered.jpg"] == ("Integrity: Changed after it was signed",)
    text = section(page_of(samples()), "A person should look", "Files without a report")
    assert text.index("contradiction.jpg") < text.index("altered.jpg")
    assert "untrusted.jpg" not in text


def test_readers_that_disagree_are_for_a_person() -> None:
    base = signed_report()
    differing = finding(wording.DISAGREEMENT_CODE, Outcome.NOT_EXAMINED, "the readers differ")
    found = {**SIGNED, Axis.INTEGRITY: (Outcome.NOT_EXAMINED, (differing,))}
    report = replace(base, cryptographic=replace(base.cryptographic, axes=axes(found)))
    (row,) = gather([report_json(report)]).files
    assert row.reasons == ("Integrity: Independent readers disagree about this",)


def test_signers_outside_the_lists_are_told_apart_from_what_is_refuted() -> None:
    text = page_of(samples()).text
    assert "Signer 3 – 1 1 –" in text
    assert "Outside your lists is about your lists, not about the pictures." in text


def test_a_refuted_axis_keeps_a_file_out_of_the_quiet_situations() -> None:
    base = untrusted_report()
    found = {a.axis: (a.outcome, a.findings) for a in base.cryptographic.axes}
    found[Axis.HISTORY] = (Outcome.REFUTED, (finding("assay.test", Outcome.REFUTED, "a test"),))
    report = replace(base, cryptographic=replace(base.cryptographic, axes=axes(found)))
    assert gather([report_json(report)]).files[0].situation == "partly"


def test_files_without_a_report_are_listed_with_their_reason() -> None:
    page = page_of([*samples(), refusal_json("folder/odd.bin", "assay.media.unsupported", "not media")])
    text = section(page, "Files without a report", "What was not examined, and why")
    for expected in ("torn.jpg", "torn.jpg is empty", "folder/odd.bin", "assay.media.unsupported"):
        assert expected in text


def test_what_was_not_examined_is_stated_with_its_count() -> None:
    text = section(page_of(samples()), "What was not examined, and why", "All files")
    assert "5 files: log , no transparency log is configured" in text
    assert "1 file: signer , there is no signature" in text
    assert "compression , no reference quantisation tables" in text


def test_an_empty_audit_is_a_page_too() -> None:
    page = page_of([], replace(RUN, skipped=()))
    assert "0 files examined, 0 for a person to look at" in page.text
    assert "No file was examined." in page.text
    assert "Files 1 to 0 of 0" in sheet_of([]).text


def test_a_clean_audit_does_not_reassure() -> None:
    page = page_of([report_json(unsigned_report())])
    assert "That does not make any file credible." in page.text


def test_every_published_attack_string_is_inert(suites: Path) -> None:
    def attacked(text: str) -> Outline:
        run = replace(RUN, source=text, skipped=((text, text, text),))
        return page_of([report_json(hostile_report(text))], run)

    plain = shape(attacked("plain text"))
    for attack in attack_strings(suites):
        page = attacked(attack)
        assert shape(page) == plain, attack
        assert harmless(page.text)


def test_every_published_attack_string_is_inert_on_a_sheet(suites: Path) -> None:
    def attacked(text: str) -> Outline:
        return sheet_of([report_json(hostile_report(text)), refusal_json(text, "assay.test", text)])

    plain = shape(attacked("plain text"))
    for attack in attack_strings(suites):
        page = attacked(attack)
        assert shape(page) == plain, attack


def test_nothing_is_executable_and_nothing_comes_from_elsewhere() -> None:
    page = page_of(samples())
    assert not ACTIVE & set(shape(page))
    for key, value in page.attributes():
        assert not key.startswith("on")
        if key in ("href", "src"):
            assert value is not None
            assert value.startswith("#")


def test_every_facet_has_its_rule_in_the_style_sheet() -> None:
    for key in (*SITUATIONS, "look", "contra", "warned", "refused"):
        assert f"#f-{key}:checked" in page_style()


@pytest.mark.slow
def test_memory_grows_with_the_rows_of_the_page_and_not_with_the_reports() -> None:
    heavy = report_json(signed_report())
    heavy["cryptographic"]["claims"] = heavy["cryptographic"]["claims"] * 1000  # type: ignore[call-overload,index]

    def rows(count: int) -> Iterator[dict[str, Any]]:
        for i in range(count):
            yield {**heavy, "subject": {**heavy["subject"], "name": f"{i}.jpg"}}  # type: ignore[dict-item]

    tracemalloc.start()
    text = render_sheet(rows(3000), source="/photos", first=1, total=3000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text.count("<h3 ") == 3000
    assert peak < 12_000 * 3000


def test_what_lies_beside_the_files_and_heuristics_that_did_not_run_are_not_passed_over() -> None:
    quiet = report_json(signed_report())
    quiet["not_examined"], quiet["heuristic"]["detectors"] = [], []
    page = page_of([named("a.jpg", quiet)], replace(RUN, beside=3))
    coverage = section(page, "What was not examined", "All files")
    assert "3 files: receipts and manifest stores , each file is examined alone" in coverage
    assert "1 file: heuristics , none was run" in coverage
    assert "No part of any report" not in page.text


def test_both_pages_are_told_in_german() -> None:
    """What a report brings along in English is marked, or is a reason of one file."""
    rows = [*samples(), refusal_json("leer.jpg", "assay.media.unreadable", "leer.jpg ist leer")]
    run = replace(
        RUN, counts=(("audit.count.inputs", 6),), skipped=(), sheets=(("sheets/000001.html", 1, 6),)
    )
    with speaking("de"):
        pages = (
            render_summary(rows, run),
            render_sheet(rows, source="/photos", first=1, total=len(rows), reports=1),
        )
    for text in pages:
        assert '<html lang="de">' in text
        parser = Foreign()
        parser.feed(text)
        assert [w.strip() for w in parser.words if ENGLISH.search(w)] == []
        labels = re.findall(r'(?:aria-label|alt|data-(?:none|marked))="([^"]*)"', text)
        assert [w for w in labels if ENGLISH.search(w)] == []
