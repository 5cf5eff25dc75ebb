"""Languages by design: the same keys and the same blanks in every table, and no English on a German page."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from importlib import resources
from string import Formatter

import pytest
from markupsafe import escape

from authn.core.promises import PROMISES
from authn.core.report import report_json
from authn.examine.examiner import LIMITS
from authn.policies.shelf import default_policy
from authn.report import wording
from authn.report.html import render_report
from authn.report.language import LANGUAGES, said, speaking, t, tell, told, translated, words
from authn.report.receipt_page import script, script_words
from tests.conftest import ROOT
from tests.doubles.reports import SAMPLES, joint_report, signed_report
from tests.doubles.score_maps import learned_report
from tests.house.source import modules, named, parsed

OTHERS = sorted(set(LANGUAGES) - {"en"})
REPORTS = {**SAMPLES, "joint": joint_report, "learned": learned_report}
# Words that no German sentence has.
ENGLISH = re.compile(
    r"\b(the|of|and|is|not|this|that|were|with|from|no|it|by|or|are|has|have|what)\b", re.IGNORECASE
)
SOURCES = (ROOT / "authn").rglob("*.py"), (ROOT / "authn").rglob("*.j2")


class Foreign(HTMLParser):
    """The text outside everything that is marked as English or was chosen by a stranger."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, bool]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "img", "br", "path", "rect", "circle", "input"):
            return
        given = dict(attrs)
        before = self.open[-1][1] if self.open else False
        foreign = before if given.get("lang") is None else given["lang"] != "de"
        self.open.append((tag, foreign or tag in ("style", "script", "code", "pre")))

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self.open):
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.open or not self.open[-1][1]:
            self.words.append(data)


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_every_key_with_the_same_blanks(code: str) -> None:
    english, other = words("en"), words(code)
    assert set(english) == set(other)
    for key, text in english.items():
        assert _blanks(text) == _blanks(other[key]), key


def _blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", OTHERS)
def test_hardly_a_text_is_the_same_in_two_languages(code: str) -> None:
    same = {k for k, text in words("en").items() if text == words(code)[k] and re.search("[a-z]{4}", text)}
    assert same <= {"instant", "map.smooth", "fold.absent"}, same


def test_every_key_that_is_asked_for_exists_and_every_one_that_exists_is_asked_for() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for group in SOURCES for p in group)
    plain = set(re.findall(r"""\bt\(\s*["']([a-z_.0-9]+)["']""", source))
    assert plain
    assert plain <= set(words("en"))
    asked = re.findall(r"""\b(?:t|pair|has)\(f["'](.+?)["'][,)]""", source)
    made = [re.sub(r"\{[^}]*\}", "*", m) for m in (*asked, "metadata.{q}.{o}")]
    patterns = [re.compile(re.escape(m).replace(r"\*", ".+")) for m in made]
    for key in words("en"):
        bare = re.sub(r"\.(answer|limit)$", "", key)
        used = f'"{key}"' in source or f"'{key}'" in source or f'"{bare}"' in source
        assert used or any(p.fullmatch(key) or p.fullmatch(bare) for p in patterns), key


@pytest.mark.parametrize("name", REPORTS)
def test_no_english_remains_on_a_german_page(name: str) -> None:
    text = render_report(report_json(REPORTS[name]()), b"\xff\xd8\xff", language="de")
    assert '<html lang="de">' in text
    page = Foreign()
    page.feed(text)
    found = [w.strip() for w in page.words if ENGLISH.search(w)]
    assert found == []
    labels = re.findall(r'(?:aria-label|alt|data-[a-z-]+)="([^"]*)"', text)
    assert [w for w in labels if ENGLISH.search(w)] == []


def test_numbers_and_dates_are_written_as_the_language_does() -> None:
    text = render_report(report_json(signed_report()), language="de")
    assert "20. November 2026, 14:03:22 UTC" in text
    assert "4,6 MB" in text


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("en", "before 24 Nov 2026, 08:00:00 UTC."),
        ("de", "vor dem 24. November 2026, 08:00:00 UTC signiert wurde"),
    ],
)
def test_a_time_inside_a_sentence_is_written_as_people_read_it(code: str, read: str) -> None:
    with speaking(code):
        text = "This picture looks like a photo that was signed here before 2026-11-24T08:00:00Z."
        assert read in told(text)
        assert told("It says 2026-02-31T08:00:00Z.") == "It says 2026-02-31T08:00:00Z."
        assert said(text) == escape(told(text))


def test_what_a_report_always_says_is_translated() -> None:
    rules = default_policy().proof_rules
    filled = {
        "signer": "S",
        "issuer": "I",
        "device": "D",
        "not_after": "3 Oct 2026, 08:00:00 UTC",
        "as_of": "A",
    }
    for code in OTHERS:
        with speaking(code):
            for sentence in (*LIMITS, *(r.true["en"].format(**filled) for r in rules)):
                assert translated(sentence) is not None, sentence
    with speaking("de"):
        sentence = (
            "It was signed not after 3 Oct 2026, 08:00:00 UTC, as a time-stamp authority in your list states."
        )
        assert "nicht nach 3. Oktober 2026, 08:00:00 UTC" in tell(sentence).text


@pytest.mark.parametrize(
    "who",
    [
        "nobody: the claim signature does not verify",
        "somebody whose signature could not be checked",
        "a signer without a name (by the certificate of an ingredient)",
    ],
)
def test_who_says_what_nothing_proves_is_told_in_the_language_of_the_page(who: str) -> None:
    report = report_json(signed_report())
    report["cryptographic"]["claims"][0]["asserted_by"] = who
    page = render_report(report, language="de")
    assert who not in page
    with speaking("de"):
        assert f"<bdi>{said(who)}</bdi>" in page


