"""Figures of docs/cards/burst.md: what neighbouring photos of real scenes say, and made ones of flat things.

    python -m tests.bench.parallax real FOLDER
    python -m tests.bench.parallax made CORPUS PHOTOS

FOLDER holds a folder for each set of photos that one camera took of one place, in the order of their names:
those taken for three-dimensional reconstruction, say. ``made`` shows photos of the shipped manifest on a flat
thing (``tests.doubles.bursts``, without its second plane) to a camera that moves, and to one that turns.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from detector.core.errors import DetectorError
from detector.forensics.parallax import SIDE, examine_parallax
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, decode
from detector.pixels.within import reduced
from tests.bench.copy_move import pictures
from tests.doubles.bursts import plane

MOVED = (0.05, 0.1, 0.15, 0.25)  # of the distance, sideways
TURNED = (0.05, 0.1, 0.15)  # radians


def real(folder: Path) -> None:
    for place in sorted(p for p in folder.iterdir() if p.is_dir()):
        said: Counter[str] = Counter()
        photos = [reduced(decode(p.read_bytes(), "image/jpeg"), SIDE) for p in sorted(place.glob("*.jpg"))]
        for one, two in pairwise(photos):
            try:
                (pair,) = examine_parallax([one, two])
            except DetectorError as e:
                said[e.detail] += 1
                continue
            said[pair.said] += 1
            print(place.name, pair, flush=True)
        print("|", place.name, "|", dict(said), "|", flush=True)


def saved(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    noisy = np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)
    return through(noisy, Encoding(media_type="image/jpeg", quality=85))


def made(corpus: Path, most: int) -> None:
    rng, said = np.random.default_rng(3), Counter[tuple[str, float, str]]()
    done = 0
    for row, pixels in pictures(corpus, "report", 1):
        if row.kind != "photo" or min(pixels.shape[:2]) < 480:
            continue
        first = saved(plane(1.0, 1.7, surface=pixels), rng)
        for moved in MOVED:
            direction = rng.normal(0, 1, 2)
            x, y = moved * direction / np.hypot(*direction)
            a, b, c = (float(v) for v in rng.normal(0, 0.02, 3))
            other = saved(plane(1.0, 1.7, (a, b, c), (x, y, 0.0), surface=pixels), rng)
            said["moved", moved, examine_parallax([first, other])[0].said] += 1
        for angle in TURNED:
            direction = rng.normal(0, 1, 2)
            x, y = angle * direction / np.hypot(*direction)
            other = saved(plane(1.0, 1.7, (x, y, 0.0), surface=pixels), rng)
            said["turned", angle, examine_parallax([first, other])[0].said] += 1
        done += 1
        if done == most:
            break
    for (what, by, answer), n in sorted(said.items()):
        print("|", what, "|", by, "|", answer, "|", n, "of", done, "|")


if __name__ == "__main__":
    if sys.argv[1] == "real":
        real(Path(sys.argv[2]))
    else:
        made(Path(sys.argv[2]), int(sys.argv[3]))
