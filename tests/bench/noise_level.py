"""Figures of the view "noise_level" in docs/reading-a-report.md: what a threshold on it would be worth.

    python -m tests.bench.noise_level false CORPUS OUT.jsonl [PER_SOURCE]
    python -m tests.bench.noise_level pasted CROPS OUT.jsonl
    python -m tests.bench.noise_level table FALSE.jsonl PASTED.jsonl

CORPUS, its pictures and the halves of its sources are those of ``tests.bench.history``. CROPS is a folder of
crops of cameras as they coded them, of 768 pixels. Each picture is told by the place of 96 pixels that is
noisiest, and the one that is calmest, beside the others, in spreads of its places.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from detector.core.bounds import at_least, at_most
from detector.core.errors import DetectorError
from detector.forensics.noise_level import CELL, LEAST_CELLS, noise_left
from detector.forensics.squares import over_places
from detector.lab.halves import first_half
from detector.pixels.decode import Pixels, decode, open_cv2
from tests.bench.history import real, saved

PLACE, LEAST_PLACES = 96 // CELL, 12  # cells a side, half overlapping
LEAST_SPREAD = 0.05
QUALITIES, SIDES = (None, 95, 85, 75), (128, 224)
GOAL = 0.02  # false alarms, of both ways together


def told(pixels: Pixels) -> dict[str, float] | None:
    left = noise_left(pixels)
    known = np.isfinite(left).astype(np.float32)
    if known.sum() < LEAST_CELLS:
        return None
    sums, counts = (over_places(a, PLACE) for a in (np.nan_to_num(left), known))
    places = sums[counts >= PLACE * PLACE / 2] / counts[counts >= PLACE * PLACE / 2]
    if places.size < LEAST_PLACES:
        return None
    off = places - np.median(places)
    spread = max(1.4826 * float(np.median(np.abs(off))), LEAST_SPREAD)
    return {"noisy": round(float(off.max()) / spread, 3), "calm": round(float(-off.min()) / spread, 3)}


def false_alarms(corpus: Path, out: Path, per_source: int) -> None:
    with out.open("w") as lines:
        for source, row in real(corpus, per_source):
            try:
                found = told(decode((corpus / row.file).read_bytes(), row.media_type))
            except DetectorError:
                continue
            if found is not None:
                about = {"source": source, "kind": row.kind, "sha256": row.sha256[:12]}
                lines.write(json.dumps(about | found) + "\n")


def another(photo: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return other


def blurred(photo: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(open_cv2().GaussianBlur(photo, (0, 0), 1.0))


def denoised(photo: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(open_cv2().fastNlMeansDenoisingColored(photo, None, 5, 5, 7, 15))


def noisier(photo: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(photo + rng.normal(0, 3, photo.shape), 0, 255).astype(np.uint8)


EDITS: dict[str, Callable[[Pixels, Pixels, np.random.Generator], Pixels]] = {
    "from the next camera": another,
    "blurred by 1 pixel": blurred,
    "denoised (NLM, 5)": denoised,
    "noise of 3 levels added": noisier,
}


def made(crops: Path) -> Iterator[tuple[dict[str, object], Pixels]]:
    photos = [decode(p.read_bytes(), "image/jpeg") for p in sorted(crops.iterdir())]
    for i, photo in enumerate(photos):
        rng = np.random.default_rng(i)
        for name, edit in EDITS.items():
            for side in SIDES:
                y, x = rng.integers(0, 768 - side, 2)
                picture, other = photo.copy(), photos[(i + 1) % len(photos)]
                place = np.s_[y : y + side, x : x + side]
                picture[place] = edit(photo[place].copy(), other[place], rng)
                yield {"photo": i, "edit": name, "side": side}, picture


def pasted(crops: Path, out: Path) -> None:
    with out.open("w") as lines:
        for about, picture in made(crops):
            for quality in QUALITIES:
                found = told(saved(picture, quality).pixels)
                if found is not None:
                    lines.write(json.dumps(about | {"quality": quality} | found) + "\n")


def table(false: Path, edits: Path) -> None:
    rows = [json.loads(line) for line in false.open()]
    first = [r for r in rows if first_half(r["source"])]
    others = [r for r in rows if not first_half(r["source"])]
    point = {w: float(np.quantile([r[w] for r in first], 1 - GOAL / 2)) for w in ("noisy", "calm")}

    def beyond(these: list[dict[str, float]]) -> int:
        return sum(any(r[w] > limit for w, limit in point.items()) for r in these)

    print("points:", point)
    for name, these in (("chosen on", first), ("others", others)):
        n, sources = beyond(these), len({r["source"] for r in these})
        print(f"{name}: {n} of {len(these)}, {sources} sources, at most {at_most(n, len(these)):.1%}")
    made_rows = [json.loads(line) for line in edits.open()]
    for name in EDITS:
        for side in SIDES:
            cells = []
            for quality in QUALITIES:
                fit = {"edit": name, "side": side, "quality": quality}.items()
                these = [r for r in made_rows if fit <= r.items()]
                n = beyond(these)
                low, high = at_least(n, len(these)), at_most(n, len(these))
                cells.append(f"{n} of {len(these)} ({low:.0%} to {high:.0%})")
            print("|", name, "|", side, "|", " | ".join(cells), "|")


if __name__ == "__main__":
    what, one, two, *rest = sys.argv[1:]
    if what == "false":
        false_alarms(Path(one), Path(two), int(rest[0]) if rest else 3)
    elif what == "pasted":
        pasted(Path(one), Path(two))
    else:
        table(Path(one), Path(two))
