"""Figures of docs/cards/resampling.md: photos that were not resized, and the same resized.

    python -m tests.bench.resized CROPS

CROPS is a folder of JPEGs of 768 x 768 pixels, each cut without loss from a camera's file. Cameras whose file
has a name with a SHA-256 that begins with 0 to 7 are those on which the limit was chosen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from detector.forensics.resampling import RESIZED, examine_resampling
from detector.lab.halves import first_half
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode

FACTORS = (1.05, 1.1, 1.3, 1.7, 2.4, 0.9, 0.8, 0.7)
QUALITIES = (None, 95, 90, 85)


def saved(pixels: Pixels, quality: int | None) -> Pixels:
    if quality is None:
        return pixels
    return through(pixels, Encoding(media_type="image/jpeg", quality=quality))


def as_they_are(crops: list[tuple[str, Pixels]]) -> None:
    for kept in (True, False):
        these = [p for n, p in crops if first_half(n) is kept]
        views = {
            "as it is": these,
            "512": [np.ascontiguousarray(p[:512, :512]) for p in these],
            "90": [saved(p, 90) for p in these],
        }
        for name, pictures in views.items():
            highest = max(examine_resampling(p).strength for p in pictures)
            print("chosen" if kept else "reported", len(these), name, round(highest, 2))


def resized(crops: list[tuple[str, Pixels]]) -> None:
    for factor in FACTORS:
        said = []
        for quality in QUALITIES:
            found = [
                examine_resampling(saved(np.ascontiguousarray(p[:640, :640]), quality))
                for p in (resize(p, factor, "cubic" if factor > 1 else "linear") for _, p in crops)
            ]
            right = sum(f.factor is not None and abs(f.factor / factor - 1) < 0.025 for f in found)
            told = sum(f.factor is not None for f in found)
            said.append(f"{sum(f.strength >= RESIZED for f in found)} ({right} of {told} factors)")
        print("|", factor, "|", " | ".join(said), "|")


if __name__ == "__main__":
    every = [(p.name, decode(p.read_bytes(), "image/jpeg")) for p in sorted(Path(sys.argv[1]).glob("*.jpg"))]
    as_they_are(every)
    resized(every[::4][:8])
