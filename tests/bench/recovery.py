"""What recovery finds, what it takes for another picture, and what a look-up costs: docs/recovery.md.

    python -m tests.bench.recovery recall FOLDER [COUNT]
    python -m tests.bench.recovery false FOLDER...
    python -m tests.bench.recovery speed [HASHES]

Nothing is tuned here: the radius is that of PDQ's authors, fixed before. Pictures are chosen by their digest.
``recall`` hashes a picture as the service does when it is signed, and its edit as the service does when it is
looked up. ``false`` compares every picture with every other in all eight turns and writes the pairs that lie
near to ``false-matches.csv``, for somebody to look at.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from hashlib import sha256
from math import sqrt
from pathlib import Path

import numpy as np
from PIL import Image

from authn.core.likeness import Looks
from authn.core.media import media_of
from authn.examine.looks import looks_of
from authn.recovery.lookup import queries_of
from authn.recovery.segment import RADIUS, Segment, distances, words_of, write_segment

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LEAST_SIDE = 256
SHOWN_EVERY = 50
SCREEN = (1440, 900)

Edit = Callable[[Image.Image, np.random.Generator], bytes]


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def scaled(share: float) -> Edit:
    def edit(image: Image.Image, _rng: np.random.Generator) -> bytes:
        size = max(round(image.width * share), 16), max(round(image.height * share), 16)
        return encoded(image.resize(size, Image.Resampling.BICUBIC))

    return edit


def saved(quality: int) -> Edit:
    return lambda image, _rng: encoded(image, quality)


def cropped(share: float) -> Edit:
    """Without ``share`` of its area, at a place drawn at random, in its own proportions."""

    def edit(image: Image.Image, rng: np.random.Generator) -> bytes:
        side = sqrt(1 - share)
        width, height = round(image.width * side), round(image.height * side)
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        return encoded(image.crop((left, top, left + width, top + height)))

    return edit


def turned(how: Image.Transpose) -> Edit:
    return lambda image, _rng: encoded(image.transpose(how))


EDITS: dict[str, Edit] = {
    **{f"JPEG, quality {q}": saved(q) for q in (95, 75, 50, 30)},
    **{f"scaled to {s} %": scaled(s / 100) for s in (75, 50, 25)},
    "scaled to 200 %": scaled(2),
    "mirrored": turned(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotated by 90 degrees": turned(Image.Transpose.ROTATE_90),
    "rotated by 180 degrees": turned(Image.Transpose.ROTATE_180),
    **{f"cropped by {s} % of its area": cropped(s / 100) for s in (10, 25, 50)},
}


def pictures(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """In the order of their digests, each once."""
    found: dict[str, Path] = {}
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES:
            found.setdefault(sha256(path.read_bytes()).hexdigest(), path)
    for digest in sorted(found, reverse=True):  # the first ones were looked at while this was written
        yield found[digest], found[digest].read_bytes()


def distance(signed: Looks, seen: Looks) -> int:
    """Of the nearest of what is looked up for ``seen``."""
    assert signed.whole is not None
    query, _ = queries_of(seen)
    one = words_of((bytes.fromhex(signed.whole.turned[0]),))
    return int(distances(query, one[0]).min()) if len(query) else 256


def recall(folder: Path, count: int) -> None:
    from tests.bench.screens import Screens

    rng, near = np.random.default_rng(0), defaultdict[str, list[int]](list)
    flat = left_out = 0
    with Screens(SCREEN) as screens:
        edits = {**EDITS, **screens.edits}
        for path, data in pictures(folder):
            try:
                image = Image.open(io.BytesIO(data))
                unlike = min(image.size) < LEAST_SIDE or image.mode not in ("RGB", "L")
                image = image.convert("RGB")
            except OSError:
                continue
            if unlike:
                left_out += 1
                continue
            signed = looks_of(media_of(data, path.name), within=False)
            if signed.whole is None:
                flat += 1
                continue
            for name, edit in edits.items():
                seen = looks_of(media_of(edit(image, rng), "edited.jpg"), within=True)
                near[name].append(distance(signed, seen))
            done = len(near["mirrored"])
            if done % SHOWN_EVERY == 0 or done >= count:
                print(f"{flat} without a hash; {left_out} small, transparent or of a palette left out")
                show(near)
            if done >= count:
                break


def show(near: dict[str, list[int]]) -> None:
    for name, found in near.items():
        hits = sum(d <= RADIUS for d in found)
        low, high = wilson(hits, len(found))
        middle = sorted(found)[len(found) // 2]
        share = f"{hits}/{len(found)} | {hits / len(found):.1%} | {low:.1%} to {high:.1%}"
        print(f"| {name} | {share} | {middle} |", flush=True)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The interval of 95 % of a share."""
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def false(folders: list[Path]) -> None:
    names, turns, flat = [], [], 0
    for folder in folders:
        for path, data in pictures(folder):
            looks = looks_of(media_of(data, path.name), within=False)
            if looks.whole is None:
                flat += 1
                continue
            names.append(path)
            turns.append(words_of(bytes.fromhex(t) for t in looks.whole.turned))
    upright = np.stack([t[0] for t in turns])
    pairs, near = 0, []
    for i, of in enumerate(turns[:-1]):
        apart = np.min([distances(upright[i + 1 :], turn) for turn in of], axis=0)
        pairs += len(apart)
        near += [(int(apart[j]), names[i], names[i + 1 + j]) for j in np.flatnonzero(apart <= RADIUS)]
    with Path("false-matches.csv").open("w", newline="") as file:
        csv.writer(file).writerows(sorted(near, key=lambda f: f[0]))
    print(f"{len(names)} pictures, {flat} without a hash; {pairs} pairs in eight turns, {len(near)} near")


def speed(count: int) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, (count, 4), dtype=np.uint64)
    with tempfile.TemporaryDirectory() as folder:
        path, begun = Path(folder) / "hashes", time.process_time()
        write_segment(path, np.arange(1, count + 1), words)
        print(f"{count} hashes: file {path.stat().st_size} bytes, {time.process_time() - begun:.1f} CPU-s")
        segment = Segment(path)
        for turns in (1, 8):
            spent = []
            for _ in range(50):
                query = words[rng.integers(0, count, turns)]
                begun = time.process_time()
                segment.near(query)
                spent.append(1e3 * (time.process_time() - begun))
            print(f"{turns} turns: median {np.median(spent):.1f} ms CPU, most {max(spent):.1f}")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "recall":
        recall(Path(rest[0]), int(rest[1]) if len(rest) > 1 else 500)
    elif what == "false":
        false([Path(r) for r in rest])
    else:
        speed(int(rest[0]) if rest else 10_000_000)
