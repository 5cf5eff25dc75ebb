"""The pages of an audit in a browser: on a phone, without a script, and to those who do not see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from authn.audit.pages import render_sheet
from authn.audit.summary import RunView, render_summary
from authn.core.report import refusal_json, report_json
from tests.doubles.browsers import PHONE, chromium, sideways, visiting
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
    refused = refusal_json(HOSTILE, "assay.media.unreadable", HOSTILE)
    turning = (("501 to 600", "000002.html"),)
    pages = {
        "summary": render_summary(rows, run),
        "sheet": render_sheet([*rows, refused], source=HOSTILE, first=1, total=600, others=turning),
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
