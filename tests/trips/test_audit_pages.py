"""The pages of an audit in a browser: on a phone, without a script, and to those who do not see them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from authn.audit.pages import render_sheet
from authn.audit.summary import RunView, render_summary
from authn.core.media import media_of
from authn.core.report import refusal_json, report_json
from authn.report.preview import make_preview
from tests.doubles.browsers import PHONE, chromium, sideways, visiting
from tests.doubles.photos import photo
from tests.doubles.reports import AS_OF, SAMPLES, hostile_report

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202egnp\x1b[31m\x00' + "A" * 500


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def saved(folder: Path) -> dict[str, Path]:
    """Both kinds of page, with everything on them that there can be."""
    run = RunView(
        started_at=AS_OF,
        finished_at=AS_OF,
        source=HOSTILE,
        skipped=((HOSTILE, HOSTILE, HOSTILE),),
        sheets=(("sheets/000001.html", 1, 500), ("sheets/000002.html", 501, 600)),
    )
    rows: list[dict[str, Any]] = [report_json(make()) for make in SAMPLES.values()]
    rows.append(report_json(hostile_report(HOSTILE)))
    for i, row in enumerate(rows):
        row["subject"] = {**row["subject"], "sha256": f"{i:064x}"}
    refused = refusal_json(HOSTILE, "assay.media.unreadable", HOSTILE)
    turning = (("501 to 600", "000002.html"),)
    pages = {
        "summary": render_summary(rows, run),
        "sheet": render_sheet(
            [*rows, refused],
            source=HOSTILE,
            first=1,
            total=600,
            others=turning,
            reports=2,
            thumbnail=lambda _sha256: make_preview(media_of(photo(), "photo.jpg")),
            run="0123",
        ),
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in pages}


@pytest.mark.parametrize("name", ["summary", "sheet"])
def test_a_page_of_an_audit_fits_a_phone_and_fetches_nothing(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    with visiting(browser, size=PHONE) as page:
        page.goto(f"file://{saved(tmp_path)[name]}")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert sideways(page) == 0
        assert page.locator("script[src], iframe, object, embed, link, img[src^=http]").count() == 0
        assert page.evaluate("document.styleSheets.length") == 1
        assert page.evaluate("getComputedStyle(document.body).fontSize") == "16px"


@pytest.mark.parametrize("width", [768, 1024, 1440])
def test_no_count_of_an_audit_is_scrolled_out_of_sight(browser: Browser, tmp_path: Path, width: int) -> None:
    with visiting(browser, size={"width": width, "height": 900}) as page:
        page.goto(f"file://{saved(tmp_path)['summary']}")
        tables = page.locator(".columns.first .scroll").all()
        assert len(tables) == 2
        assert [t.evaluate("e => e.scrollWidth - e.clientWidth") for t in tables] == [0, 0]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_of_an_audit_has_an_accessibility_violation(
    browser: Browser, tmp_path: Path, dark: bool
) -> None:
    for path in saved(tmp_path).values():
        with visiting(browser, dark=dark) as page:
            page.goto(f"file://{path}")
            violations = Axe().run(page).response["violations"]
            assert [(path.name, v["id"], [n["html"] for n in v["nodes"]][:3]) for v in violations] == []


def test_the_facets_of_a_sheet_work_without_a_script(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, script=False) as page:
        page.goto(f"file://{saved(tmp_path)['sheet']}")
        cards = page.locator(".sheet > li")
        assert cards.count() == cards.locator("visible=true").count() == len(SAMPLES) + 2
        page.check("#f-outside")
        assert cards.locator("visible=true").count() == 1
        page.check("#f-refused")
        assert cards.locator("visible=true").count() == 1
        page.check("#f-all")
        assert cards.locator("visible=true").count() == len(SAMPLES) + 2


def marks_of(page: Page, button: str) -> str:
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.path().read_text()


def test_marks_are_set_by_keys_kept_and_exported_as_ground_truth(browser: Browser, tmp_path: Path) -> None:
    sheet = f"file://{saved(tmp_path)['sheet']}"
    with visiting(browser) as page:
        page.goto(sheet)
        for key in ("j", "1", "j", "3", "j", "2", "j", "k", "0"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.sha256") == f"{2:064x}"
        page.reload()
        marks = [json.loads(line) for line in marks_of(page, "#jsonl").splitlines()]
        assert [(int(m["sha256"], 16), m["truth"]) for m in marks] == [(0, "photo"), (1, "generated")]
        assert all(m["marked_at"].endswith("Z") for m in marks)
        page.locator(".sheet > li").nth(4).locator("[data-mark=edited]").click()
        table = list(csv.DictReader(marks_of(page, "#csv").splitlines()))
        assert [m["truth"] for m in table] == ["photo", "generated", "edited"]


def test_a_sheet_without_a_script_is_a_list_with_links(browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, script=False) as page:
        page.goto(f"file://{saved(tmp_path)['sheet']}")
        assert not page.locator("#review").is_visible()
        assert not page.locator("[data-mark]").first.is_visible()
        assert page.locator(".sheet img").first.is_visible()
        assert page.locator(".sheet a").first.get_attribute("href") == "../reports/000001.html"
