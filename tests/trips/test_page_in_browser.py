"""The page as people meet it: a running service, a photo, a browser, with and without JavaScript."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page

from authn.core.config import load_settings
from authn.core.media import media_of
from authn.core.report import report_json
from authn.core.score_map import maps_text
from authn.home.enrolment import enrol_device
from authn.report.html import render_report
from authn.report.preview import make_preview
from signer.capture import sign_file
from signer.client import Client
from signer.spool import Spool
from tests.conftest import ROOT
from tests.doubles.browsers import PHONE, chromium, sideways, visiting
from tests.doubles.photos import photo
from tests.doubles.reports import SAMPLES, hostile_report
from tests.doubles.score_maps import learned_report, score_map
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202egnp\x1b[31m\x00' + "A" * 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    url: str
    signed: Path
    altered: Path
    unsigned: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("page") / "home"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")} | {"ASSAY_HOME": str(home)}
    command = [
        sys.executable,
        "-c",
        "from authn.cli import main; main()",
        "serve",
        "--port",
        "0",
        "--workers",
        "1",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1].rstrip("/")
            wait_until_ready(url)
            yield Served(url=url, **photos(url, home, tmp_path_factory.mktemp("photos")))
        finally:
            process.terminate()


def wait_until_ready(url: str) -> None:
    def is_ready() -> bool:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE_S).close()
        except URLError:
            return False
        return True

    until(is_ready, "the service did not become ready")


def photos(url: str, home: Path, folder: Path) -> dict[str, Path]:
    """A signed and stamped photo, the same with one bit of its picture flipped, and one nobody signed."""
    token = (home / "enrolment-token").read_text().strip()
    settings = load_settings(environ={}, home=folder / "device", service_url=url, enrolment_token=token)
    identity = enrol_device(settings, "field-camera-7", now=datetime.now(UTC))
    paths = {name: folder / f"{name}.jpg" for name in ("signed", "altered", "unsigned")}
    paths["unsigned"].write_bytes(photo(width=800, height=600))
    paths["signed"].write_bytes(photo(width=800, height=600))
    spool = Spool(folder / "spool")
    sign_file(paths["signed"], identity, spool=spool)
    client = Client(service_url=url)
    spool.stamp_all(lambda request: client.stamp(identity.tsa_url, request), identity.tsa_roots)
    data = bytearray(paths["signed"].read_bytes())
    data[-300] ^= 1
    paths["altered"].write_bytes(data)
    return paths


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def examine(page: Page, url: str, file: Path | dict[str, object]) -> None:
    page.goto(url)
    page.set_input_files("#file", file)
    page.click("text=Examine it")


@pytest.mark.parametrize("script", [False, True], ids=["without-javascript", "with-javascript"])
def test_a_photo_goes_in_and_two_columns_come_out(browser: Browser, served: Served, script: bool) -> None:
    with visiting(browser, script=script) as page:
        page.goto(served.url)
        assert page.locator("text=The photo goes to this service and no further").is_visible()
        examine(page, served.url, served.signed)
        page.wait_for_url(f"{served.url}/reports/*")
        assert "field-camera-7" in page.locator("h1").inner_text()
        proof, guess = page.locator(".panel.proof"), page.locator(".panel.guess")
        assert "Unchanged since it was signed" in proof.inner_text()
        assert "Heuristic evidence" in guess.inner_text()
        left, right = proof.bounding_box(), guess.bounding_box()
        assert left is not None
        assert right is not None
        assert abs(left["y"] - right["y"]) < 1
        assert abs(left["width"] - right["width"]) < 1
        assert page.locator("figure.picture img").evaluate("e => e.getBoundingClientRect().width") > 100
        assert page.locator(".chain li").count() == 3


def test_an_altered_photo_says_so_in_its_headline_column(browser: Browser, served: Served) -> None:
    with visiting(browser) as page:
        examine(page, served.url, served.altered)
        assert "Changed after it was signed" in page.locator(".panel.proof").inner_text()
        assert "Signed by somebody on your lists" in page.locator(".panel.proof").inner_text()


def test_an_unsigned_photo_is_told_that_absence_proves_nothing(browser: Browser, served: Served) -> None:
    with visiting(browser) as page:
        examine(page, served.url, served.unsigned)
        said = page.locator("h1").inner_text()
        assert said.startswith("No credential in this file: who made it, when, and whether")
        assert said.endswith("That speaks neither for nor against it.")


def test_the_learned_detector_s_answer_is_drawn_or_a_line_says_why_not(
    browser: Browser, served: Served, corpus_dir: Path
) -> None:
    """One of the four pictures of a sheet; whether it is pointed to is the model's business."""
    sheet = Image.open(corpus_dir / "fakes_train" / "sd15_art_grid" / "Mary-Blair.webp").convert("RGB")
    picture = io.BytesIO()
    sheet.crop((512, 512, 1024, 1024)).save(picture, "PNG")
    with visiting(browser) as page:
        examine(page, served.url, {"name": "a.png", "mimeType": "image/png", "buffer": picture.getvalue()})
        page.wait_for_url(f"{served.url}/reports/*")
        drawn = 0
        cards = page.locator("article", has=page.get_by_text("(learned)")).all()
        assert cards
        for card in cards:
            points = card.locator(".badge").first.inner_text() == "Points to it"
            drawing = page.locator(f"#map-{card.get_attribute('id')}")
            assert drawing.locator(".where").count() == points
            assert drawing.locator(".map").count() == 2 * points, "an ordinary photo stands beside each"
            assert card.locator("text=No drawing of where the score comes from").count() == (not points)
            drawn += points
        assert page.locator(".where").count() == drawn, "no other card has a drawing"


