"""Figures of docs/cards/copy_move.md: false alarms by source, and what is found of copies made here.

    python -m tests.bench.copy_move false CORPUS choose|report MOST OUT.jsonl
    python -m tests.bench.copy_move power CORPUS OUT.jsonl PHOTOS
    python -m tests.bench.copy_move large CORPUS OUT.jsonl OF_A_SOURCE
    python -m tests.bench.copy_move others CORPUS OUT.jsonl PHOTOS CLONING_PY
    python -m tests.bench.copy_move table OUT.jsonl...

CORPUS is what ``assay lab corpus bring`` filled. Real pictures of the shipped manifest are asked: those of
one half of the sources (``half``, written down before anything was measured) to choose the operating point,
those of the other to report it. ``large``: photos of more than 6 megapixels as they are, and with a copy a
sixth of the shorter side across, saved at two qualities. ``others`` asks Sherloq's tool "Copy-Move Forgery"
beside ours.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.bounds import at_most
from detector.core.errors import DetectorError, NotApplicable
from detector.data.kin import source_of
from detector.data.manifest import MEDIA_TYPES, Row, shipped_manifest
from detector.forensics.copy_move import CopyMove, Place, examine_copy_move, is_copy
from detector.lab.whole.kinds import kind_of
from detector.models.kinds import Kind
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.within import reduced

LEAST, MOST_PIXELS = 200, 2_500_000  # a side; in all, where nothing else is said
LARGE = 6_000_000


def half(source: str) -> str:
    """Which half of the sources one belongs to."""
    return "choose" if int(hashlib.sha256(source.encode()).hexdigest()[0], 16) % 2 == 0 else "report"


def pictures(corpus: Path, side: str, most: int, done: Collection[str] = ()) -> Iterator[tuple[Row, Pixels]]:
    """Real ones, at most so many of a source, in the order of their digests."""
    taken: Counter[str] = Counter()
    for row in sorted((r for r in shipped_manifest() if not r.fake), key=lambda r: r.sha256):
        source, path = source_of(row), corpus / row.file
        if half(source) != side or taken[source] >= most or min(row.width, row.height) < LEAST:
            continue
        if row.width * row.height > MOST_PIXELS:
            continue
        if row.format not in MEDIA_TYPES or not path.is_file():
            continue
        if row.file in done:
            taken[source] += 1
            continue
        try:
            pixels = decode(path.read_bytes(), MEDIA_TYPES[row.format])
        except DetectorError:
            continue
        taken[source] += 1
        yield row, pixels


def told(found: CopyMove) -> list[dict[str, Any]]:
    return [_place(p, found.reduced) for p in found.places]


def _place(place: Place, reduced: float) -> dict[str, Any]:
    first, second = place.first.mean(axis=0) / reduced, place.second.mean(axis=0) / reduced
    return {
        "keypoints": len(place.first),
        "grain": round(place.grain, 3),
        "alike": round(place.alike, 3),
        "told": round(place.told, 3),
        "ground": round(place.ground, 3),
        "area": place.area,
        "scale": round(place.scale, 3),
        "turn": round(place.turn, 1),
        "mirrored": place.mirrored,
        "at": [round(float(v)) for v in (*first, *second)],
    }


def asked(pixels: Pixels) -> dict[str, Any]:
    begun = time.process_time()
    try:
        found = examine_copy_move(pixels)
    except NotApplicable as e:
        return {"why": e.detail}
    return {
        "places": told(found),
        "keypoints": found.keypoints,
        "repeating": round(found.repeating, 3),
        "cpu": round(time.process_time() - begun, 2),
    }


def false(corpus: Path, side: str, most: int, out: Path) -> None:
    """Goes on where it was stopped."""
    done = {json.loads(line)["file"] for line in out.open()} if out.exists() else set()
    with out.open("a") as lines:
        for row, pixels in pictures(corpus, side, most, done):
            head = {"source": source_of(row), "kind": row.kind, "file": row.file, "shape": pixels.shape[:2]}
            lines.write(json.dumps(head | asked(pixels)) + "\n")
            lines.flush()


@dataclass(frozen=True)
class Edit:
    """A round place of ``side`` pixels, mirrored, turned (degrees), scaled, pasted with a soft edge; then the
    picture is reduced and saved."""

    side: int = 96
    turned: float = 0.0
    scaled: float = 1.0
    reduced: float = 1.0
    quality: int = 90  # 0: not at all
    mirrored: bool = False


EDITS = (
    *(Edit(side=n) for n in (48, 64, 96, 128)),
    *(Edit(turned=t) for t in (10, 45)),
    *(Edit(scaled=s) for s in (0.8, 1.25)),
    *(Edit(quality=q) for q in (75, 50)),
    Edit(reduced=0.5, quality=80),
    *(Edit(side=n, mirrored=True) for n in (64, 96, 128)),
    Edit(turned=10, mirrored=True),
    Edit(scaled=0.8, mirrored=True),
    *(Edit(quality=q, mirrored=True) for q in (75, 50)),
)
LONGER_SIDE = 1024
FINE = 1.2  # levels: the median difference, in a place, to a blur of two pixels


def edited(pixels: Pixels, edit: Edit, rng: np.random.Generator) -> Pixels | None:
    """Of a place that has fine detail; None where no such place was drawn."""
    cv2, half_side = open_cv2(), edit.side // 2
    height, width = pixels.shape[:2]
    edge = round(half_side * max(edit.scaled, 1) * 1.5) + 2
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 2)
    for _ in range(60):
        x, y, to_x, to_y = (int(rng.integers(edge, n - edge)) for n in (width, height, width, height))
        piece = fine[y - half_side : y + half_side, x - half_side : x + half_side]
        if np.median(np.abs(piece)) >= FINE and np.hypot(to_x - x, to_y - y) > 2.5 * edge:
            break
    else:
        return None
    turn = cv2.getRotationMatrix2D((x, y), edit.turned, edit.scaled)
    if edit.mirrored:
        turn = np.column_stack([turn[:, :2] * (-1, 1), turn[:, 2] + 2 * x * turn[:, 0]])
    turn[:, 2] += (to_x - x, to_y - y)
    mask = np.zeros((height, width), np.float32)
    cv2.circle(mask, (x, y), half_side, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)
    moved, soft = (cv2.warpAffine(a, turn, (width, height), flags=cv2.INTER_CUBIC) for a in (pixels, mask))
    soft = np.clip(soft, 0, 1)[:, :, None]
    out = np.clip(np.rint(moved * soft + pixels * (1 - soft)), 0, 255).astype(np.uint8)
    out = resize(out, edit.reduced, "area") if edit.reduced != 1 else out
    return through(out, Encoding(media_type="image/jpeg", quality=edit.quality)) if edit.quality else out


def power(corpus: Path, out: Path, most: int) -> None:
    """On photos of the half that reports, one of a source, reduced to ``LONGER_SIDE``. Goes on where it was
    stopped."""
    known = [json.loads(line) for line in out.open()] if out.exists() else []
    there, done = {(r["file"], json.dumps(r["edit"])) for r in known}, 0
    with out.open("a") as lines:
        for row, pixels in pictures(corpus, "report", 1):
            if row.kind != "photo" or max(pixels.shape[:2]) < LONGER_SIDE:
                continue
            small = reduced(pixels, LONGER_SIDE)
            for edit in EDITS:
                if (row.file, json.dumps(asdict(edit))) in there:
                    continue
                changed = edited(small, edit, np.random.default_rng(int(row.sha256[:8], 16)))
                if changed is not None:
                    head = {"edit": asdict(edit), "source": source_of(row), "file": row.file}
                    lines.write(json.dumps(head | asked(changed)) + "\n")
                    lines.flush()
            done += 1
            if done == most:
                return


def large(corpus: Path, out: Path, of_a_source: int) -> None:
    """Of both halves: no point was chosen on so large ones."""
    taken: Counter[str] = Counter()
    with out.open("w") as lines:
        photos = [r for r in shipped_manifest() if kind_of(r) is Kind.PHOTO]
        for row in sorted(photos, key=lambda r: r.sha256):
            source, path = source_of(row), corpus / row.file
            fits = row.format in MEDIA_TYPES and row.width * row.height > LARGE and path.is_file()
            if not fits or taken[source] >= of_a_source:
                continue
            taken[source] += 1
            pixels, side = decode(path.read_bytes(), MEDIA_TYPES[row.format]), min(row.width, row.height) // 6
            head = {"source": source, "file": row.file, "shape": pixels.shape[:2]}
            lines.write(json.dumps(head | {"edit": None} | asked(pixels)) + "\n")
            for edit in (Edit(side=side, quality=q) for q in (92, 75)):
                changed = edited(pixels, edit, np.random.default_rng(int(row.sha256[:8], 16)))
                if changed is not None:
                    told_of = {"edit": {"quality": edit.quality}} | asked(changed)
                    lines.write(json.dumps(head | told_of) + "\n")
                lines.flush()


def others(corpus: Path, out: Path, most: int, sherloq: Path) -> None:
    """As ``false`` on photos of the half that reports, and on one copy in each; ``sherloq`` is its file
    ``cloning.py``, run as it stands with its own settings and no window."""
    clusters, rng = _sherloq(sherloq), np.random.default_rng(14)
    done = 0
    with out.open("w") as lines:
        for row, pixels in pictures(corpus, "report", 1):
            if row.kind != "photo":
                continue
            small = reduced(pixels, 640)
            changed = edited(small, Edit(), rng) if min(small.shape[:2]) > 320 else None
            for name, each in (("as it is", small), ("copied", changed)):
                if each is not None:
                    told_by = {"theirs": clusters(each), **asked(each)}
                    lines.write(json.dumps({"which": name, "source": source_of(row), **told_by}) + "\n")
                    lines.flush()
            done += 1
            if done == most:
                return


def _sherloq(path: Path) -> Callable[[Pixels], str]:
    """What the window would write below the picture."""
    from unittest.mock import MagicMock

    qt = MagicMock()
    qt.ToolWidget = type("ToolWidget", (), {})
    for name in ("PySide6.QtCore", "PySide6.QtWidgets", "gui.sherloq_app.ui.tools",
                 "gui.sherloq_app.core.utility", "gui.sherloq_app.ui.viewer"):  # fmt: skip
        parts = name.split(".")
        for i in range(1, len(parts)):
            sys.modules.setdefault(".".join(parts[:i]), MagicMock())
        sys.modules[name] = qt
    spec = spec_from_file_location("sherloq_cloning", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    def ask(pixels: Pixels) -> str:
        cv2, tool = open_cv2(), MagicMock()
        tool.image = np.ascontiguousarray(pixels[:, :, ::-1])
        tool.gray = cv2.cvtColor(tool.image, cv2.COLOR_BGR2GRAY)
        tool.kpts = tool.matches = tool.clusters = None
        tool.detector_combo.currentIndex.return_value = (
            1  # ORB; this OpenCV has no BRISK, with which it begins
        )
        for spin, value in (("response", 90), ("matching", 20), ("distance", 15), ("cluster", 5)):
            getattr(tool, f"{spin}_spin").value.return_value = value
        tool.onoff_button.isChecked.return_value = tool.canceled = False
        tool.tr = str
        module.CloningWidget.process(tool)
        return str(tool.status_label.setText.call_args_list[-1].args[0])

    return ask


def is_copied(row: dict[str, Any]) -> bool:
    """By what was written down of each pair of places."""
    names = ("grain", "alike", "told", "ground", "area", "scale", "turn", "mirrored")
    places = row.get("places", ())
    return any(is_copy(points=p["keypoints"], **{n: p[n] for n in names}) for p in places)


def table(paths: list[Path]) -> None:
    rows = [json.loads(line) for path in paths for line in path.open()]
    by: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by.setdefault(json.dumps(row["edit"]) if "edit" in row else row["source"], []).append(row)
    for name, of in sorted(by.items(), key=lambda i: -len(i[1])):
        there = [r for r in of if "places" in r]
        hits = sum(is_copied(r) for r in there)
        bound = f"{at_most(hits, len(there)):.1%}" if there else "-"
        print(f"| {name} | {len(of)} | {len(there)} | {hits} | {bound} |")
    there = [r for r in rows if "places" in r]
    found = [r for r in there if is_copied(r)]
    bound = f"{at_most(len(found), len(there)):.2%}"
    print(f"{len(rows)} asked, {len(there)} answered, {len(found)} point to a copy, at most {bound}")
    print(Counter(r["why"] for r in rows if "why" in r), sum(r.get("cpu", 0) for r in there) / len(there))
    for r in found if "edit" not in rows[0] else ():
        print(r["source"], r.get("kind"), r.get("file"), r["places"][:3])


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "false":
        false(Path(rest[0]), rest[1], int(rest[2]), Path(rest[3]))
    elif what == "power":
        power(Path(rest[0]), Path(rest[1]), int(rest[2]))
    elif what == "large":
        large(Path(rest[0]), Path(rest[1]), int(rest[2]))
    elif what == "others":
        others(Path(rest[0]), Path(rest[1]), int(rest[2]), Path(rest[3]))
    else:
        table([Path(p) for p in rest])


if __name__ == "__main__":
    main()
