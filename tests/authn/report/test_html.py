"""The HTML report: two columns, nothing executable, nothing from elsewhere, every stranger's text inert."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from authn.core.evidence import Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.report import Report, report_json
from authn.report import wording
from authn.report.html import Links, content_security_policy, render_report, stylesheet
from tests.authn.report.test_visible import attack_strings, harmless
from tests.doubles.reports import (
    SAMPLES,
    contradicting_report,
    hostile_report,
    signed_report,
    unsigned_report,
    untrusted_report,
)

VOID = {"meta", "input", "img", "br", "path", "rect", "circle"}
# What an attacker would need; a report never has them. Its one script is counted apart.
ACTIVE = {"iframe", "object", "embed", "form", "base", "link", "input", "button", "foreignobject"}


class Outline(HTMLParser):
    """Tags, attributes and visible text; fails on tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self) -> Iterator[tuple[str, str | None]]:
        for _, attributes in self.tags:
            yield from attributes.items()


def page_of(report: Report, preview: bytes | None = None, links: Links | None = None) -> Outline:
    outline = Outline()
    outline.feed(render_report(report_json(report), preview, links=links))
    outline.close()
    assert outline.open == []
    return outline


def shape(outline: Outline) -> list[str]:
    return [tag for tag, _ in outline.tags]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_axis_and_every_detector_has_a_card_with_its_limits(name: str) -> None:
    report = SAMPLES[name]()
    page = page_of(report)
    cards = [a["id"] for tag, a in page.tags if tag == "article"]
    assert len(cards) == 8 + len(report.heuristic)
    assert page.text.count("What this does not prove:") == len(cards)
    for title in (wording.PROOF_COLUMN, wording.GUESS_COLUMN, wording.NEVER_ADDED):
        assert title in page.text


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_executable_and_nothing_comes_from_elsewhere(name: str) -> None:
    page = page_of(SAMPLES[name](), b"\xff\xd8\xff", Links(home="/", json="/report.json"))
    assert not ACTIVE & set(shape(page))
    assert [a for tag, a in page.tags if tag == "script"] == [{}], "one, in the page, from nowhere else"
    for key, value in page.attributes():
        assert not key.startswith("on")
        assert key != "style"
        if key in ("href", "src", "action", "data", "xlink:href"):
            assert value is not None
            assert value.startswith(("#", "/", "data:image/jpeg;base64,"))
    assert "url(" not in stylesheet()
    assert "@import" not in stylesheet()


