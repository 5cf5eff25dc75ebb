"""Figures of docs/cards/smooth_copies.md: false alarms by source, and smooth copies made here that are seen.

    python -m tests.bench.smooth_copies false CORPUS choose|report MOST OUT.jsonl SECONDS
    python -m tests.bench.smooth_copies power CORPUS choose|report OUT.jsonl PHOTOS
    python -m tests.bench.smooth_copies table OUT.jsonl...

CORPUS, pictures and halves are those of ``tests.bench.copy_move``; a run that was stopped, or that ended
after SECONDS of CPU, goes on.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from detector.core.bounds import at_most
from detector.core.errors import NotApplicable
from detector.data.kin import source_of
from detector.forensics.smooth_copies import copies_among, examine_smooth_copies
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.within import reduced
from tests.bench.copy_move import LONGER_SIDE, pictures

SIDES, SAVED = (96, 128, 192), ((1.0, 0), (1.0, 95), (1.0, 85), (1.0, 75), (0.5, 90))
CALM, EDGE = 1.2, 6.0  # levels: the median and the 98th percentile of what is finer than two pixels
LEAST_SPREAD = 0.4  # levels: nothing is copied out of what is flat


def asked(pixels: Pixels) -> dict[str, Any]:
    begun = time.process_time()
    try:
        found = examine_smooth_copies(pixels)
    except NotApplicable as e:
        return {"why": e.detail}
    places = [
        {
            "area": p.area,
            "agreeing": round(p.agreeing, 3),
            "grain": round(p.grain, 2),
            "along": round(p.along, 3),
            "at": [p.down, p.across],
        }
        for p in found.places
    ]
    spent = round(time.process_time() - begun, 2)
    return {"places": places, "smooth": round(found.smooth, 3), "cpu": spent}


def false(corpus: Path, side: str, most: int, out: Path, seconds: float) -> None:
    done, begun = {r["file"] for r in _rows([out])}, time.process_time()
    with out.open("a") as lines:
        for row, pixels in pictures(corpus, side, most, done):
            head = {"source": source_of(row), "kind": row.kind or "photo", "file": row.file}
            lines.write(json.dumps(head | asked(pixels)) + "\n")
            lines.flush()
            if time.process_time() - begun > seconds:
                return


def copied(pixels: Pixels, side: int, rng: np.random.Generator) -> Pixels | None:
    """A round smooth place of ``side`` pixels, put upon another smooth place with a soft edge; None where no
    two such places were drawn."""
    cv2, around = open_cv2(), side // 2
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2))
    for _ in range(300):
        y, down = (int(rng.integers(around + 4, height - around - 4)) for _ in range(2))
        x, across = (int(rng.integers(around + 4, width - around - 4)) for _ in range(2))
        two = [
            (slice(v - around, v + around), slice(u - around, u + around))
            for v, u in ((y, x), (down, across))
        ]
        calm = all(np.median(fine[p]) < CALM and np.percentile(fine[p], 98) < EDGE for p in two)
        if calm and grey[two[0]].std() > LEAST_SPREAD and np.hypot(down - y, across - x) > 1.5 * side:
            break
    else:
        return None
    mask = np.zeros((height, width), np.float32)
    cv2.circle(mask, (across, down), around, 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.5)[:, :, None]
    moved = np.roll(pixels, (down - y, across - x), (0, 1))
    return np.rint(moved * soft + pixels * (1 - soft)).astype(np.uint8)


def power(corpus: Path, side: str, out: Path, most: int) -> None:
    """Photos of as many sources, reduced to the longer side of ``tests.bench.copy_move``."""
    there = {(r["file"], r["side"], r["scale"], r["quality"]) for r in _rows([out])}
    taken = 0
    with out.open("a") as lines:
        for row, pixels in pictures(corpus, side, 1):
            if row.kind not in ("", "photo") or max(pixels.shape[:2]) < LONGER_SIDE:
                continue
            small = reduced(pixels, LONGER_SIDE)
            for wide in SIDES:
                changed = copied(small, wide, np.random.default_rng([int(row.sha256[:8], 16), wide]))
                for scale, quality in SAVED if changed is not None else ():
                    if (row.file, wide, scale, quality) in there:
                        continue
                    assert changed is not None
                    kept = resize(changed, scale, "area") if scale != 1 else changed
                    if quality:
                        kept = through(kept, Encoding(media_type="image/jpeg", quality=quality))
                    head = {"file": row.file, "source": source_of(row), "side": wide, "scale": scale}
                    lines.write(json.dumps(head | {"quality": quality} | asked(kept)) + "\n")
                    lines.flush()
            taken += 1
            if taken == most:
                return


def points_to_it(row: dict[str, Any]) -> bool:
    """By what was written down of each place."""
    places = [SimpleNamespace(**p, down=p["at"][0], across=p["at"][1]) for p in row.get("places", ())]
    return bool(copies_among(places))


def _rows(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths if path.exists() for line in path.open()]


def table(paths: Sequence[Path]) -> None:
    rows = _rows(paths)
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for r in rows:
        by[str((r["side"], r["scale"], r["quality"])) if "side" in r else r["source"]].append(r)
        by["of all"].append(r)
        by[f"kind {r['kind']}" if "kind" in r else "of all"].append(r) if "kind" in r else None
    for name, of in sorted(by.items()):
        told = [r for r in of if "places" in r]
        hits = sum(points_to_it(r) for r in told)
        bound = f"{at_most(hits, len(told)):.1%}" if told else "-"
        print(f"| {name} | {len(of)} | {len(told)} | {hits} | {bound} |")
    for r in rows:
        if points_to_it(r) and "side" not in r:
            print(r["source"], r["kind"], r["file"], r["places"][:4])
    spent = [r["cpu"] for r in rows if "cpu" in r]
    print("CPU seconds", np.mean(spent), max(spent))


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "false":
        false(Path(rest[0]), rest[1], int(rest[2]), Path(rest[3]), float(rest[4]))
    elif what == "power":
        power(Path(rest[0]), rest[1], Path(rest[2]), int(rest[3]))
    else:
        table([Path(p) for p in rest])


if __name__ == "__main__":
    main()
