"""What recovery finds, what it takes for another picture, and what a look-up costs: docs/recovery.md.

    python -m tests.bench.recovery recall FOLDER [COUNT]
    python -m tests.bench.recovery crops FOLDER [COUNT]
    python -m tests.bench.recovery screens FOLDER [COUNT]
    python -m tests.bench.recovery false FOLDER...
    python -m tests.bench.recovery false-crops FOLDER...
    python -m tests.bench.recovery letters
    python -m tests.bench.recovery speed [HASHES]

The radius of whole pictures is that of PDQ's authors, fixed before. Pictures are chosen by their digest.
``recall`` hashes a picture as the service does when it is signed, and its edit as the service does when it is
looked up; ``crops`` does so for what is cut off, and says what is found as a whole and what as a crop, and
``screens`` so of screenshots of a white page.
``false`` compares every picture with every other in all eight turns and writes the pairs that lie near to
``false-matches.csv``, for somebody to look at; ``false-crops`` looks every picture up as a crop of every
other and writes ``false-crops.csv``. ``letters`` compares letters with one letterhead and other words.
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
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from authn.core.likeness import Looks
from authn.core.media import media_of
from authn.examine.looks import looks_of
from authn.recovery.hashes import INNER
from authn.recovery.lookup import CROP_RADIUS, inner_of, queries_of
from authn.recovery.segment import RADIUS, Segment, Words, distances, words_of, write_segment
from detector.pixels.crops import grid_hashes, nearest, opened

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LEAST_SIDE = 256
SHOWN_EVERY = 50
SCREEN = (1440, 900)
SENT = 1600  # pixels of the longer side that crops are made of, as who sends a picture makes it smaller

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


def strip(share: float, side: int) -> Edit:
    """Without ``share`` of one side: left, upper, right or lower."""

    def edit(image: Image.Image, _rng: np.random.Generator) -> bytes:
        box = [0.0, 0.0, 1.0, 1.0]
        box[side] = share if side < 2 else 1 - share
        return encoded(image.crop(tuple(round(b * s) for b, s in zip(box, image.size * 2, strict=True))))  # type: ignore[arg-type]

    return edit


def free(most: float) -> Edit:
    """Without up to ``most`` of each side, each drawn at random."""

    def edit(image: Image.Image, rng: np.random.Generator) -> bytes:
        a, b, c, d = rng.uniform(0, most, 4)
        box = (a, b, 1 - c, 1 - d)
        return encoded(image.crop(tuple(round(v * s) for v, s in zip(box, image.size * 2, strict=True))))  # type: ignore[arg-type]

    return edit


CROPS: dict[str, Edit] = {
    **{f"cropped by {s} % of its area": cropped(s / 100) for s in (5, 10, 15, 20, 25)},
    "up to a tenth cut from each side": free(0.1),
    **{f"a tenth cut from the {name}": strip(0.1, i) for i, name in ((0, "left"), (3, "bottom"))},
    "a fifth cut from the bottom": strip(0.2, 3),
}


def crop_places(small: bytes, inner: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of these inner hashes the file would give for a closer look, and where in the picture."""
    query = words_of((grid_hashes(opened(small)).tobytes(),))
    best, place = np.full(len(inner), 256), np.zeros(len(inner), np.int64)
    for row in range(len(query)):
        pieces = np.bitwise_count(
            inner.view(np.uint16)[:, : INNER.pieces] ^ query[row].view(np.uint16)[: INNER.pieces]
        )
        apart = np.where((pieces <= 1).any(axis=1), distances(inner, query[row]).astype(np.int64), 256)
        nearer = apart < best
        best[nearer], place[nearer] = apart[nearer], row
    return np.flatnonzero(best <= INNER.radius), place


def crop_distance(signed: Looks, seen: Looks) -> int:
    """As a look-up has it, where the picture as it is looks like none."""
    inner = inner_of(signed)
    if inner is None:
        return 256
    found = [256]
    for small in filter(None, (seen.small, *seen.small_within)):
        near, place = crop_places(small, words_of((inner,)))
        found += [nearest(opened(small), inner, int(place[0]))] if len(near) else []
    return min(found)


def crops(folder: Path, count: int) -> None:
    whole_or_crop(folder, count, CROPS, within=False)


def screens(folder: Path, count: int) -> None:
    """On white ground alone, where the white edge of a picture cannot be seen."""
    from tests.bench.screens import Screens

    with Screens(SCREEN) as shown:
        whole_or_crop(folder, count, {n: e for n, e in shown.edits.items() if "light" in n}, within=True)


