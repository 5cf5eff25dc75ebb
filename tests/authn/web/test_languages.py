"""Every page that a person sees is told in the language that was asked for, and offers the others."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import Client

from authn.core.report import report_json
from authn.demo.quiz import questions
from authn.demo.variants import strip_metadata
from authn.recovery import lookup
from authn.report.language import speaking, translated
from authn.service.services import Services
from authn.web import create_app
from authn.web.showcase import SHOW, Showcase, beside
from tests.authn.report.test_language import ENGLISH, Foreign
from tests.conftest import ROOT
from tests.doubles.media import tiny_jpeg
from tests.doubles.photos import photo
from tests.doubles.score_maps import learned_report

DEMO = ("variants", "show")
BROWSER = {"Accept": "text/html", "Accept-Language": "de"}
PAGES = (
    "/",
    "/comparisons",
    "/receipt",
    "/reports/none",
    "/nowhere",
    "/demo/",
    "/demo/quiz",
    "/demo/stripped/none",
)


@pytest.fixture
def browser(services: Services, tmp_path: Path) -> Client:
    """The service with a demo that is made already."""
    row = {
        "file": "1.jpg",
        "says": "a photo, reduced",
        "report": "1.json",
        "url": "/reports/1",
        "kind": "photo",
    }
    for name in ("thumbs", "photos"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(tiny_jpeg())
    (tmp_path / "1.json").write_text(json.dumps(report_json(learned_report())), encoding="utf-8")
    (tmp_path / SHOW).write_text(json.dumps({"shown": [row], "quiz": [row]}), encoding="utf-8")
    app = create_app(services)
    return Client(beside(app, services, Showcase(folder=tmp_path, strip=strip_metadata)))


def _read(text: str) -> str:
    assert '<html lang="de">' in text
    parser = Foreign()
    parser.feed(text)
    assert [w.strip() for w in parser.words if ENGLISH.search(w)] == []
    # data-words is a table from English, which nobody reads
    labels = re.findall(r'(?:aria-label|alt|data-(?!words=)[a-z-]+)="([^"]*)"', text)
    assert [w for w in labels if ENGLISH.search(w)] == []
    return text


@pytest.mark.parametrize("where", PAGES)
def test_a_page_speaks_german_and_offers_english_without_a_script(browser: Client, where: str) -> None:
    answer = browser.get(where, headers=BROWSER)
    text = _read(answer.text)
    assert answer.headers["Content-Language"] == "de"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (english,) = re.findall(r'<a href="([^"]*lang=en)" hreflang="en" lang="en">English</a>', text)
    back = browser.get(english if english.startswith("/") else f"{where}{english}", headers=BROWSER)
    assert back.headers["Content-Language"] == "en"
    assert 'hreflang="de" lang="de">Deutsch</a>' in back.text


def test_what_forms_of_the_demo_lead_to_is_german_too(browser: Client) -> None:
    _read(browser.post("/demo/quiz?lang=de", data={"1.jpg": "photo"}, headers={"Accept": "text/html"}).text)
    stripped = browser.post("/demo/strip?lang=de", headers={"Accept": "text/html"})
    assert stripped.headers["Location"].endswith("?lang=de")
    _read(browser.get(stripped.headers["Location"], headers={"Accept": "text/html"}).text)


@pytest.mark.parametrize("where", ["/reports", "/views"])
def test_the_way_back_to_the_start_keeps_the_language_that_was_asked_for(
    client: FlaskClient, where: str
) -> None:
    form = {"file": (io.BytesIO(photo()), "a.jpg")}
    answer = client.post(
        f"{where}?lang=de", data=form, headers={"Accept": "text/html"}, follow_redirects=True
    )
    assert '<a href="/?lang=de">' in answer.text


def test_all_that_recovery_says_of_a_photo_is_in_every_table() -> None:
    said = {v for k, v in vars(lookup).items() if k.endswith("TEXT")}
    assert len(said) == 6
    with speaking("de"):
        assert [s for s in said if translated(s.format(when="2026-11-30T12:00:00Z")) is None] == []


@pytest.mark.parametrize(
    ("where", "files"), [("/reports", ["file"]), ("/views", ["file"]), ("/comparisons", ["file", "original"])]
)
def test_a_problem_is_told_in_german(client: FlaskClient, where: str, files: list[str]) -> None:
    form = {name: (io.BytesIO(b"no picture"), "a.jpg") for name in files}
    text = client.post(f"{where}?lang=de", data=form, headers={"Accept": "text/html"}).text
    assert "Darüber, was die Datei zeigt, sagt das nichts." in text
    assert '<html lang="de">' in text


def test_what_the_demo_says_of_its_pictures_is_in_every_table() -> None:
    source = "".join((ROOT / "authn/demo" / f"{n}.py").read_text(encoding="utf-8") for n in DEMO)
    said = {re.sub(r"\{\w+\}", "3", text) for text in re.findall(r'says=f?"([^"]+)"', source)}
    made = photo(width=64, height=64)
    said |= {q.says for q in questions(made, made, made)}
    assert len(said) > 12
    with speaking("de"):
        assert [s for s in said if translated(s) is None] == []
