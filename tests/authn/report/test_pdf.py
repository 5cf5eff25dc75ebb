"""The report on paper: all of it, in a language, and no text of a stranger is markup there."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from authn.core.errors import SystemLacking
from authn.core.media import media_of
from authn.core.report import Report, report_json
from authn.core.score_map import maps_text
from authn.report import pdf
from authn.report.pdf import render_pdf
from authn.report.preview import make_preview
from tests.authn.report.test_visible import attack_strings
from tests.doubles.photos import photo
from tests.doubles.reports import SAMPLES, hostile_report, signed_report, unsigned_report
from tests.doubles.score_maps import learned_report, reference, score_map

pytest.importorskip("typst", reason="the extra pdf is not installed")
pypdf = pytest.importorskip("pypdf")


def paper(report: Report, language: str = "en", preview: bytes | None = None, maps: str | None = None) -> str:
    made = render_pdf(report_json(report), preview, maps=maps, language=language)
    return " ".join(" ".join(p.extract_text() for p in pypdf.PdfReader(io.BytesIO(made)).pages).split())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_set_with_both_columns_and_its_limits(name: str) -> None:
    report = SAMPLES[name]()
    text = paper(report)
    for words in ("Cryptographic evidence", "Heuristic evidence", "What this report does not establish"):
        assert words in text
    assert report.subject.sha256 in text
    assert "What this does not prove:" in text


def test_it_speaks_german_too() -> None:
    text = paper(signed_report(), "de")
    assert "Kryptografische Belege" in text
    assert "Cryptographic" not in text


def test_an_unsigned_photo_takes_at_most_two_pages() -> None:
    preview = make_preview(media_of(photo(width=512, height=384), "photo.jpg"))
    made = render_pdf(report_json(unsigned_report()), preview)
    assert len(pypdf.PdfReader(io.BytesIO(made)).pages) <= 2


def test_a_drawing_of_where_a_score_comes_from_stands_beside_its_ordinary_photo() -> None:
    preview = make_preview(media_of(photo(width=512, height=384), "photo.jpg"))
    text = paper(
        learned_report(), preview=preview, maps=maps_text((replace(score_map(), reference=reference()),))
    )
    assert "Where the score comes from: assay-small" in text
    assert "The same on an ordinary photo" in text


def test_the_same_report_gives_the_same_bytes() -> None:
    document = report_json(signed_report())
    assert render_pdf(document) == render_pdf(document)


MARKUP = (
    '#read("/etc/passwd")',
    "= Heading",
    "#let x = 1",
    "$ a^2 $",
    "*bold* _it_ `raw`",
    "#[",
    "]",
    "@ref",
    "\\",
)


@pytest.mark.parametrize("text", MARKUP)
def test_markup_of_the_typesetter_is_text(text: str) -> None:
    said = paper(hostile_report(f"begin {text} end"))
    assert f"begin {text} end".replace(" ", "") in said.replace(" ", "")


def test_published_attack_strings_are_set(suites: Path) -> None:
    for attack in attack_strings(suites)[:20]:
        assert render_pdf(report_json(hostile_report(attack))).startswith(b"%PDF-")


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authn.core.extras.find_spec", lambda name: None)
    with pytest.raises(SystemLacking, match=r"assay\[pdf\]"):
        render_pdf(report_json(signed_report()))
    assert not pdf.PDF.installed
