"""What a report offers on a screen and on paper: looking closer, taking marks away, copying, printing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from authn.core.media import media_of
from authn.core.overlay import Layer
from authn.core.report import report_json
from authn.core.score_map import maps_text
from authn.report.html import render_report
from authn.report.preview import make_preview
from tests.doubles.browsers import chromium, sideways, visiting
from tests.doubles.overlays import field, overlay
from tests.doubles.photos import photo
from tests.doubles.reports import altered_report, signed_report, unsigned_report
from tests.doubles.score_maps import learned_report, reference, score_map

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REPORTS = {
    "signed": signed_report,
    "altered": altered_report,
    "unsigned": unsigned_report,
    "places": learned_report,
    "drawings": learned_report,
}
WIDE = {"width": 1440, "height": 900}
MAPS = maps_text((replace(score_map(), reference=reference()),))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("reports")
    preview = make_preview(media_of(photo(width=1536, height=1152), "photo.jpg"), 1280)
    for name, make in REPORTS.items():
        for code in ("en", "de"):
            maps = _drawings() if name == "drawings" else MAPS
            text = render_report(report_json(make()), preview, maps=maps, language=code)
            (folder / f"{name}.{code}.html").write_text(text, encoding="utf-8")
    return {p.name.removesuffix(".html"): f"file://{p}" for p in folder.iterdir()}


def _drawings() -> str:
    """A field beside its reference, and a view that is a picture."""
    small = make_preview(media_of(photo(width=320, height=240), "photo.jpg"), 320) or b""
    seen = Layer(width=320, height=240, jpeg=small)
    return maps_text((overlay(reference=field()), overlay(view=True, own=seen, reference=seen)))


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("drawings.de", 320, True),
        ("places.en", 320, False),
        ("altered.de", 768, True),
        ("places.de", 1440, True),
    ],
)
def test_no_width_scrolls_sideways_and_none_has_an_accessibility_violation(
    browser: Browser, pages: dict[str, str], name: str, width: int, dark: bool
) -> None:
    with visiting(browser, size={"width": width, "height": 900}, dark=dark) as page:
        page.goto(pages[name])
        assert sideways(page) == 0
        violations = Axe().run(page).response["violations"]
        assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in violations] == []


def test_an_unsigned_photo_costs_at_most_a_screen_and_a_half(browser: Browser, pages: dict[str, str]) -> None:
    with visiting(browser, size=WIDE) as page:
        page.goto(pages["unsigned.en"])
        assert page.evaluate("document.documentElement.scrollHeight") <= 1.5 * 900
        proof, guess = (page.locator(f".panel.{c}").bounding_box() for c in ("proof", "guess"))
        assert proof is not None
        assert guess is not None
        assert (proof["y"], proof["width"]) == (guess["y"], guess["width"])


def test_an_unsigned_photo_prints_on_two_sheets(browser: Browser, pages: dict[str, str]) -> None:
    for code in ("en", "de"):
        with visiting(browser) as page:
            page.goto(pages[f"unsigned.{code}"])
            sheets = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4"))).pages
            assert len(sheets) <= 2
            assert unsigned_report().subject.sha256 in "".join(s.extract_text() for s in sheets)


@pytest.mark.parametrize("script", [False, True], ids=["without-javascript", "with-javascript"])
def test_the_picture_can_be_seen_as_large_as_it_was_kept(
    browser: Browser, pages: dict[str, str], script: bool
) -> None:
    with visiting(browser, script=script, size=WIDE) as page:
        page.goto(pages["signed.en"])
        picture = page.locator("#preview")
        before = _width(page)
        picture.click()
        assert _width(page) == 1280 > before
        page.click("text=Close")
        assert _width(page) == before


def _width(page: Page) -> float:
    box = page.locator("#preview").bounding_box()
    assert box is not None
    return box["width"]


def test_the_text_is_really_copied_and_without_a_script_it_stands_there(
    browser: Browser, pages: dict[str, str]
) -> None:
    with visiting(browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(pages["altered.en"])
        page.click("text=Copy text")
        page.wait_for_selector("#copied:not(:empty)")
        assert page.locator("#copied").inner_text() == "The report is copied as text."
        page.evaluate("navigator.clipboard.readText = undefined")
        copied = page.evaluate("document.getElementById('plain-text').textContent")
        assert "Integrity refuted: changed after it was signed." in copied
    with visiting(browser, script=False) as page:
        page.goto(f"{pages['altered.en']}#plain-text")
        assert page.locator("#plain-text").count() == 1
        assert page.locator("button, input").count() == 0, "no control that does nothing"


def test_marks_fade_and_give_way_from_the_keyboard_on_both_pictures(
    browser: Browser, pages: dict[str, str]
) -> None:
    with visiting(browser) as page:
        page.goto(pages["places.en"])
        strength, wipe = page.locator(".controls input").all()
        strength.focus()
        for _ in range(3):
            page.keyboard.press("PageDown")
        wipe.focus()
        page.keyboard.press("PageDown")
        marks = page.locator(".map svg").all()
        assert len(marks) == 2
        for m in marks:
            style = m.evaluate("e => [e.style.opacity, e.style.clipPath]")
            assert float(style[0]) < 1
            assert style[1].startswith("inset(0")
            assert "%" in style[1]


def test_what_any_source_draws_fades_and_gives_way_from_the_keyboard(
    browser: Browser, pages: dict[str, str]
) -> None:
    """Without a script the drawings stand there whole."""
    with visiting(browser) as page:
        page.goto(pages["drawings.en"])
        assert page.locator(".controls").count() == 2
        for slider in page.locator(".controls input").all():
            slider.focus()
            page.keyboard.press("PageDown")
        drawn = page.locator(".map svg, .map .over").all()
        assert len(drawn) == 4
        for d in drawn:
            opacity, clip = d.evaluate("e => [e.style.opacity, e.style.clipPath]")
            assert float(opacity) < 1
            assert "%" in clip
    with visiting(browser, script=False) as page:
        page.goto(pages["drawings.en"])
        assert page.locator(".map svg, .map .over").count() == 4


def test_the_magnifier_follows_the_arrow_keys(browser: Browser, pages: dict[str, str]) -> None:
    with visiting(browser) as page:
        page.goto(pages["signed.en"])
        button, lens = page.locator(".magnify"), page.locator(".lens")
        assert not lens.is_visible()
        button.focus()
        page.keyboard.press("Enter")
        assert lens.is_visible()
        before = lens.bounding_box()
        page.keyboard.press("ArrowRight")
        after = lens.bounding_box()
        assert before is not None
        assert after is not None
        assert after["x"] > before["x"]
        page.keyboard.press("Escape")
        assert not lens.is_visible()
