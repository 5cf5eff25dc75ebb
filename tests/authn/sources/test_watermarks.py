"""Invisible marks as an evidence source."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from authn.core.evidence import Axis, HeuristicOutcome, Outcome, Question
from authn.core.media import media_of
from authn.core.report import report_json
from authn.report.html import render_report
from authn.sources.watermarks import WatermarkSource
from detector.core.errors import PixelsUnreadable
from tests.conftest import ROOT
from tests.detector.made import encoded, photo_like
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, signed_photo

VECTORS = ROOT / "tests" / "vectors" / "watermarks"


def examine(data: bytes, name: str = "a.png"):
    (evidence,) = WatermarkSource().examine(media_of(data, name))
    assert evidence.question is Question.SYNTHETIC
    assert evidence.llr is None
    assert evidence.outcome is not HeuristicOutcome.AGAINST
    return evidence


def test_a_known_mark_points_to_its_program_and_says_that_anybody_can_put_it_there() -> None:
    evidence = examine((VECTORS / "floats.png").read_bytes())
    assert evidence.outcome is HeuristicOutcome.SUPPORTS
    assert "48 of 48 bits of SDXL agree" in evidence.reason
    assert "anybody can put the same mark into any picture" in evidence.reason
    facts = dict(evidence.findings[0].facts)
    assert evidence.findings[0].outcome is Outcome.ESTABLISHED
    assert (facts["payload"], facts["bits_needed"]) == ("SDXL", 43)
    assert facts["log10_by_chance"] < -14


def test_no_mark_is_no_answer_and_never_a_good_sign() -> None:
    evidence = examine((VECTORS / "clean.png").read_bytes())
    assert evidence.outcome is HeuristicOutcome.ABSTAIN
    assert "none of 7 known invisible marks" in evidence.reason
    assert evidence.findings[0].outcome is Outcome.ABSENT


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (encoded(photo_like(64, 64)), "a.jpg", "fewer than 256 x 256"),
        (encoded(np.repeat(photo_like(300, 300)[:, :, :1], 3, axis=2), "PNG"), "a.png", "no colour"),
        (encoded(photo_like(300, 300), "TIFF"), "a.tif", "not decoded here"),
    ],
    ids=["small", "grey", "TIFF"],
)
def test_what_cannot_be_asked_abstains_with_the_reason(data: bytes, name: str, why: str) -> None:
    evidence = examine(data, name)
    assert evidence.outcome is HeuristicOutcome.ABSTAIN
    assert why in evidence.reason
    assert not evidence.applicable


def test_a_cut_picture_is_not_examined() -> None:
    with pytest.raises(PixelsUnreadable):
        examine(encoded(photo_like(300, 300))[:2000], "a.jpg")


def test_a_capture_that_carries_a_generators_invisible_mark_is_a_contradiction_to_look_at_first() -> None:
    pki = TestPki()
    marked = (VECTORS / "floats.png").read_bytes()
    signed = media_of(signed_photo(pki.leaf(), data=marked, media_type="image/png"), "a.png")
    report = examiner_for(pki, sources=(WatermarkSource(),)).examine(signed, as_of=datetime.now(UTC))
    (found,) = report.contradictions
    assert found.code == "assay.contradiction.capturedButMarked"
    assert "watermark finds a mark that generators write" in found.text
    assert report.cryptographic.axis(Axis.INTEGRITY).outcome is Outcome.ESTABLISHED


def test_a_report_says_that_a_mark_is_there_and_that_anybody_can_put_it_there() -> None:
    marked = media_of((VECTORS / "floats.png").read_bytes(), "a.png")
    report = examiner_for(TestPki(), sources=(WatermarkSource(),)).examine(marked, as_of=datetime.now(UTC))
    for language, sentence in (
        ("en", "anybody can put it into any picture"),
        ("de", "jeder kann sie in jedes Bild"),
    ):
        assert sentence in render_report(report_json(report), language=language)
