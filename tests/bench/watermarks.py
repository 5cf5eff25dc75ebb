"""Figures of docs/cards/watermarks.md: false alarms on real pictures by source, and marks that survive.

    python -m tests.bench.watermarks false CORPUS OUT.jsonl
    python -m tests.bench.watermarks survive CORPUS PHOTOS
    python -m tests.bench.watermarks table OUT.jsonl

CORPUS is what ``assay lab corpus bring`` filled; every real picture of the shipped manifest is asked. For
``survive`` PyPI's ``invisible-watermark`` 0.2.0 must be importable, since the programs mark with it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.core.errors import DetectorError, NotApplicable
from detector.data.kin import source_of
from detector.data.manifest import shipped_manifest
from detector.forensics.watermarks import PAYLOADS, Carrier, Payload, Reading, matches
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode

TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
BY_SINGULAR_VALUE = PAYLOADS[3]  # one is enough: the carrier does not know its payload
SHIPS = {"SDXL": Reading.FLOATS, "FLUX.1": Reading.FLOATS}  # how the program of a payload marks


def pictures(corpus: Path, *, fake: bool) -> Iterator[tuple[str, str, Pixels]]:
    for row in shipped_manifest():
        path = corpus / row.file
        if row.fake is not fake or not path.is_file() or path.suffix.lower() not in TYPES:
            continue
        try:
            yield source_of(row), row.sha256, decode(path.read_bytes(), TYPES[path.suffix.lower()])
        except DetectorError:
            continue


def ask(corpus: Path, out: Path, *, fake: bool) -> None:
    with out.open("w") as lines:
        for source, sha256, pixels in pictures(corpus, fake=fake):
            row = {"source": source, "sha256": sha256, "shape": pixels.shape[:2], "fake": fake}
            try:
                best = matches(pixels)[0]
                row |= {
                    "found": best.found,
                    "payload": best.payload.name,
                    "by": f"{best.carrier}/{best.reading}",
                    "agreeing": best.agreeing,
                    "log10": best.log10_by_chance,
                }
            except NotApplicable as e:
                row |= {"why": e.detail}
            lines.write(json.dumps(row) + "\n")


def table(path: Path) -> None:
    rows = [json.loads(line) for line in path.open()]
    asked = [r for r in rows if "found" in r]
    by = Counter(r["source"] for r in asked)
    hits = [r for r in asked if r["found"]]
    wrong = Counter(r["source"] for r in hits)
    print(f"{len(rows)} pictures, {len(asked)} asked, of {len(by)} sources; {len(hits)} found")
    for source, n in by.most_common():
        print(f"| {source} | {n} | {wrong[source]} |")
    for r in hits:
        print(r)
    print("smallest log10 by chance where nothing was found:",
          sorted(r["log10"] for r in asked if not r["found"])[:10])  # fmt: skip


CHANGES = ("as it is", "JPEG 95", "JPEG 85", "JPEG 75", "JPEG 50", "half size", "cropped by 8",
           "cropped by 3", "lower half")  # fmt: skip


_MARKED = (*((p, Carrier.DWT_DCT) for p in PAYLOADS), (BY_SINGULAR_VALUE, Carrier.DWT_DCT_SVD))


def changed(pixels: Pixels, change: str) -> Pixels:
    if change.startswith("JPEG"):
        return through(pixels, Encoding(media_type="image/jpeg", quality=int(change[5:])))
    return {
        "as it is": lambda: pixels,
        "half size": lambda: resize(pixels, 0.5, "area"),
        "cropped by 8": lambda: pixels[8:, 8:],
        "cropped by 3": lambda: pixels[3:, 3:],
        "lower half": lambda: pixels[pixels.shape[0] // 16 * 8 :],
    }[change]()


def marked(pixels: Pixels, payload: Payload, carrier: Carrier) -> Pixels:
    from imwatermark import WatermarkEncoder  # type: ignore[import-not-found]

    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", payload.bits)
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    if SHIPS.get(payload.name) is Reading.FLOATS:
        out = np.clip(encoder.encode(bgr.astype(np.float32), carrier.value), 0, 255).astype(np.uint8)
    else:
        out = encoder.encode(bgr, carrier.value)
    return np.ascontiguousarray(out[:, :, ::-1])


def square(path: Path) -> Pixels | None:
    """The upper left of a file of ordinary size; None where there is none, or something is found in it."""
    if path.suffix.lower() not in TYPES or not path.is_file() or not 60_000 < path.stat().st_size < 250_000:
        return None
    try:
        pixels = decode(path.read_bytes(), TYPES[path.suffix.lower()])
    except DetectorError:
        return None
    part = np.ascontiguousarray(pixels[:512, :512])
    return None if part.shape[:2] != (512, 512) or matches(part)[0].found else part


def survive(corpus: Path, most: int) -> None:
    """On 512 x 512 pixels of pictures of generators, one of a source, in which nothing was found before."""
    found: Counter[tuple[str, str, str]] = Counter()
    wrong: Counter[tuple[str, str, str]] = Counter()
    done: set[str] = set()
    for row in sorted((r for r in shipped_manifest() if r.fake), key=lambda r: r.sha256):
        part = None if row.source in done else square(corpus / row.file)
        if part is None:
            continue
        done.add(row.source)
        for payload, carrier in _MARKED:
            mark = marked(part, payload, carrier)
            for change in CHANGES:
                best = matches(changed(mark, change))[0]
                found[payload.name, carrier, change] += best.found and best.payload is payload
                wrong[payload.name, carrier, change] += best.found and best.payload is not payload
        if len(done) == most:
            break
    for payload, carrier in _MARKED:
        cells = (found[payload.name, carrier, c] for c in CHANGES)
        print(f"| {payload.name} | {carrier} | " + " | ".join(f"{n}" for n in cells) + f" | of {len(done)}")
    print("another payload named:", {k: n for k, n in wrong.items() if n})


def main() -> None:
    what, first, *rest = sys.argv[1:]
    if what == "table":
        table(Path(first))
    elif what == "survive":
        survive(Path(first), int(rest[0]))
    else:
        ask(Path(first), Path(rest[0]), fake=what == "fakes")


if __name__ == "__main__":
    main()
