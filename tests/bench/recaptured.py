"""Figures of docs/cards/recaptured.md: the halves of authors and sources, and pictures that were handed on.

    python -m tests.bench.recaptured WEIGHTS half NUMBERS.jsonl first|second
    python -m tests.bench.recaptured WEIGHTS handed AUTHORS PER_AUTHOR

NUMBERS is what ``assay lab recapture`` kept, WEIGHTS what it wrote. On the first half they were fitted, so
only the second says what they are worth. ``handed``: pictures of the second half's authors as they are,
saved again at quality 75, and reduced by half and saved at 85.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from detector.core.bounds import at_least, at_most, design_effect
from detector.core.errors import DetectorError
from detector.forensics.recapture import measured, noiseless
from detector.forensics.recapture_score import RecaptureModel, open_recapture
from detector.lab.halves import first_half
from detector.lab.recapture.gathering import read_lines
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode

Counts = dict[tuple[str, ...], list[int]]  # said, asked, not asked


def half(model: RecaptureModel, path: Path, *, first: bool) -> None:
    by: Counts = defaultdict(lambda: [0, 0, 0])
    of_source: Counts = defaultdict(lambda: [0, 0, 0])
    for line in read_lines(path):
        if first_half(line["source"]) is not first:
            continue
        who = line["source"] if line["of"] == "author" else line.get("kind") or "photo"
        for counts, key in ((by, (line["of"], line["what"], who)),
                            (of_source, (line["of"], line["what"], line["source"]))):  # fmt: skip
            if "numbers" in line and not noiseless(numbers := np.array(line["numbers"])):
                counts[key][0] += model.score(numbers) >= model.point
                counts[key][1] += 1
            else:
                counts[key][2] += 1
    for key, (said, asked, refused) in sorted(by.items()):
        print("|", " | ".join(key), "|", said, "of", asked, "|", refused, "not asked |")
    for group in sorted({key[:2] for key in of_source}):
        clusters = [(c[0], c[1]) for k, c in of_source.items() if k[:2] == group and c[1]]
        said, asked = (sum(c[i] for c in clusters) for i in (0, 1))
        effect = design_effect(clusters)
        print(group, f"{said} of {asked}, {len(clusters)} sources; at most {at_most(said, asked):.1%},",
              f"with the design effect of {effect:.1f} {at_least(said / effect, asked / effect):.1%} to",
              f"{at_most(said / effect, asked / effect):.1%}")  # fmt: skip
    worst = sorted(
        ((c[0], c[1], k[2]) for k, c in of_source.items() if k[1] == "scene" and c[0]), reverse=True
    )
    print("sources of scenes with any:", worst)


def as_is(pixels: Pixels) -> Pixels:
    return pixels


def at_75(pixels: Pixels) -> Pixels:
    return through(pixels, Encoding(media_type="image/jpeg", quality=75))


def halved(pixels: Pixels) -> Pixels:
    return through(resize(pixels, 0.5, "area"), Encoding(media_type="image/jpeg", quality=85))


def handed(model: RecaptureModel, authors: Path, per_author: int) -> None:
    said: Counts = defaultdict(lambda: [0, 0, 0])
    for author in sorted(p for p in authors.iterdir() if p.is_dir() and not first_half(p.name)):
        for what in ("screen", "scene"):
            for path in sorted((author / what).glob("*.jpg"))[:per_author]:
                for way in (as_is, at_75, halved):
                    try:
                        score = model.score(measured(way(decode(path.read_bytes(), "image/jpeg"))))
                        said[what, way.__name__][0] += score >= model.point
                        said[what, way.__name__][1] += 1
                    except DetectorError:
                        said[what, way.__name__][2] += 1
    for key, (beyond, asked, refused) in sorted(said.items()):
        print("|", " | ".join(key), "|", beyond, "of", asked, "|", refused, "not asked |")


if __name__ == "__main__":
    fitted = open_recapture(Path(sys.argv[1]))
    if sys.argv[2] == "half":
        half(fitted, Path(sys.argv[3]), first=sys.argv[4] == "first")
    else:
        handed(fitted, Path(sys.argv[3]), int(sys.argv[4]))