def test_a_file_that_is_no_photo_gets_a_page_with_the_reason(browser: Browser, served: Served) -> None:
    with visiting(browser) as page:
        notes = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not a photo"}
        examine(page, served.url, notes)
        assert page.locator("h1").inner_text() == "This kind of file is not examined"
        assert page.locator("code").inner_text() == "assay.media.unsupported"
        page.click("text=Examine another file")
        assert page.locator("#file").is_visible()


def test_a_hostile_file_name_is_text(browser: Browser, served: Served) -> None:
    with visiting(browser) as page:
        name = '"><img src=x onerror=alert(1)>.jpg'
        examine(
            page, served.url, {"name": name, "mimeType": "image/jpeg", "buffer": served.signed.read_bytes()}
        )
        page.wait_for_url(f"{served.url}/reports/*")
        assert "onerror=alert(1)" in page.locator("figcaption").first.inner_text()
        assert page.locator("img").count() == 1


def test_a_photo_can_be_dropped(browser: Browser, served: Served) -> None:
    with visiting(browser) as page:
        page.goto(served.url)
        transfer = page.evaluate_handle(
            """bytes => { const t = new DataTransfer();
            t.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", {type: "image/jpeg"}));
            return t; }""",
            list(served.signed.read_bytes()),
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
        page.wait_for_url(f"{served.url}/reports/*")
        assert "dropped.jpg" in page.locator("figcaption").first.inner_text()


def test_the_form_works_from_the_keyboard(browser: Browser, served: Served) -> None:
    with visiting(browser) as page:
        page.goto(served.url)
        page.set_input_files("#file", served.signed)
        page.focus("#file")
        for _ in range(6):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "BUTTON":
                break
        page.keyboard.press("Enter")
        page.wait_for_url(f"{served.url}/reports/*")
        page.goto(page.url)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


def saved(folder: Path) -> dict[str, Path]:
    """Every kind of self-contained file, as a person would keep it."""
    pages = {name: render_report(report_json(make())) for name, make in SAMPLES.items()}
    pages["hostile"] = render_report(report_json(hostile_report(HOSTILE)))
    preview = make_preview(media_of(photo(width=512, height=384), "photo.jpg"))
    pages["places"] = render_report(report_json(learned_report()), preview, maps=maps_text((score_map(),)))
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in pages}


@pytest.mark.parametrize("name", [*SAMPLES, "hostile", "places"])
def test_a_saved_file_fits_a_phone_and_is_whole(browser: Browser, tmp_path: Path, name: str) -> None:
    path = saved(tmp_path)[name]
    with visiting(browser, size=PHONE) as page:
        page.goto(f"file://{path}")
        for details in page.locator("details").all():
            details.evaluate("e => e.open = true")
        assert sideways(page) == 0
        assert page.locator("script[src], iframe, object, embed, link, img[src^=http]").count() == 0
        assert page.locator("script").count() == (name != "summary")
        assert page.evaluate("document.styleSheets.length") == 1
        assert page.evaluate("getComputedStyle(document.body).fontSize") == "16px"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_marks_lie_on_the_picture_that_they_are_about(browser: Browser, tmp_path: Path, dark: bool) -> None:
    with visiting(browser, size=PHONE, dark=dark) as page:
        page.goto(f"file://{saved(tmp_path)['places']}")
        picture, marks = (page.locator(f".map {e}").bounding_box() for e in ("img", "svg"))
        assert picture is not None
        assert picture == marks
        assert picture["width"] / picture["height"] == pytest.approx(512 / 384, rel=0.02)
        assert (
            page.locator(".map .disc").last.evaluate("e => getComputedStyle(e).fill") == "rgb(255, 194, 61)"
        )


@pytest.mark.parametrize("path", ["/", "/reports/none"])
def test_a_served_page_fits_a_phone(browser: Browser, served: Served, path: str) -> None:
    with visiting(browser, size=PHONE) as page:
        page.goto(f"{served.url}{path}")
        assert page.locator("h1").is_visible()
        assert sideways(page) == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_has_an_accessibility_violation(
    browser: Browser, served: Served, tmp_path: Path, dark: bool
) -> None:
    files = saved(tmp_path)
    addresses = [served.url, f"{served.url}/reports/none"]
    addresses += [f"file://{files[name]}" for name in ("contradiction", "untrusted", "places")]
    for address in addresses:
        with visiting(browser, dark=dark) as page:
            page.goto(address)
            violations = Axe().run(page).response["violations"]
            assert [(address, v["id"], [n["html"] for n in v["nodes"]][:3]) for v in violations] == []
