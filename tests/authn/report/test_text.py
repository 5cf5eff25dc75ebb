"""The report on a terminal: complete, narrow, and without a single control character."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.core.evidence import Axis, CryptographicEvidence
from authn.core.likeness import LABEL, Recovered
from authn.core.report import report_json
from authn.core.visible import columns
from authn.report import wording
from authn.report.language import speaking, t
from authn.report.text import WIDTH, render_document, render_text
from tests.authn.report.test_visible import attack_strings, harmless
from tests.doubles.reports import (
    ABSENT,
    SAMPLES,
    altered_report,
    axes,
    contradicting_report,
    hostile_report,
    not_examined,
    signed_report,
    unsigned_report,
    untrusted_report,
)

NOTHING = dict.fromkeys(Axis, not_examined("assay.x.notExamined", "nobody looked"))


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", SAMPLES)
def test_both_columns_stand_under_their_own_heads(name: str) -> None:
    text = render_text(SAMPLES[name]())
    proof, guess = text.index("CRYPTOGRAPHIC EVIDENCE"), text.index("HEURISTIC EVIDENCE")
    assert proof < guess
    for title in wording.AXIS_TITLES.values():
        assert f"  {title}" in text[proof:guess]
    assert joined(wording.NEVER_ADDED) in joined(text)


@pytest.mark.parametrize("name", SAMPLES)
def test_lines_fit_a_terminal(name: str) -> None:
    assert max(columns(line) for line in render_text(SAMPLES[name]()).splitlines()) <= WIDTH <= 100


def test_findings_chain_claims_and_limits_are_shown() -> None:
    text = joined(render_text(signed_report()))
    assert "[assertion.dataHash.match]" in text
    assert "└─ issued by Assay device root" in text
    assert "(in your lists)" in text
    assert "c2pa.created, source type digitalCapture (that a camera took it) [action]" in text
    assert "WHAT THIS REPORT DOES NOT ESTABLISH" in text
    assert "NOT EXAMINED" in text


def test_a_change_is_said_in_words() -> None:
    assert "Refuted Changed after it was signed" in joined(render_text(altered_report()))


def test_a_missing_link_is_drawn() -> None:
    text = joined(render_text(untrusted_report()))
    assert "no link to a root of your lists" in text
    assert "Outside your lists Signed by somebody outside your lists" in text
    assert "Refuted Signed by" not in text


def test_contradictions_come_before_the_evidence() -> None:
    text = render_text(contradicting_report())
    assert text.index("CONTRADICTIONS") < text.index("CRYPTOGRAPHIC EVIDENCE")
    assert "Heuristic evidence: metadata" in joined(text)


def test_absence_is_not_held_against_a_picture() -> None:
    text = joined(render_text(replace(unsigned_report(), statements=())))
    assert "No credential in this file: who made it, when," in text


def test_without_a_true_statement_nothing_is_claimed() -> None:
    bare = replace(signed_report(), statements=())
    text = joined(render_text(bare))
    assert "Established: credential, integrity, signer, device, time, revocation, history." in text
    silent = replace(bare, cryptographic=CryptographicEvidence(axes=axes(NOTHING)))
    assert wording.NO_STATEMENT in render_text(silent)


def test_an_unchanged_file_of_an_unknown_signer_has_a_headline() -> None:
    bare = replace(untrusted_report(), statements=())
    assert "Unchanged since it was signed. Signed by somebody outside your lists." in render_text(bare)


@pytest.mark.parametrize("name", SAMPLES)
def test_in_german_a_long_title_stands_apart_from_its_answer(name: str) -> None:
    with speaking("de"):
        text = render_text(SAMPLES[name]())
        titles = [word for axis in Axis for word in t(f"axis.{axis.value}.title").split()]
    assert "Unversehrtheit" in titles
    assert max(columns(line) for line in text.splitlines()) <= WIDTH
    assert [title for title in titles if f"\n  {title} " not in text and f"\n  {title}\n" not in text] == []


def test_a_report_without_heuristics_says_so() -> None:
    bare = replace(
        unsigned_report(),
        heuristic=(),
        cryptographic=CryptographicEvidence(axes=axes(ABSENT)),
        not_examined=(),
    )
    text = render_text(bare)
    assert text.count("No heuristic was run.") == 2
    assert "NOT EXAMINED" not in text


def test_no_published_attack_string_reaches_the_terminal(suites: Path) -> None:
    for attack in attack_strings(suites):
        text = render_text(hostile_report(attack))
        assert harmless(text.replace("\n", ""))
        assert max(columns(line) for line in text.splitlines()) <= WIDTH
        assert len(text) < 60_000


def test_the_stored_form_renders_the_same() -> None:

    stored = json.loads(json.dumps(report_json(signed_report())))
    assert render_document(stored) == render_text(signed_report())


RECOVERED = Recovered(
    text="This picture looks like a photo that was signed here before 2026-11-24T08:00:00Z.",
    label=LABEL,
    signed_at=None,
    taken_at=datetime(2026, 11, 24, 8, tzinfo=UTC),
    manifest_id="urn:c2pa:1",
    record_sha256="0" * 64,
    distance=3,
    bits=256,
    turn="upright",
    part=False,
    log_index=0,
    log_key="log",
    receipt="receipt",
)


def test_what_was_recovered_stands_in_the_text_too_and_proves_nothing() -> None:
    text = " ".join(render_text(replace(signed_report(), recovered=(RECOVERED,))).split())
    assert "looks like a photo that was signed here before 24 Nov 2026, 08:00:00 UTC." in text
    assert "It proves nothing about this file." in text
    assert "looks like a photo" not in render_text(signed_report())
