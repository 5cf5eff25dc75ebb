"""Figures of docs/cards/burst.md: what neighbouring photos of real scenes say, and made ones of flat things.

    python -m tests.bench.parallax real FOLDER
    python -m tests.bench.parallax sets FOLDER
    python -m tests.bench.parallax made CORPUS PHOTOS

FOLDER holds a folder for each set of photos that one camera took of one place, in the order of their names:
those taken for three-dimensional reconstruction, say. ``made`` shows photos of the shipped manifest on a flat
thing (``tests.doubles.bursts``, without its second plane) to a camera that moves, and to one that turns.
``sets`` asks all runs of two to four photos of the first twelve of each place, by the rule for sets and by
the one before it, by which a single flat pair decided.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from detector.core.errors import DetectorError
from detector.forensics.parallax import SIDE, FramePair, Motion, examine_parallax, said_of_set
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


def sets(folder: Path) -> None:
    for place in sorted(p for p in folder.iterdir() if p.is_dir()):
        names = sorted(place.glob("*.jpg"))[:12]
        photos = [reduced(decode(p.read_bytes(), "image/jpeg"), SIDE) for p in names]
        known: dict[tuple[int, int], FramePair] = {}
        for size in (2, 3, 4):
            before, now = Counter[bool](), Counter[str]()
            for start in range(len(photos) - size + 1):
                pairs = []
                for i, j in combinations(range(start, start + size), 2):
                    if (i, j) not in known:
                        known[i, j] = examine_parallax([photos[i], photos[j]])[0]
                    pairs.append(known[i, j])
                said = {p.said for p in pairs}
                before[Motion.FLAT in said and not said & {Motion.DEPTH, Motion.BETWEEN}] += 1
                now[said_of_set(pairs)] += 1
            print("|", place.name, "|", size, "|", before[True], "|", dict(now), "|", flush=True)


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
            third = saved(plane(1.0, 1.7, (-a, b, -c), (2 * x, 2 * y, 0.0), surface=pixels), rng)
            said["a set of three, moved", moved, said_of_set(examine_parallax([first, other, third]))] += 1
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
    if sys.argv[1] in ("real", "sets"):
        (real if sys.argv[1] == "real" else sets)(Path(sys.argv[2]))
    else:
        made(Path(sys.argv[2]), int(sys.argv[3]))