def whole_or_crop(folder: Path, count: int, edits: dict[str, Edit], *, within: bool) -> None:
    rng = np.random.default_rng(1)
    whole, crop = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for path, data in pictures(folder):
        try:
            image = Image.open(io.BytesIO(data))
            unlike = min(image.size) < LEAST_SIDE or image.mode not in ("RGB", "L")
            image = image.convert("RGB")
            image.thumbnail((SENT, SENT))
        except OSError:
            continue
        signed = Looks() if unlike else looks_of(media_of(data, path.name), within=False)
        if signed.whole is None:
            continue
        for name, edit in edits.items():
            seen = looks_of(media_of(edit(image, rng), "edited.jpg"), within=within)
            whole[name].append(distance(signed, seen))
            crop[name].append(crop_distance(signed, seen))
        done = len(next(iter(whole.values())))
        if done % SHOWN_EVERY == 0 or done >= count:
            print("as a whole")
            show(whole)
            print("as a whole or as a crop")
            both = {n: list(zip(whole[n], crop[n], strict=True)) for n in whole}
            show({n: [min(w, c if c <= CROP_RADIUS else 256) for w, c in d] for n, d in both.items()})
        if done >= count:
            break


def false_crops(folders: list[Path]) -> None:
    names, looks = [], []
    for folder in folders:
        for path, data in pictures(folder):
            found = looks_of(media_of(data, path.name), within=False)
            if inner_of(found) is not None:
                names.append(path)
                looks.append(found)
    inner = words_of(i for found in looks if (i := inner_of(found)) is not None)
    upright = words_of(bytes.fromhex(f.whole.turned[0]) for f in looks if f.whole is not None)
    candidates, near = 0, []
    for i, seen in enumerate(looks):
        picture = opened(seen.small)
        places, place = crop_places(seen.small, inner)
        for j in places[places != i]:
            candidates += 1
            apart = nearest(picture, inner[j].tobytes(), int(place[j]))
            whole = int(distances(upright[i : i + 1], upright[j])[0])
            if apart <= 2 * CROP_RADIUS:
                near.append((apart, whole, names[i], names[j]))
    with Path("false-crops.csv").open("w", newline="") as file:
        csv.writer(file).writerows(sorted(near, key=lambda f: f[0]))
    found_ = [n for n in near if n[0] <= CROP_RADIUS]
    alone = sum(n[1] > RADIUS for n in found_)
    pairs = len(looks) * (len(looks) - 1)
    print(f"{len(looks)} pictures, {pairs} ordered pairs; {candidates} were looked at closer,")
    print(f"{len(found_)} lie within {CROP_RADIUS}, {alone} of them not found as a whole already")


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


def letter(lines: int, rng: np.random.Generator) -> bytes:
    """A page of A4 with a dark head, a line at its foot, and words that nobody wrote."""
    image = Image.new("L", (1240, 1754), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(24)
    draw.rectangle((0, 0, 1240, 180), fill=40)
    draw.text((90, 60), "Example & Sons", font=ImageFont.load_default(64), fill=255)
    draw.line((90, 1640, 1150, 1640), fill=90, width=4)
    for line in range(lines):
        words = ""
        while font.getlength(words) < 950:
            words += "".join(rng.choice(list(ascii_lowercase), int(rng.integers(2, 10)))) + " "
        draw.text((120, 320 + 40 * line), words, font=font, fill=20)
    return encoded(image)


def letters(count: int) -> None:
    for lines in (6, 12, 24):
        rng = np.random.default_rng(0)
        looks = [looks_of(media_of(letter(lines, rng), "letter.jpg"), within=False) for _ in range(count)]
        words = words_of(bytes.fromhex(one.whole.turned[0]) for one in looks if one.whole)
        apart = np.array([distances(words, word) for word in words])[np.triu_indices(len(words), 1)]
        near = int((apart <= RADIUS).sum())
        print(f"{lines} lines: {near} of {len(apart)} pairs near, median {np.median(apart):.0f} bits")


def speed(count: int) -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, (count, 4), dtype=np.uint64)
    with tempfile.TemporaryDirectory() as folder:
        path, begun = Path(folder) / "hashes", time.process_time()
        write_segment(path, np.arange(1, count + 1), words)
        print(f"{count} hashes: file {path.stat().st_size} bytes, {time.process_time() - begun:.1f} CPU-s")
        segment = Segment(path)
        of_a_crop = {"pieces": INNER.pieces, "radius": INNER.radius}
        asked = (("one turn", 1, {}), ("eight turns", 8, {}), ("81 places of a crop", 81, of_a_crop))
        for name, hashes, more in asked:
            spent = []
            for _ in range(50):
                query = words[rng.integers(0, count, hashes)]
                begun = time.process_time()
                segment.near(query, **more)
                spent.append(1e3 * (time.process_time() - begun))
            print(f"{name}: median {np.median(spent):.1f} ms CPU, most {max(spent):.1f}")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "recall":
        recall(Path(rest[0]), int(rest[1]) if len(rest) > 1 else 500)
    elif what == "crops":
        crops(Path(rest[0]), int(rest[1]) if len(rest) > 1 else 200)
    elif what == "screens":
        screens(Path(rest[0]), int(rest[1]) if len(rest) > 1 else 200)
    elif what == "false-crops":
        false_crops([Path(r) for r in rest])
    elif what == "false":
        false([Path(r) for r in rest])
    elif what == "letters":
        letters(20)
    else:
        speed(int(rest[0]) if rest else 10_000_000)
