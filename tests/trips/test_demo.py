"""The demo as a newcomer runs it: one command, real parts, nothing left running."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from authn.cli.demo import learned_lines, table
from authn.demo.pages import reference_photo
from authn.demo.quiz import Kind, questions
from authn.demo.show import ANSWERED, GENERATED, SAMPLE
from authn.report.pdf import PDF
from detector.data.manifest import shipped_manifest
from detector.data.splits import test_source as kept_for_the_test
from detector.models.card import open_card
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from tests.conftest import ROOT
from tests.doubles.browsers import DESKTOP, PHONE, chromium, sideways, visiting
from tests.doubles.photos import photo

PROGRAM = [sys.executable, "-c", "from authn.cli import main; main()", "demo"]


def environment() -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    # A setting of the user's own Assay must not reach the demo.
    return {**clean, "PYTHONPATH": str(ROOT), "ASSAY_PORT": "no number"}


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def processes_of(folder: Path) -> list[str]:
    found = []
    for pid in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (pid / "environ").read_bytes():
                found.append((pid / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def outcomes(folder: Path, stem: str) -> dict[str, str]:
    report: dict[str, Any] = json.loads((folder / "reports" / f"{stem}.json").read_text())
    return {name: axis["outcome"] for name, axis in report["cryptographic"]["axes"].items()}


@pytest.mark.slow
def test_the_demo_shows_what_each_change_does_and_ends_cleanly(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "demo"
    untouched = outcomes(folder, "1-untouched")
    assert {untouched[a] for a in ("credential", "integrity", "signer", "device", "time")} == {"established"}
    changed = outcomes(folder, "2-changed")
    assert (changed["integrity"], changed["signer"]) == ("refuted", "established")
    for stem in ("3-cropped", "4-stripped", "5-ai-marked"):
        assert {outcomes(folder, stem)[a] for a in ("credential", "integrity", "signer")} == {"absent"}, stem
    marked = json.loads((folder / "reports" / "5-ai-marked.json").read_text())
    assert any(
        d["outcome"] == "supports" and d["question"] == "synthetic" for d in marked["heuristic"]["detectors"]
    )
    contradicting = json.loads((folder / "reports" / "6-signed-ai-marked.json").read_text())
    assert contradicting["contradictions"]
    assert outcomes(folder, "6-signed-ai-marked")["integrity"] == "established"
    assert len(list((folder / "reports").glob("*.html"))) == 8
    assert (folder / "audit" / "summary.html").exists()
    assert json.loads((folder / "audit" / "summary.json").read_text())["reported"] == 8
    assert "contradiction:" in done.stdout
    said = " ".join(done.stdout.split())
    answered = json.loads((folder / "reports" / "8-answered.json").read_text())
    assert any(
        d["id"] == SEMANTIC_MODEL and d["outcome"] == "supports" for d in answered["heuristic"]["detectors"]
    )
    for stem in ("1-untouched", "7-generated", "8-answered"):
        report = json.loads((folder / "reports" / f"{stem}.json").read_text())
        told = learned_lines(report)
        assert {line.partition(":")[0] for line in told} >= {DEFAULT_MODEL, SEMANTIC_MODEL}
        assert all(" ".join(line.split()) in said for line in told), "what was answered is what is shown"
    assert "%" not in done.stdout
    assert processes_of(folder) == []
    assert "the service of the demo has ended" in done.stdout
    assert unlike(blocks("docs/quickstart.md")[0], done.stdout) == []
    report = verify(folder / "service", folder / "photos" / "6-signed-ai-marked.jpg")
    assert unlike(blocks("README.md")[0], report) == []


def verify(home: Path, file: Path) -> str:
    command = [*PROGRAM[:-1], "verify", str(file)]
    clean = {**environment(), "ASSAY_HOME": str(home)}
    del clean["ASSAY_PORT"]
    return subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120, check=True).stdout


def blocks(page: str) -> list[str]:
    """What a page shows as the program's output."""
    return re.findall(r"^```text\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def unlike(shown: str, said: str) -> list[str]:
    """Lines of a page that the program did not print, whatever its times, numbers and line ends. An ellipsis
    stands for the rest of a line."""
    said = shape(said)
    return [line for line in shown.splitlines() if shape(line.removesuffix("...")).strip("-# ") not in said]


def shape(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{8}\b|\d+ (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|\d+", "#", text)
    return " ".join(text.split())


def test_a_page_that_shows_something_else_is_noticed() -> None:
    said = "It was signed on\n  3 Dec 2026 by 0a9382ca, as it says"
    assert unlike("signed on 24 Nov 2025 by 45867c0a,\nas it ...", said) == []
    assert unlike("signed on 24 Nov 2025 by you", said) == ["signed on 24 Nov 2025 by you"]


@pytest.mark.slow
def test_a_demo_that_is_told_to_stop_leaves_no_service_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "--dir", "d", "--batch"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "enrol" not in process.stderr.readline():  # the step behind the start of the service
        assert process.poll() is None
    assert processes_of(tmp_path / "d") != []
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert processes_of(tmp_path / "d") == []


@pytest.mark.slow
@pytest.mark.browser
def test_the_demo_takes_a_photo_of_ones_own_and_stays_with_its_pages_until_it_is_told_to_stop(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.png").write_bytes(photo("PNG", 640, 480))
    process = subprocess.Popen(
        [*PROGRAM, "--photo", "mine.png", "--dir", "d", "--keep-serving"],
        cwd=tmp_path,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = ""
    for line in process.stdout:
        if line.startswith("The page of the demo: "):
            address = line.split()[-1].removesuffix("/demo/")
            break
    with chromium() as browser:
        for script, size in ((True, DESKTOP), (False, PHONE)):
            with visiting(browser, script=script, size=size) as page:
                walk(page, address, tmp_path / "d", axe=script)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert processes_of(tmp_path / "d") == []


def walk(page: Page, address: str, folder: Path, *, axe: bool) -> None:
    """Drop, report, strip, recover, paper, quiz, and with a script the review of the folder by keys."""

    def fits() -> None:
        assert sideways(page) == 0
        assert not axe or [v["id"] for v in Axe().run(page).response["violations"]] == []

    page.goto(f"{address}/demo/")
    fits()
    assert page.locator(".gallery img").count() == 8
    page.set_input_files("#file", folder / "photos" / "3-cropped.jpg")
    page.click("text=Examine it")
    page.wait_for_url(f"{address}/reports/*")
    fits()
    if PDF.installed:
        with page.expect_download() as paper:
            page.click("nav >> text=PDF")
        assert paper.value.path().read_bytes().startswith(b"%PDF-")
    page.goto(f"{address}/demo/")
    page.click("text=Strip its metadata")
    page.wait_for_url(f"{address}/demo/stripped/*")
    fits()
    shown = page.locator("main").inner_text()
    for axis in ("Credential", "Integrity", "Signer", "Device", "Time"):
        assert f"{axis}: established when it was signed, now absent" in shown
    assert "Found again: recovered, not embedded" in shown
    assert re.search(r"looks like a photo that was signed here at \d+ \w+ 20\d\d, \S+ UTC\.", shown)
    page.click("text=the report after")
    page.wait_for_url(f"{address}/reports/*")
    page.goto(f"{address}/demo/quiz")
    fits()
    assert "Credential" not in page.locator("main").inner_text(), "the evidence comes after the answers"
    for picture in page.locator("fieldset").all():
        picture.locator("input[value=photo]").check()
    page.click("text=Show the evidence")
    page.wait_for_selector("text=You were right about 4 of 10")
    fits()
    if axe:
        review(page, folder / "audit" / "sheets" / "000001.html")
        fits()


def review(page: Page, sheet: Path) -> None:
    """Marks by keys alone: forward, generated, forward, edited, back, as taken."""
    page.goto(f"file://{sheet}")
    for key in ("j", "3", "j", "2", "k", "1"):
        page.keyboard.press(key)
    marks = [c.locator("[aria-pressed=true]").all_inner_texts() for c in page.locator(".sheet > li").all()]
    assert [len(m) for m in marks[:3]] == [1, 1, 0]
    assert marks[0][0].startswith("1")
    assert page.locator("#marked").inner_text() == "2 marked"


def test_a_photo_that_cannot_be_used_is_one_sentence_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a photo")
    for name in ("nothing.jpg", "notes.txt"):
        done = demo(tmp_path, "--photo", name)
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "demo").exists()


def test_a_demo_that_shall_stay_and_shall_not_is_refused(tmp_path: Path) -> None:
    done = demo(tmp_path, "--batch", "--keep-serving")
    assert done.returncode == 2
    assert "not both" in done.stderr


def test_the_quiz_has_ten_pictures_of_three_kinds_that_differ() -> None:
    portrait = files("matplotlib").joinpath(*SAMPLE).read_bytes()
    kolors = files("authn.demo").joinpath(GENERATED).read_bytes()
    asked = questions(portrait, reference_photo(), kolors)
    assert [q.file_name for q in asked] == [f"q{n:02}.jpg" for n in range(1, 11)]
    kinds = [q.kind for q in asked]
    assert {k: kinds.count(k) for k in Kind} == {Kind.PHOTO: 4, Kind.EDITED: 3, Kind.GENERATED: 3}
    assert len({q.data for q in asked}) == 10
    assert all(b"Exif" not in q.data and b"c2pa" not in q.data for q in asked)


def test_a_folder_that_holds_something_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.odt").write_text("years of work")
    done = demo(tmp_path)
    assert done.returncode == 2
    assert "no earlier demo" in done.stderr
    assert (tmp_path / "demo" / "thesis.odt").exists()


def test_the_generated_picture_is_one_that_may_be_shipped_and_that_no_detector_learned_from() -> None:
    digest = hashlib.sha256((ROOT / "authn" / "demo" / GENERATED).read_bytes()).hexdigest()
    (row,) = (row for row in shipped_manifest() if row.sha256 == digest)
    assert (row.generator, row.licence) == ("Kolors", "Apache-2.0 (repo)")
    assert kept_for_the_test(row.source)
    assert digest in (ROOT / "authn" / "demo" / "generated.md").read_text()


def test_the_answered_picture_may_be_shipped_and_taught_nothing() -> None:
    digest = hashlib.sha256((ROOT / "authn" / "demo" / ANSWERED).read_bytes()).hexdigest()
    (row,) = (row for row in shipped_manifest() if row.sha256 == digest)
    assert (row.generator, row.licence) == ("Kandinsky 5", "MIT")
    assert digest in (ROOT / "authn" / "demo" / "generated.md").read_text()
    (use,) = (s for s in open_card(SEMANTIC_MODEL).sets if s.name == row.source)
    assert use.train == 0


def test_the_table_lines_its_columns_up() -> None:
    assert table([("a", "long head"), ("longer", "b")]) == [
        "a       long head",
        "------  ---------",
        "longer  b",
    ]
