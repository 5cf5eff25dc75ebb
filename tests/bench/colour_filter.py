"""Figures of docs/cards/colour_filter.md: which pictures have traces, false alarms, and pastes that are seen.

    python -m tests.bench.colour_filter corpus CORPUS OUT.jsonl [PER_SOURCE]
    python -m tests.bench.colour_filter cameras OUT.jsonl FOLDER...
    python -m tests.bench.colour_filter interpolated CORPUS OUT.jsonl [PER_SOURCE]
    python -m tests.bench.colour_filter lens CORPUS MOST
    python -m tests.bench.colour_filter pasted CROPS OUT.jsonl
    python -m tests.bench.colour_filter table|seen OUT.jsonl

CORPUS is what ``assay lab corpus bring`` filled: the first real pictures of each source, up to 16 megapixels.
Of a FOLDER those JPEGs are asked that have the size that their EXIF says, at most six of a model, or whose
name is the model, where there is no EXIF (CROPS: 768 x 768 pixels each, as the camera coded them).
``interpolated`` are photos of the corpus at half size, of which one colour at each pixel was kept and the
rest made up by OpenCV, in three ways: scenes of many sources with traces that we made. ``lens`` stretches the
first of those, of ``MOST`` photos, as correcting a lens does: nothing was put in. The point is chosen on
sources and models whose name has a SHA-256 that begins with 0 to 7, and reported on the others.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np
from PIL import Image

from authn.sources.colour_filter import OTHER
from detector.core.bounds import at_most
from detector.core.errors import DetectorError
from detector.forensics.colour_filter import AGREEING, SEEN, examine_filter
from detector.lab.halves import first_half
from detector.pixels.decode import Pixels, decode, open_cv2
from tests.bench.history import LEAST_SIDE, real, saved

MOST_PIXELS, OF_A_MODEL = 16_000_000, 6
QUALITIES, SIDES = (None, 98, 95, 90, 85), (96, 128, 224)
STRETCHES = (
    -0.002,
    -0.001,
    0.0,
    0.001,
    0.002,
    0.004,
)  # of the middle of the longer edge, and as its cube further in
FROM = ("another camera with traces", "the same photo, moved", "a camera without traces")


def told(pixels: Pixels) -> dict[str, object]:
    try:
        found = examine_filter(pixels)
    except DetectorError as e:
        return {"why": e.detail}
    least = None if found.least is None else round(found.least, 3)
    return {
        "median": round(found.median, 3),
        "agreeing": round(found.agreeing, 3),
        "corner": found.corner,
        "least": least,
        "alone": found.alone,
    }


def halved(corpus: Path, per_source: int) -> Iterator[tuple[dict[str, str], Pixels]]:
    """Photos at half size, of a megapixel at most, and where they are from."""
    for source, row in real(corpus, per_source, MOST_PIXELS):
        if row.kind not in ("", "photo") or min(row.width, row.height) < 2 * LEAST_SIDE:
            continue
        try:
            photo = decode((corpus / row.file).read_bytes(), row.media_type)
        except DetectorError:
            continue
        scale = min(0.5, (1_000_000 / (row.width * row.height)) ** 0.5)
        small = open_cv2().resize(photo, None, fx=scale, fy=scale, interpolation=open_cv2().INTER_AREA)
        yield {"source": source, "sha256": row.sha256[:12]}, np.asarray(small)


def filtered(pixels: Pixels) -> Pixels:
    """One colour at each pixel (height, width)."""
    kept = pixels[:, :, 1].copy()
    kept[::2, ::2], kept[1::2, 1::2] = pixels[::2, ::2, 0], pixels[1::2, 1::2, 2]
    return kept


def interpolated(corpus: Path, out: Path, per_source: int) -> None:
    cv2 = open_cv2()
    with out.open("w") as lines:
        for origin, small in halved(corpus, per_source):
            kept = filtered(small)
            for way in ("", "_VNG", "_EA"):
                whole = cv2.cvtColor(kept, getattr(cv2, f"COLOR_BayerRGGB2RGB{way}"))
                for quality in (None, 95):
                    about = {**origin, "way": way, "quality": quality}
                    lines.write(json.dumps(about | told(saved(whole, quality).pixels)) + "\n")


def lens(corpus: Path, most: int) -> None:
    cv2, said = open_cv2(), Counter[tuple[str, float, str]]()
    for _, small in islice(halved(corpus, 1), most):
        whole = np.asarray(cv2.cvtColor(filtered(small), cv2.COLOR_BayerRGGB2RGB))
        height, width = whole.shape[:2]
        y, x = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in (height, width))
        radii = (y[:, None] ** 2 + x**2) / (max(height, width) / 2) ** 2
        for way, stretch in product(("LINEAR", "CUBIC"), STRETCHES):
            across, down = (
                np.ascontiguousarray(a * (1 + stretch * radii) + (n - 1) / 2, np.float32)
                for a, n in ((x, width), (y[:, None], height))
            )
            moved = cv2.remap(
                whole, across, down, getattr(cv2, f"INTER_{way}"), borderMode=cv2.BORDER_REFLECT
            )
            row = told(np.asarray(moved))
            said[way, stretch, "asked"] += "why" not in row
            said[way, stretch, "with traces"] += seen(row)
            said[way, stretch, "pointed to"] += points(row)
    for key, count in sorted(said.items()):
        print("|", " | ".join(map(str, key)), "|", count, "|")


def seen(row: dict[str, object]) -> bool:
    median, agreeing = (float(str(row.get(name, 0))) for name in ("median", "agreeing"))
    return median >= SEEN and agreeing >= AGREEING


def of_corpus(corpus: Path, out: Path, per_source: int) -> None:
    done = {json.loads(line)["sha256"] for line in out.open()} if out.exists() else set()
    with out.open("a") as lines:
        for source, row in real(corpus, per_source, MOST_PIXELS):
            if row.sha256[:12] not in done:
                about = {"source": source, "kind": row.kind, "sha256": row.sha256[:12]}
                try:
                    pixels = decode((corpus / row.file).read_bytes(), row.media_type)
                except DetectorError as e:
                    lines.write(json.dumps(about | {"why": e.detail}) + "\n")
                    continue
                lines.write(json.dumps(about | told(pixels)) + "\n")
                lines.flush()


def photos(folders: list[Path]) -> Iterator[tuple[str, Path]]:
    """Model and file."""
    count: Counter[str] = Counter()
    for path in sorted(p for folder in folders for p in folder.rglob("*")):
        if path.suffix.lower() not in (".jpg", ".jpeg"):
            continue
        try:
            with Image.open(path) as image:
                size, exif = image.size, image.getexif()
                inner = exif.get_ifd(0x8769)
        except (OSError, ValueError, SyntaxError):
            continue
        model = str(exif.get(0x110) or "").strip(" \0")
        stated = (inner.get(0xA002), inner.get(0xA003))
        if not exif:
            model = path.stem.partition("_")[2]
        elif not model or stated not in (size, size[::-1]):
            continue
        count[model] += 1
        if count[model] <= OF_A_MODEL:
            yield model, path


def of_cameras(out: Path, folders: list[Path]) -> None:
    with out.open("w") as lines:
        for model, path in photos(folders):
            try:
                pixels = decode(path.read_bytes(), "image/jpeg")
            except DetectorError:
                continue
            about = {"source": model, "file": path.name, "width": pixels.shape[1], "height": pixels.shape[0]}
            lines.write(json.dumps(about | told(pixels)) + "\n")
            lines.flush()


def crops(folder: Path) -> list[tuple[str, Pixels, dict[str, object]]]:
    """Model, pixels and what is told of them."""
    every = [(m, decode(p.read_bytes(), "image/jpeg")) for m, p in photos([folder])]
    return [(model, pixels, told(pixels)) for model, pixels in every]


def pasted(folder: Path, out: Path) -> None:
    """Into each photo with traces. ``other``: whether green was measured at the other pixels in what is put
    in, which is chance, one in two."""
    every = crops(folder)
    traced = [(p, t) for _, p, t in every if seen(t)]
    untraced = [(p, t) for _, p, t in every if not seen(t)]
    with out.open("w") as lines:
        for i, (photo, own) in enumerate(traced):
            others = {
                FROM[0]: [e for e in traced if e[0] is not photo], FROM[1]: [(photo, own)], FROM[2]: untraced
            }  # fmt: skip
            for n, (what, side) in enumerate(product(FROM, SIDES)):
                rng = np.random.default_rng([i, n])
                y, x, v, u = rng.integers(0, 768 - side, 4)
                source, its = others[what][i % len(others[what])]
                picture = photo.copy()
                picture[y : y + side, x : x + side] = source[v : v + side, u : u + side]
                other = bool((y + x - v - u) % 2) is (its.get("corner") is own["corner"])
                for quality in QUALITIES:
                    about = {"photo": i, "from": what, "side": side, "quality": quality, "other": other}
                    lines.write(json.dumps(about | told(saved(picture, quality).pixels)) + "\n")


def points(row: dict[str, object]) -> bool:
    least = row.get("least")
    return seen(row) and isinstance(least, float) and least <= OTHER and bool(row["alone"])


def table(path: Path) -> None:
    rows = [json.loads(line) for line in path.open()]
    for name, kept in (("chosen on", True), ("others", False)):
        these = [r for r in rows if first_half(r["source"]) is kept]
        answered, traced = [r for r in these if "why" not in r], [r for r in these if seen(r)]
        n, m = sum(points(r) for r in these), len({r["source"] for r in traced})
        print(f"{name}: {len(these)} asked of {len({r['source'] for r in these})} sources, {len(answered)} "
              f"with detail enough, {len(traced)} with traces ({m} sources), {n} pointed to, at most "
              f"{at_most(n, len(traced)) if traced else 1:.1%} of those with traces, "
              f"{at_most(n, len(these)):.1%} of all")  # fmt: skip
        for r in sorted(traced, key=lambda r: r["least"] if r["least"] is not None else 9)[:12]:
            print("   ", r["least"], r["median"], r["agreeing"], r["source"], r.get("file", r.get("sha256")))
        unseen = sorted((r for r in answered if not seen(r)), key=lambda r: -r["median"])
        print("    without:", [(r["median"], r["agreeing"]) for r in unseen[:8]])


def seen_of_pasted(path: Path) -> None:
    rows = [json.loads(line) for line in path.open()]
    print(len({r["photo"] for r in rows}), "photos; of those with green at the other pixels, all, and whose "
          "traces were left")  # fmt: skip
    for what, side in product(FROM, SIDES):
        cells = []
        for quality in QUALITIES:
            fit = {"from": what, "side": side, "quality": quality}.items()
            these = [r for r in rows if fit <= r.items()]
            other = [r for r in these if r["other"]]
            left = sum(map(seen, these))
            hits = f"{sum(map(points, these))} of {len(these)}"
            cells.append(f"{hits} (other {sum(map(points, other))} of {len(other)}; {left} left)")
        print("|", what, "|", side, "|", " | ".join(cells), "|")


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "corpus":
        of_corpus(Path(rest[0]), Path(rest[1]), int(rest[2]) if rest[2:] else 3)
    elif what == "interpolated":
        interpolated(Path(rest[0]), Path(rest[1]), int(rest[2]) if rest[2:] else 3)
    elif what == "cameras":
        of_cameras(Path(rest[0]), [Path(p) for p in rest[1:]])
    elif what == "lens":
        lens(Path(rest[0]), int(rest[1]))
    elif what == "pasted":
        pasted(Path(rest[0]), Path(rest[1]))
    elif what == "table":
        table(Path(rest[0]))
    else:
        seen_of_pasted(Path(rest[0]))
