"""A headless Chromium for tests, and pages that must keep to themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from tests.programs import require_program

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 860}


@contextmanager
def chromium() -> Iterator[Browser]:
    path = require_program("/usr/bin/chromium", package="chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@contextmanager
def visiting(
    browser: Browser, *, script: bool = True, size: dict[str, int] | None = None, dark: bool = False
) -> Iterator[Page]:
    """A page that fails the test when anything in it opens a dialog or asks another machine."""
    context = browser.new_context(
        viewport=size or DESKTOP, java_script_enabled=script, color_scheme="dark" if dark else "light"
    )
    page, dialogs, asked = context.new_page(), [], []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert dialogs == []
    strangers = [u for u in asked if not u.startswith(("http://127.0.0.1:", "data:", "file:"))]
    assert strangers == []
    context.close()


def sideways(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
