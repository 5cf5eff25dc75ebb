"""Every page at three widths, light and dark, and on paper, as pictures for a person to look at. By hand:
``python -m tests.bench.looks OUT`` (minutes). It starts a demo of its own, and says what scrolls sideways.

One picture a page and scheme: 1440, 768 and 320 pixels side by side; and what is printed, as one long
sheet and as PDF.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page

from authn.core.media import media_of
from authn.core.report import report_json
from authn.core.score_map import ScoreMap, maps_text
from authn.report.html import render_report
from authn.report.preview import make_preview
from tests.conftest import ROOT
from tests.doubles.browsers import chromium, sideways, visiting
from tests.doubles.overlays import field, overlay
from tests.doubles.photos import photo
from tests.doubles.reports import contradicting_report, hostile_report
from tests.doubles.score_maps import reference, score_map

WIDTHS = (1440, 768, 320)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAPER_WIDTH = 703  # of A4 between its margins
TALLEST = 4000  # pixels of a picture to look at
Go = Callable[[Page], object]


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """Its address, until the block ends."""
    command = [sys.executable, "-c", "from authn.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "demo", "--dir", str(folder), "--keep-serving"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")} | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line.rstrip())
            if line.startswith("The page of the demo: "):
                yield line.split()[-1].removesuffix("/demo/")
                break
    finally:
        process.send_signal(signal.SIGTERM)  # a shell in the background ignores the other one
        process.wait(60)


def pages(url: str, folder: Path) -> dict[str, Go]:
    """Name of a page, and the way to it."""
    photos = folder / "photos"

    def examined(name: str) -> Go:
        def go(page: Page) -> None:
            page.goto(url)
            page.set_input_files("#file", photos / name)
            page.click("text=Examine it")
            page.wait_for_url(f"{url}/reports/*")

        return go

    def opened(where: str) -> Go:
        return lambda page: page.goto(where)

    return {
        "home": opened(url),
        "home-de": opened(f"{url}/?lang=de"),
        "comparison": opened(f"{url}/comparisons"),
        "receipt": opened(f"{url}/receipt"),
        "problem": opened(f"{url}/nowhere"),
        "demo": opened(f"{url}/demo/"),
        "quiz": opened(f"{url}/demo/quiz"),
        "answers-de": lambda page: _answers(page, url),
        "stripped": lambda page: _stripped(page, url),
        "report-signed": examined("1-untouched.jpg"),
        "report-changed": examined("2-changed.jpg"),
        "report-stripped": examined("4-stripped.jpg"),
        "report-generated": examined("7-generated.jpg"),
        "views": lambda page: _views(page, url, photos),
        "compared": lambda page: _compared(page, url, photos),
        "drawings": opened(_drawings(folder / "drawings.html", "en")),
        "drawings-de": opened(_drawings(folder / "drawings-de.html", "de")),
        "hostile": opened(_hostile(folder / "hostile.html")),
        "audit-summary": opened(f"file://{folder / 'audit/summary.html'}"),
        "audit-sheet": opened(f"file://{folder / 'audit/sheets/000001.html'}"),
    }


def _answers(page: Page, url: str) -> None:
    page.goto(f"{url}/demo/quiz?lang=de")
    page.click("button")


def _stripped(page: Page, url: str) -> None:
    page.goto(f"{url}/demo/")
    page.click("text=Strip its metadata")
    page.wait_for_url(f"{url}/demo/stripped/*")


def _views(page: Page, url: str, photos: Path) -> None:
    page.goto(url)
    page.set_input_files("#file", photos / "1-untouched.jpg")
    page.click(".second")
    page.wait_for_url(f"{url}/views*")


def _compared(page: Page, url: str, photos: Path) -> None:
    page.goto(f"{url}/comparisons")
    page.set_input_files("#original", photos / "1-untouched.jpg")
    page.set_input_files("#file", photos / "2-changed.jpg")
    page.click("button")
    page.wait_for_url(f"{url}/reports/*")


def _drawings(where: Path, language: str) -> str:
    preview = make_preview(media_of(photo(width=1536, height=1152), "photo.jpg"), 1280)
    view = overlay(view=True, reference=field())
    maps = maps_text((score_map_with_reference(), overlay(reference=field()), view))
    report = report_json(contradicting_report())
    where.write_text(render_report(report, preview, maps=maps, language=language), encoding="utf-8")
    return f"file://{where}"


def score_map_with_reference() -> ScoreMap:
    return replace(score_map(), reference=reference())


def _hostile(where: Path) -> str:
    report = report_json(hostile_report('"><img src=x onerror=alert(1)>\u202egnp' + "A" * 400))
    where.write_text(render_report(report), encoding="utf-8")
    return f"file://{where}"


def side_by_side(shots: list[bytes]) -> Image.Image:
    """Cut where they are longer than a person looks at."""
    images = [Image.open(io.BytesIO(s)).convert("RGB") for s in shots]
    images = [i.crop((0, 0, i.width, min(i.height, TALLEST))) for i in images]
    out = Image.new("RGB", (sum(i.width + 16 for i in images), max(i.height for i in images)), "#c0f")
    left = 0
    for image in images:
        out.paste(image, (left, 0))
        left += image.width + 16
    return out


def look(browser: Browser, go: Go, name: str, out: Path) -> None:
    """All pictures of one page: it is opened once, and its window and colours are changed."""
    with visiting(browser, size={"width": WIDTHS[0], "height": 900}) as page:
        go(page)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            shots = []
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                if wide := sideways(page):
                    print(f"{name} at {width}: {wide} pixels too wide")
                shots.append(page.screenshot(full_page=True, type="jpeg", quality=85))
            side_by_side(shots).save(out / f"{name}-{scheme}.jpg", quality=85)
        page.emulate_media(media="print", color_scheme="light")
        page.set_viewport_size({"width": PAPER_WIDTH, "height": 1000})
        page.screenshot(full_page=True, type="jpeg", quality=85, path=out / f"{name}-print.jpg")
        # Last: what was set for paper is not all taken back.
        (out / f"{name}.pdf").write_bytes(page.pdf(format="A4"))


def draw_for_the_readme(browser: Browser, demo: Path, out: Path) -> None:
    """What docs/report.webp is: the top of the report that the README prints."""
    with visiting(browser, size={"width": 1280, "height": 1060}) as page:
        page.goto(f"file://{demo / 'reports/6-signed-ai-marked.html'}")
        Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(out / "report.webp", quality=80)


def main() -> None:
    """``OUT`` and, if not all, names of pages; ``report`` is the picture of the README."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, demo(Path(made) / "d") as url, chromium() as browser:
        for name, go in pages(url, Path(made) / "d").items():
            if sys.argv[2:] and name not in sys.argv[2:]:
                continue
            look(browser, go, name, out)
        if "report" in (sys.argv[2:] or ["report"]):
            draw_for_the_readme(browser, Path(made) / "d", out)


if __name__ == "__main__":
    main()
