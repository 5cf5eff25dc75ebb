"""The ten cases of docs/forensics-cases.md: edits by ImageMagick, reports, pictures of the pages. By hand.

    python -m tests.bench.cases ONE TWO THREE SCREEN CAMERA OUT

ONE, TWO and THREE are photos of 1,400 pixels or more, SCREEN a photo of a screen, CAMERA a camera's file that
holds a thumbnail. OUT gets each case, what ``assay verify --forensics`` says of it as text and as a page, the
page as a picture of 1,000 pixels, and the view "differs".
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.doubles.browsers import chromium

WIDTH = 1000
MARKED = ROOT / "tests" / "vectors" / "watermarks"


def convert(*arguments: str | Path) -> None:
    subprocess.run(["convert", *map(str, arguments)], check=True)


def made(one: Path, two: Path, three: Path, screen: Path, camera: Path, out: Path) -> list[Path]:
    """The ten, in the order of the page."""
    plain, other = out / "plain.png", out / "other.jpg"
    convert(one, "-resize", "1100x", "-strip", plain)
    convert(two, "-resize", "900x", "-strip", "-quality", "75", other)
    cases = [out / name for name in (
        "01-pasted.jpg", "02-saved-apart.jpg", "03-cloned.jpg", "04-enlarged.png", "05-saved-twice.jpg",
        "06-cropped.jpg", "07-screen.jpg", "08-marked.png", "09-thumbnail.jpg", "10-part-enlarged.jpg",
    )]  # fmt: skip
    convert(plain, "(", other, "-crop", "300x300+203+305", "+repage", ")", "-geometry", "+501+203",
            "-composite", "-quality", "92", cases[0])  # fmt: skip
    part = out / "part.jpg"
    convert(plain, "-crop", "320x256+400+200", "+repage", "-quality", "70", part)
    convert(plain, part, "-geometry", "+400+200", "-composite", "-quality", "95", cases[1])
    small = out / "small.png"
    convert(three, "-resize", "1100x", "-strip", small)
    convert(small, "(", "+clone", "-crop", "200x220+540+300", "+repage", ")", "-geometry", "+150+330",
            "-composite", "-quality", "92", cases[2])  # fmt: skip
    convert(plain, "-resize", "130%", cases[3])
    once = out / "once.jpg"
    convert(plain, "-quality", "70", once)
    convert(once, "-quality", "92", cases[4])
    convert(once, "-crop", "900x500+13+6", "+repage", "-quality", "95", cases[5])
    shutil.copy(screen, cases[6])
    shutil.copy(MARKED / "bytes.png", cases[7])
    convert(camera, "-fill", "gray40", "-draw", "rectangle 300,300 900,900", cases[8])
    convert(small, "(", "+clone", "-crop", "300x300+400+280", "+repage", "-resize", "45%",
            "-resize", "300x300!", ")", "-geometry", "+400+280", "-composite", "-quality", "92",
            cases[9])  # fmt: skip
    return cases


def assay(*arguments: str | Path) -> str:
    command = [sys.executable, "-c", "from authn.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def main(*given: str) -> None:
    *photos, out = (Path(a).resolve() for a in given)
    out.mkdir(parents=True, exist_ok=True)
    cases = made(*photos, out)
    for case in cases:
        text = assay("verify", "--forensics", "--html", case.with_suffix(".html"), case)
        case.with_suffix(".txt").write_text(text)
        assay("view", "differs", case, "-o", case.with_name(f"{case.stem}-differs.png"))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        for case in cases:
            page.goto(case.with_suffix(".html").as_uri())
            page.screenshot(path=case.with_name(f"{case.stem}-page.png"), full_page=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
