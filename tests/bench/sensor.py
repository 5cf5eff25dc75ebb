"""How often the fingerprint of a sensor is found in photos of other cameras: docs/cards/sensor.md.

    python -m tests.bench.sensor ask OUT.jsonl SECONDS CORPUS... -- NAME=FOLDER...
    python -m tests.bench.sensor table OUT.jsonl

Each FOLDER holds the photos that one camera's fingerprint is learned from; or NAME=SOURCE@MODEL, photos of
one source of the shipped manifest by one model of camera (EXIF), the first 20 by digest that have one size.
Compared are photos of the corpus by every other camera, the middle of each with that of the fingerprint, of
the size that both have and ``SIDE`` pixels at most: in place, as a report would compare a photo of the same
size. A photo of a source that taught a fingerprint is not compared with that one. Of a source at most
``OF_A_SOURCE`` photos, all sources in turn; a run that ended after SECONDS of CPU goes on.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.core.bounds import at_most
from detector.core.errors import DetectorError, NotApplicable
from detector.data.kin import source_of
from detector.data.manifest import Row, shipped_manifest
from detector.forensics.sensor import Look, correlation, look_at, middle, peak_energy
from detector.forensics.sensor_match import FITS, MISSING
from detector.forensics.sensor_print import SensorPrint, build, look_in, why_unfit
from detector.pixels.decode import decode

SIDE, OF_A_SOURCE, LEAST_SIDE, MOST_PIXELS = 1024, 12, 512, 25_000_000
TEACH = 20
MODEL = 0x0110  # of EXIF


def model_of(data: bytes) -> str:
    try:
        return str(Image.open(io.BytesIO(data)).getexif().get(MODEL, "")).strip("\0 ")
    except (OSError, ValueError):
        return ""


def looks(paths: Sequence[Path]) -> list[Look]:
    """Those that fit, of the size that most have."""
    found = [look_in(decode(p.read_bytes(), "image/jpeg")) for p in paths]
    fit = [one for one in found if why_unfit(one) is None]
    (size, _), *_ = Counter(one.frame for one in fit).most_common(1)
    return [one for one in fit if one.frame == size]


def learned(named: Sequence[str], corpora: Sequence[Path]) -> Iterator[tuple[str, str, SensorPrint]]:
    """The name of each, the source that taught it ("" for a folder), and the fingerprint."""
    for one in named:
        name, _, where = one.partition("=")
        source, _, model = where.partition("@")
        if model:
            every = [p for r, p in photos(corpora, 10**6, 10**8) if source_of(r) == source]
            paths = [p for p in every if model_of(p.read_bytes()) == model][:TEACH]
        else:
            source, paths = "", sorted(Path(where).glob("*.[jJ]*"))
        try:
            yield name, source, build(looks(paths))
        except NotApplicable as e:
            print(name, "has no fingerprint:", e.detail)


def photos(corpora: Sequence[Path], of_a_source: int, most: int = MOST_PIXELS) -> Iterator[tuple[Row, Path]]:
    by: dict[str, list[tuple[Row, Path]]] = {}
    for row in sorted(shipped_manifest(), key=lambda r: r.sha256):
        path = next((p for c in corpora if (p := c / row.file).is_file()), None)
        fits = min(row.width, row.height) >= LEAST_SIDE and row.width * row.height <= most
        if path is not None and fits and not row.fake and row.kind in ("", "photo") and row.format == "JPEG":
            by.setdefault(source_of(row), []).append((row, path))
    for n in range(min(of_a_source, max(map(len, by.values())))):
        yield from (of[n] for _, of in sorted(by.items()) if n < len(of))


def compared(grey: NDArray[np.uint8], known: Sequence[SensorPrint]) -> list[tuple[float, str]]:
    """PCE of the middle of a photo with that of each fingerprint, and why it would not be compared."""
    seen: dict[tuple[int, ...], Look] = {}
    found = []
    for one in known:
        rows, columns = (min(a, b, SIDE) for a, b in zip(grey.shape, one.plane.shape, strict=True))
        part = grey[middle(grey.shape[0], rows), middle(grey.shape[1], columns)]
        look = seen.get(part.shape) or look_at(np.ascontiguousarray(part))
        seen[part.shape] = look
        height, width = one.plane.shape
        cut = one.plane[middle(height, part.shape[0]), middle(width, part.shape[1])]
        found.append((peak_energy(correlation(look.noise, cut * look.carrier)), why_unfit(look) or ""))
    return found


def ask(out: Path, seconds: float, corpora: Sequence[Path], named: Sequence[str]) -> None:
    done = {json.loads(line)["sha256"] for line in out.open()} if out.exists() else set()
    begun = time.process_time()
    known = list(learned(named, corpora))
    print([(name, k.photos, k.frame, round(k.null_most, 1)) for name, _, k in known], flush=True)
    with out.open("a") as lines:
        for row, path in photos(corpora, OF_A_SOURCE):
            if time.process_time() - begun > seconds:
                return
            if row.sha256 in done:
                continue
            data = path.read_bytes()
            try:
                pixels = decode(data, "image/jpeg")
            except DetectorError:
                continue
            grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
            head = {"sha256": row.sha256, "source": source_of(row), "model": model_of(data)}
            others = [(n, k) for n, taught, k in known if taught != source_of(row)]
            energies = compared(grey, [k for _, k in others])
            told = dict(zip((n for n, _ in others), energies, strict=True))
            lines.write(json.dumps(head | {"size": grey.shape[::-1], "told": told}) + "\n")
            lines.flush()


def table(out: Path) -> None:
    rows = [json.loads(line) for line in out.open()]
    names = sorted({n for r in rows for n in r["told"]})
    pairs = [(name, r, *r["told"][name]) for r in rows for name in names if name in r["told"]]
    for name in (*names, "all"):
        these = [(r, e) for n, r, e, why in pairs if name in (n, "all") and not why]
        found, perhaps = (sum(e >= limit for _, e in these) for limit in (FITS, MISSING))
        many, most = len({r["sha256"] for r, _ in these}), max(e for _, e in these)
        print(
            f"| {name} | {len(these)} | {many} photos of {len({r['source'] for r, _ in these})} sources, "
            f"{len({r['model'] for r, _ in these if r['model']})} models | {found} (at most "
            f"{at_most(found, len(these)):.2%}) | {perhaps} (at most {at_most(perhaps, len(these)):.2%}) "
            f"| {most:.1f} |"
        )
    for name, r, energy, _ in sorted(pairs, key=lambda p: -p[2])[:8]:
        print(round(energy, 1), name, r["source"], r["model"], r["size"], r["sha256"])


def main() -> None:
    what, out, *rest = sys.argv[1:]
    if what == "ask":
        cut = rest.index("--")
        ask(Path(out), float(rest[0]), [Path(p) for p in rest[1:cut]], rest[cut + 1 :])
    else:
        table(Path(out))


if __name__ == "__main__":
    main()
