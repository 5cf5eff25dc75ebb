"""Figures of docs/cards/jpeg_grid.md and jpeg_ghosts.md: false alarms by source, and own edits that are seen.

    python -m tests.bench.history false CORPUS OUT.jsonl [PER_SOURCE [ZERO]]
    python -m tests.bench.history pasted PHOTOS OUT.jsonl [ZERO]
    python -m tests.bench.history back PHOTOS OUT.jsonl
    python -m tests.bench.history table|seen OUT.jsonl place|ghost LIMIT

CORPUS is what ``assay lab corpus bring`` filled; of each source the first real pictures by digest are asked,
of 256 pixels a side to 1.5 megapixels, as they are stored. On sources whose name has a SHA-256 that begins
with 0 to 7 operating points are chosen; on the others they are reported. PHOTOS is a folder of photos of
cameras, which are reduced to 1,100 pixels, so that nothing is left of their past. ZERO is the program of
https://github.com/tinankh/ZERO, built.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from detector.core.bounds import at_most
from detector.core.errors import DetectorError
from detector.data.kin import source_of
from detector.data.manifest import Row, shipped_manifest
from detector.forensics.jpeg_ghosts import examine_ghosts
from detector.forensics.jpeg_grid import SEEN, examine_grid
from detector.lab.halves import first_half
from detector.pixels.augment import Encoding, encode
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.jpeg import luminance_table

Told = dict[str, object]
Make = Callable[[Sequence[Pixels], int, int | None, int, int, np.random.Generator], Pixels]
MOST_PIXELS, LEAST_SIDE = 1_500_000, 256
OWN = {"image/jpeg": 8, "image/png": 0, "image/webp": 4}
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
FIRST, LAST = (None, 85), (None, 98, 95, 90, 85)
PASTED, SIDES = (75, 90), (96, 192)


@dataclass(frozen=True)
class Stored:
    data: bytes
    media_type: str

    @property
    def pixels(self) -> Pixels:
        return decode(self.data, self.media_type)


def grid(stored: Stored) -> Told:
    table = luminance_table(stored.data) if stored.media_type == "image/jpeg" else None
    found = examine_grid(stored.pixels, own=OWN[stored.media_type], table=table)
    strange = found.strangest
    return {
        "offset": found.offset,
        "chance": round(found.chance, 2),
        "part": found.part,
        "place": None if strange is None else round(strange[0], 2),
        "way": None if strange is None else strange[1],
        "voting": round(found.voting, 3),
    }


def ghost(stored: Stored) -> Told:
    table = luminance_table(stored.data) if stored.media_type == "image/jpeg" else None
    found = None if table is None or min(table) == 0 else examine_ghosts(stored.pixels, table)
    return {} if found is None else {"ghost": round(found.least, 2), "quality": found.quality}


def asked(stored: Stored, *, ghosts: bool = True) -> Told:
    try:
        return grid(stored) | (ghost(stored) if ghosts else {})
    except DetectorError as e:
        return {"why": e.detail}


def beside(program: Path | None, stored: Stored) -> Told:
    """What the C program of ZERO's authors says of the same picture: how many regions have other squares."""
    if program is None:
        return {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("a.jpg" if stored.media_type == "image/jpeg" else "a.png")
        if path.suffix == ".jpg":
            path.write_bytes(stored.data)
        else:
            path.write_bytes(saved(stored.pixels, None).data)
        run = subprocess.run([program, path], cwd=folder, capture_output=True, text=True, check=False)
    return {"zero": run.stdout.count("bounding box") - run.stdout.count("missing JPEG grid was found here")}


def real(corpus: Path, per_source: int, most: int = MOST_PIXELS) -> Iterator[tuple[str, Row]]:
    by: dict[str, list[Row]] = defaultdict(list)
    for row in shipped_manifest():
        fits = min(row.width, row.height) >= LEAST_SIDE and row.width * row.height <= most
        if not row.fake and fits and row.media_type in OWN and (corpus / row.file).is_file():
            by[source_of(row)].append(row)
    for n in range(per_source):  # all sources first, where one ends earlier
        for source, rows in sorted(by.items()):
            if n < len(rows):
                yield source, sorted(rows, key=lambda r: r.sha256)[n]


def false_alarms(corpus: Path, out: Path, per_source: int, program: Path | None = None) -> None:
    """Goes on where it was interrupted."""
    done = {json.loads(line)["sha256"] for line in out.open()} if out.exists() else set()
    with out.open("a") as lines:
        for source, row in real(corpus, per_source):
            if row.sha256[:12] in done:
                continue
            stored = Stored((corpus / row.file).read_bytes(), row.media_type)
            told = {"source": source, "kind": row.kind, "type": row.media_type, "sha256": row.sha256[:12]}
            lines.write(json.dumps(told | asked(stored) | beside(program, stored)) + "\n")
            lines.flush()


def washed(photos: Path) -> list[Pixels]:
    """768 x 512 pixels of each photo, of 1,100: of which no JPEG is left to see."""
    cv2, found = open_cv2(), []
    for path in sorted(photos.iterdir()):
        if path.suffix.lower() in TYPES:
            photo = decode(path.read_bytes(), TYPES[path.suffix.lower()])
            scale = 1100 / max(photo.shape[:2])
            small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            top, left = (small.shape[0] - 512) // 2, (small.shape[1] - 768) // 2
            if top >= 0 and left >= 0:
                found.append(np.ascontiguousarray(small[top : top + 512, left : left + 768]))
    return found


def saved(pixels: Pixels, quality: int | None) -> Stored:
    if quality is None:
        ok, png = open_cv2().imencode(".png", pixels[:, :, ::-1])
        assert ok
        return Stored(bytes(png), "image/png")
    return Stored(encode(pixels, Encoding(media_type="image/jpeg", quality=quality)), "image/jpeg")


def edits(
    photos: Path, out: Path, lasts: Sequence[int | None], make: Make, look: Callable[[Stored], Told]
) -> None:
    """Each photo, quality before, quality of what is put in and side of it; an interrupted run goes on."""
    rows = [json.loads(line) for line in out.open()] if out.exists() else []
    done = {(r["photo"], r["first"], r["pasted"], r["side"], r["last"]) for r in rows}
    every = washed(photos)
    with out.open("a") as lines:
        for n, first, quality, side in product(range(len(every)), FIRST, PASTED, SIDES):
            rng = np.random.default_rng([n, first or 0, quality, side])
            missing = [last for last in lasts if (n, first, quality, side, last) not in done]
            picture = make(every, n, first, quality, side, rng) if missing else None
            for last in missing:
                assert picture is not None
                told = {"photo": n, "first": first, "pasted": quality, "side": side, "last": last}
                lines.write(json.dumps(told | look(saved(picture, last))) + "\n")
                lines.flush()


def from_another(
    every: Sequence[Pixels], n: int, first: int | None, quality: int, side: int, rng: np.random.Generator
) -> Pixels:
    """A square of the next photo, which was a JPEG, on squares of its own."""
    other = saved(every[(n + 1) % len(every)], quality).pixels
    y, x = rng.integers(0, 512 - side), rng.integers(0, 768 - side)
    v, u = rng.integers(0, 512 - side), rng.integers(0, 768 - side)
    if (y - v) % 8 == 0 and (x - u) % 8 == 0:
        v += 1 if v + side < 512 else -1
    picture = saved(every[n], first).pixels.copy()
    picture[y : y + side, x : x + side] = other[v : v + side, u : u + side]
    return picture


def of_itself(
    every: Sequence[Pixels], n: int, first: int | None, quality: int, side: int, rng: np.random.Generator
) -> Pixels:
    """A square of the photo itself, saved apart and put back where it was."""
    y, x = rng.integers(0, 512 - side), rng.integers(0, 768 - side)
    picture = saved(every[n], first).pixels.copy()
    picture[y : y + side, x : x + side] = saved(every[n], quality).pixels[y : y + side, x : x + side]
    return picture


def pasted(photos: Path, out: Path, program: Path | None = None) -> None:
    def look(stored: Stored) -> Told:
        return asked(stored, ghosts=False) | beside(program, stored)

    edits(photos, out, LAST, from_another, look)


def put_back(photos: Path, out: Path) -> None:
    edits(photos, out, LAST[1:], of_itself, ghost)


def bound(wrong: int, of: int) -> float:
    """Clopper and Pearson's upper bound, one-sided 95 %."""
    return at_most(wrong, of) if of else 1.0


def least(row: Told, what: str) -> float:
    """Of the place that differs most; 0 where there is none."""
    found = row.get(what)
    return float(found) if isinstance(found, (int, float)) else 0.0


def rates(rows: list[Told], what: str, limit: float) -> str:
    told = [r for r in rows if what in r]
    wrong = [r for r in told if least(r, what) <= limit]
    sources = {r["source"] for r in told}
    return f"{len(wrong)} of {len(told)}, {len(sources)} sources, at most {bound(len(wrong), len(told)):.1%}"


def table(path: Path, what: str, limit: float) -> None:
    rows: list[Told] = [json.loads(line) for line in path.open()]
    for part, kept in (("chosen", True), ("reported", False)):
        these = [r for r in rows if first_half(str(r["source"])) is kept]
        photos = [r for r in these if r["kind"] in ("", "photo")]
        print(f"{part}: {rates(these, what, limit)}; photos {rates(photos, what, limit)}")
        for r in sorted(these, key=lambda r: least(r, what))[:8]:
            print("   ", least(r, what), r.get("part"), r["source"], r["kind"], r["type"], r["sha256"])
        told = [r for r in these if "why" not in r]
        cropped = [r for r in told if float(str(r["chance"])) <= SEEN and r["offset"] != [0, 0]]
        print(
            f"    {len(cropped)} of {len(told)} on squares off the corner; {len(these) - len(told)} abstain"
        )


def seen_of_pasted(path: Path, what: str, limit: float) -> None:
    rows: list[Told] = [json.loads(line) for line in path.open()]
    for first in FIRST:
        for quality in PASTED:
            for last in LAST:
                said = []
                for side in SIDES:
                    fit = {"first": first, "pasted": quality, "side": side, "last": last}
                    these = [r for r in rows if fit.items() <= r.items()]
                    hits = [r for r in these if least(r, what) <= limit]
                    said.append(f"{len(hits)} of {len(these)}")
                print("|", first or "never", "|", quality, "|", last or "PNG", "|", " | ".join(said), "|")


if __name__ == "__main__":
    what, first_path, second, *rest = sys.argv[1:]
    program = Path(rest[-1]) if what in ("false", "pasted") and rest and Path(rest[-1]).is_file() else None
    if what == "false":
        false_alarms(Path(first_path), Path(second), int(rest[0]) if rest else 3, program)
    elif what == "pasted":
        pasted(Path(first_path), Path(second), program)
    elif what == "back":
        put_back(Path(first_path), Path(second))
    elif what == "table":
        table(Path(first_path), second, float(rest[0]))
    else:
        seen_of_pasted(Path(first_path), second, float(rest[0]))