def test_the_policy_in_the_file_allows_its_own_style_sheet_and_its_own_script_only() -> None:
    text = render_report(report_json(signed_report()))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src &#39;sha256-{digest}&#39;" in text
    (own,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;; connect-src &#39;none&#39;" in text
    assert not re.search(r"https?://|innerHTML|eval|fetch\(|XMLHttp", own)
    assert content_security_policy().startswith("default-src 'none';")
    assert "script-src" not in content_security_policy()


def test_every_published_attack_string_is_inert(suites: Path) -> None:
    plain = shape(page_of(hostile_report("plain text")))
    for attack in attack_strings(suites):
        page = page_of(hostile_report(attack))
        assert shape(page) == plain, attack
        assert not any(key.startswith("on") for key, _ in page.attributes())
        assert harmless(page.text)


def test_invisible_text_is_shown_in_raw_data_too() -> None:
    page = page_of(hostile_report("a\u202eb\u200bc"))
    assert "\u202e" not in page.text
    assert page.text.count("a⟨U+202E⟩b⟨U+200B⟩c") > 20


def test_a_long_text_and_many_findings_stay_bounded() -> None:
    base = hostile_report("x" * 10_000)
    axis = base.cryptographic.axes[1]
    many = replace(axis, findings=axis.findings * 5000)
    axes = (base.cryptographic.axes[0], many, *base.cryptographic.axes[2:])
    text = render_report(report_json(replace(base, cryptographic=replace(base.cryptographic, axes=axes))))
    assert len(text) < 1_000_000
    assert "4940 more findings are in the JSON form" in text


def test_the_preview_is_embedded_and_its_absence_is_said() -> None:
    picture = next(a for tag, a in page_of(signed_report(), b"\xff\xd8\xff").tags if tag == "img")
    assert picture["src"] == "data:image/jpeg;base64,/9j/"
    assert picture["alt"]
    assert "No preview" in page_of(signed_report()).text


def test_the_chain_ends_in_a_root_of_the_reader_or_in_a_missing_link() -> None:
    assert "ends in Assay device root, a root in your lists" in page_of(signed_report()).text
    assert "Missing link" not in page_of(signed_report()).text
    outside = page_of(untrusted_report())
    assert "Missing link: no root of your lists issued this" in outside.text
    assert "Refuted" not in re.sub(r"\(refuted\)", "", outside.text)


def test_every_drawing_has_words_beside_it() -> None:
    page = page_of(contradicting_report())
    drawings = [a for tag, a in page.tags if tag == "svg"]
    assert all(a.get("aria-hidden") == "true" or a.get("aria-label") for a in drawings)
    assert "Signed not before 20 Nov 2026, 13:58:00 UTC" in page.text
    assert "Signed not after 20 Nov 2026, 14:03:22 UTC" in page.text
    assert "42 times more often" in page.text
    assert "stayed the same in 6 re-encodings" in page.text


def test_contradictions_and_gaps_are_boxes_only_where_there_are_some() -> None:
    assert "Contradictions: a person should look" in page_of(contradicting_report()).text
    bare = page_of(replace(signed_report(), not_examined=())).text
    assert "Contradictions" not in bare
    assert "Not examined log" not in bare


def test_a_saved_report_leads_nowhere_and_a_served_one_leads_home() -> None:
    saved = page_of(signed_report())
    assert all((a.get("href") or "#").startswith("#") for _, a in saved.tags)
    hrefs = [a.get("href") for tag, a in page_of(signed_report(), links=Links(home="/", json="/x.json")).tags]
    assert {"/", "/x.json"} <= set(hrefs)


def test_the_plain_text_is_there_to_copy() -> None:
    assert "CRYPTOGRAPHIC EVIDENCE · What signatures prove, and to whom" in page_of(unsigned_report()).text


def test_the_kind_of_source_that_a_signer_claims_is_told_in_words() -> None:
    document = report_json(signed_report())
    page, german = unescape(render_report(document)), unescape(render_report(document, language="de"))
    assert 'digitalCapture</bdi> <span lang="en">(that a camera took it)</span>' in page
    assert "(dass eine Kamera es aufgenommen hat)" in german


def test_a_report_without_heuristics_or_chain_is_whole() -> None:
    bare = replace(unsigned_report(), heuristic=(), not_examined=(), limits=())
    assert "No heuristic was run." in page_of(bare).text


def test_the_headline_of_heuristics_counts_and_never_adds() -> None:
    text = page_of(contradicting_report()).text
    assert "assay-small points to “made by a generator”" in text
    assert "%" not in text


@pytest.mark.parametrize("outcome", list(HeuristicOutcome))
def test_no_heuristic_changes_the_cryptographic_column(outcome: HeuristicOutcome) -> None:
    def proof(report: Report) -> str:
        text = render_report(report_json(report))
        return text[text.index('id="cards-proof"') : text.index('id="cards-guess"')]

    base = signed_report()
    other = replace(base, heuristic=tuple(replace(h, outcome=outcome) for h in base.heuristic))
    assert proof(other) == proof(base)


def test_a_report_renders_from_its_stored_form() -> None:
    document = report_json(signed_report())
    assert render_report(json.loads(json.dumps(document))) == render_report(document)


def test_a_signal_that_was_looked_for_and_not_found_is_folded_and_what_a_file_went_through_is_told() -> None:
    def undecided(name: str, outcome: Outcome) -> HeuristicEvidence:
        finding = Finding(code="assay.test.signal", outcome=outcome, detail="seen")
        return HeuristicEvidence(
            detector=name, version="1", kind="signal", question=Question.EDITED, findings=(finding,),
            outcome=HeuristicOutcome.INCONCLUSIVE, reason=f"what {name} says",
        )  # fmt: skip

    hints = (undecided("silent", Outcome.ABSENT), undecided("telling", Outcome.ESTABLISHED))
    document = report_json(replace(signed_report(), heuristic=hints))
    page = render_report(document)
    telling, rest = page.split('<details class="fold"><summary>Undecided, with nothing found (1):', 1)
    assert '<p class="brief"><bdi>what telling says' in telling
    assert "what silent says" not in telling
    assert rest.index(">silent<") < rest.index("what silent says")
    assert "Unentschieden, ohne Befund (1):" in render_report(document, language="de")


def test_a_folded_source_with_two_questions_is_named_with_the_number_of_its_answers() -> None:
    hints = tuple(
        HeuristicEvidence(
            detector=name, version="1", kind="signal", question=question, findings=(),
            outcome=HeuristicOutcome.ABSTAIN, reason="nothing to read",
        )
        for name, question in (
            ("metadata", Question.SYNTHETIC), ("metadata", Question.EDITED), ("watermark", Question.SYNTHETIC)
        )
    )  # fmt: skip
    page = render_report(report_json(replace(signed_report(), heuristic=hints)))
    (told,) = re.findall(
        r"Without an answer of their own \((\d)\): <span class=\"soft\">([^<]*)</span>", page
    )
    assert told == ("3", "metadata (2), watermark")


def test_what_points_to_something_stands_first_with_its_reason_in_sight() -> None:
    base = contradicting_report()
    page = render_report(report_json(replace(base, heuristic=base.heuristic[::-1])))
    at = [page.index(f'<article class="card" id="heuristic-{n}"') for n in (1, 2, 0)]
    assert at == sorted(at)
    pointing = page[at[0] : at[1]]
    seen, folded = pointing.split("<details>", 1)
    assert "IPTC digital source type is trainedAlgorithmicMedia" in seen
    assert '<p class="detail">' not in folded
