"""What the sources of a JPEG's past see by size and last saving, in one grid: docs/forensics-errors.md.

    python -m tests.bench.power PHOTOS MOST

PHOTOS is a folder of photos of cameras, made ready as in ``tests.bench.history``; MOST of them are edited.
Into each a square is put that was a JPEG of quality 75 on squares of its own (jpeg_grid); a square of it is
saved apart at 75 and put back (jpeg_ghosts); and into the photo, saved at 75, one is put that was no JPEG
(double_jpeg). All are saved once more, or reduced to half size first. The evidence sources answer themselves.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from authn.core.evidence import HeuristicOutcome
from authn.core.media import media_of
from authn.sources import HeuristicSource
from authn.sources.double_jpeg import DoubleJpegSource
from authn.sources.jpeg_ghosts import JpegGhostsSource
from authn.sources.jpeg_grid import JpegGridSource
from detector.pixels.augment import resize
from detector.pixels.decode import Pixels
from tests.bench.history import Make, from_another, of_itself, saved, washed

SIDES = (64, 96, 128, 192)
LAST: tuple[tuple[float, int | None], ...] = ((1, None), (1, 95), (1, 90), (1, 85), (1, 75), (0.5, 95))


def never_saved(
    every: Sequence[Pixels], n: int, first: int | None, _: int, side: int, rng: np.random.Generator
) -> Pixels:
    """A square of the next photo, which was no JPEG, in one that was."""
    y, x = rng.integers(0, 512 - side), rng.integers(0, 768 - side)
    picture = saved(every[n], first).pixels.copy()
    picture[y : y + side, x : x + side] = every[(n + 1) % len(every)][y : y + side, x : x + side]
    return picture


def main(photos: Path, most: int) -> None:
    every = washed(photos)[:most]
    edits: tuple[tuple[HeuristicSource, Make, int | None], ...] = (
        (JpegGridSource(), from_another, None),
        (JpegGhostsSource(), of_itself, None),
        (DoubleJpegSource(), never_saved, 75),
    )
    seen: Counter[tuple[str, int, float, int | None]] = Counter()
    for source, make, first in edits:
        for n in range(len(every)):
            for side in SIDES:
                picture = make(every, n, first, 75, side, np.random.default_rng([n, side]))
                for scale, quality in LAST:
                    last = resize(picture, scale, "area") if scale != 1 else picture
                    media = media_of(saved(last, quality).data, "a.jpg" if quality else "a.png")
                    (found, *_) = source.examine(media)
                    seen[source.name, side, scale, quality] += found.outcome is HeuristicOutcome.SUPPORTS
    names = " | ".join(f"{'half, ' if s != 1 else ''}{q or 'PNG'}" for s, q in LAST)
    print(f"| source | square | {names} |")
    for source, _, _ in edits:
        for side in SIDES:
            print(f"| {source.name} | {side} |", end="")
            print("".join(f" {seen[source.name, side, s, q]} of {len(every)} |" for s, q in LAST))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
