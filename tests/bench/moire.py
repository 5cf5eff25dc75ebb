"""Figures of the view "moire" in docs/reading-a-report.md: points of real photos of screens and of scenes.

    python -m tests.bench.moire gather FOLDER OUT.jsonl
    python -m tests.bench.moire table OUT.jsonl

FOLDER holds a folder for each author of photos of screens and prints, with ``real`` and ``screen`` somewhere
in the path of each picture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from detector.core.bounds import at_least, at_most
from detector.core.errors import DetectorError
from detector.forensics.views import standing_out
from detector.pixels.decode import decode

COARSE, GRID = (
    0.04,
    0.012,
)  # periods a pixel: nearer to 0, to an axis or to a multiple of 1/8 counts for nothing
POINTS = 8  # the mean of the highest


def strength(above: np.ndarray) -> float:
    """Of the highest points off the cross, the middle and JPEG's grid, in decades, of any plane."""
    at = np.fft.fftshift(np.fft.fftfreq(above.shape[0]))
    axis = np.abs(at) < GRID
    eighth = np.abs(at * 8 - np.round(at * 8)) < 8 * GRID
    counted = ~(axis[:, None] | axis | (eighth[:, None] & eighth) | (np.hypot(at[:, None], at) < COARSE))
    return max(float(np.sort(above[:, :, plane][counted])[-POINTS:].mean()) for plane in range(3))


def gather(folder: Path, out: Path) -> None:
    """Goes on where it was stopped."""
    done = {json.loads(line)["file"] for line in out.open()} if out.exists() else set()
    with out.open("a") as lines:
        for path in sorted((p for p in folder.rglob("*.*") if p.is_file()), key=lambda p: p.stem[::-1]):
            name = str(path.relative_to(folder))
            if name in done:
                continue
            parts = name.split("/")
            what = "screen" if any("screen" in p for p in parts[:-1]) else "scene"
            try:
                pixels = decode(path.read_bytes(), "image/png" if path.suffix == ".png" else "image/jpeg")
            except DetectorError:
                continue
            row = {"file": name, "author": parts[0], "group": parts[-2], "what": what}
            lines.write(json.dumps(row | {"strength": round(strength(standing_out(pixels)), 3)}) + "\n")
            lines.flush()


def table(path: Path) -> None:
    rows = [json.loads(line) for line in path.open()]
    scenes = np.array([r["strength"] for r in rows if r["what"] == "scene"])
    point = float(np.quantile(scenes, 0.98))
    print(f"{len(scenes)} scenes: median {np.median(scenes):.2f}, 98 in 100 at most {point:.2f}")
    for key in ("author", "group"):
        for name in sorted({(r["author"], r[key], r["what"]) for r in rows}):
            of = [r["strength"] for r in rows if (r["author"], r[key], r["what"]) == name]
            n = sum(s > point for s in of)
            bounds = f"{at_least(n, len(of)):.0%} to {at_most(n, len(of)):.0%}"
            print(f"| {' | '.join(name)} | {len(of)} | {np.median(of):.2f} | {n} | {bounds} |")


if __name__ == "__main__":
    if sys.argv[1] == "gather":
        gather(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        table(Path(sys.argv[2]))