def test_a_sentence_that_no_table_knows_stays_and_is_marked() -> None:
    with speaking("de"):
        assert said("Nobody <b> knows") == '<span lang="en">Nobody &lt;b&gt; knows</span>'
    assert said("Nobody <b> knows") == "Nobody &lt;b&gt; knows"


def test_a_statement_of_a_policy_with_texts_of_its_own_is_told_in_them() -> None:
    document = json.loads(json.dumps(report_json(signed_report())))
    own = {"id": document["statements"][0]["id"], "value": True, "kind": "cryptographic"}
    document["policy_statements"] = [own | {"texts": {"en": "x", "de": "Eigener Satz der Richtlinie."}}]
    assert "<h1><bdi>Eigener Satz der Richtlinie.</bdi></h1>" in render_report(document, language="de")
    assert "Eigener Satz" not in render_report(document)


def test_no_language_leaks_into_the_next_page() -> None:
    document = report_json(signed_report())
    before = render_report(document)
    assert "Kryptografische Belege" in render_report(document, language="de")
    assert render_report(document) == before
    assert render_report(document, language="xx") == before
    assert t("column.proof") == wording.PROOF_COLUMN == "Cryptographic evidence"


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_table_promises_what_no_policy_may(code: str) -> None:
    assert [key for key, text in words(code).items() if PROMISES.search(text)] == []


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_sentence_of_the_receipt_page_s_script_is_told_in_every_language(code: str) -> None:
    said_directly = set(re.findall(r'say\("([^"]+)"', script()))
    drawn = set(re.findall(r'^    [?:] "([A-Z][^"]+)"', script(), re.MULTILINE))
    table = script_words(code)
    assert set(table) == said_directly | drawn
    for english, other in table.items():
        names = [sorted(re.findall(r"\{\w+\}", text)) for text in (english, other)]
        assert names[0] == names[1], english
        assert other != english
    assert not re.search(r'new (Refused|Outside|Unread)\("', script()), "a sentence that no table can know"


@pytest.mark.parametrize(
    "found",
    [
        "the file carries no C2PA manifest; that proves nothing about it",
        "there is no manifest to examine",
        "the file carries a C2PA manifest store that both engines can read",
        "the bytes are those that were signed: c2pa-rs, encypher-c2pa and our own check agree",
        "assay: the file's bytes are not those that were signed",
        "the signer's certificate chains to a root of your list at the time it is judged at",
        "signed not after 2026-11-24T08:00:00Z, as a time-stamp authority of your list states",
        "the key is registered as 'front-desk'",
        "pixels of image/gif are not decoded here; JPEG, PNG, WebP, HEIC and AVIF are",
    ],
)
def test_what_our_own_check_says_beside_an_axis_is_told_in_german(found: str) -> None:
    with speaking("de"):
        said_in_german = tell(found)
    assert said_in_german.code == "de"
    assert said_in_german.text != found


WHY = {"NotApplicable", "PixelsUnreadable"}
# What a report's source or a picture that is not looked at may say; what only the laboratory, files of one
# machine and findings behind a fold say is English.
SAYING = (
    "authn/sources/",
    "detector/forensics/",
    "detector/models/",
    "detector/pixels/",
    "authn/report/preview",
)
NOT_OF_A_REPORT = ("containers.py", "xmp.py", "sensor_print.py", "parallax.py", "augment.py")


def sentences() -> dict[str, str]:
    """What these parts of the house say why they do not answer, with a number in each blank, and where."""
    found = {}
    for path in modules():
        if not named(path).startswith(SAYING) or path.name in NOT_OF_A_REPORT:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in WHY and node.args:
                text = written(node.args[0])
                if text and "refused the picture: 7" not in text and text != "7":
                    found[text] = f"{named(path)}, line {node.lineno}"
    return found


def written(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "7" for v in node.values)
    return None


def test_why_a_source_does_not_answer_is_told_in_german() -> None:
    asked = sentences()
    assert len(asked) > 40
    with speaking("de"):
        assert {text: where for text, where in asked.items() if translated(text) is None} == {}


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "EXIF ModifyDate A lies before DateTimeOriginal B. There are innocent reasons for it.",
            "EXIF ModifyDate A liegt vor DateTimeOriginal B. Dafür gibt es harmlose Gründe.",
        ),
        (
            "A itself uses the tables of standard software (in 2 measured files)",
            "A verwendet selbst die Tabellen von Standardsoftware (in 2 gemessenen Dateien)",
        ),
        (
            "the face: its lids hide an iris and it looks to a side",
            "das Gesicht: seine Lider verdecken eine Iris, und es blickt zur Seite",
        ),
        (
            "the registry revokes the device from 3 Oct 2026 on; judged at its proven time",
            "das Register widerruft das Gerät ab 3. Oktober 2026; geurteilt nach seiner bewiesenen Zeit",
        ),
    ],
)
def test_a_sentence_of_several_parts_is_german_in_all_of_them(english: str, german: str) -> None:
    with speaking("de"):
        assert translated(english) == german


def test_blanks_of_a_sentence_are_the_same_in_every_language() -> None:
    for code in OTHERS:
        table = json.loads(resources.files("authn.report").joinpath("words", f"{code}.said.json").read_text())
        for english, other in table.items():
            names = [set(re.findall(r"\{(\w+)\}", text)) for text in (english, other)]
            assert names[1] <= names[0], english
