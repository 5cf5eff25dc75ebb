"""False alarms of the forensic sources on real pictures of every source at hand: docs/forensics-errors.md.

    python -m tests.bench.real_sources ask OUT.jsonl PER_SOURCE SECONDS FACES LEFT_OUT CORPUS...
        [--megapixels LOW HIGH] [--from ROW]
    python -m tests.bench.real_sources again OUT.jsonl NAME CORPUS...
    python -m tests.bench.real_sources table OUT.jsonl
    python -m tests.bench.real_sources alarms OUT.jsonl

A CORPUS is what ``assay lab corpus bring`` filled. Asked are the real pictures of the shipped manifest, as
they are stored, of up to 2.5 megapixels or the sizes that are given, and of all rows or those from ROW on
(counted from 0): of every source that has five or more, the first PER_SOURCE by digest, all sources in turn,
so that a run that ends after SECONDS of CPU has looked at all of them alike; it goes on where it ended. The
evidence sources themselves are asked, as a report asks them. FACES is where the face models lie; LEFT_OUT
names evidence sources that are not asked, with commas, or is "none". ``again`` asks one evidence source anew,
of the pictures that are there, after its code changed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from authn.core.errors import AuthnError
from authn.core.evidence import HeuristicOutcome
from authn.core.media import Media, media_of
from authn.sources import HeuristicSource
from authn.sources.colour_filter import ColourFilterSource
from authn.sources.copy_move import CopyMoveSource
from authn.sources.double_jpeg import DoubleJpegSource
from authn.sources.embedded import EmbeddedSource
from authn.sources.jpeg_ghosts import JpegGhostsSource
from authn.sources.jpeg_grid import JpegGridSource
from authn.sources.pictures import Pictures
from authn.sources.symmetry import SymmetrySource
from authn.sources.watermarks import WatermarkSource
from detector.core.bounds import at_most
from detector.core.errors import DetectorError
from detector.data.kin import source_of
from detector.data.manifest import Row, shipped_manifest
from detector.lab.halves import first_half
from tests.bench.copy_move import half

MEGAPIXELS, LEAST_OF_A_SOURCE = (0.0, 2.5), 5
LATER = 12_551  # rows of the manifest from here on came after the points of embedded were set
SUPPORTS, ABSTAIN = HeuristicOutcome.SUPPORTS.value, HeuristicOutcome.ABSTAIN.value
Told = dict[str, Any]


def sources(faces: Path) -> tuple[HeuristicSource, ...]:
    shared = Pictures()
    return (
        JpegGridSource(shared),
        JpegGhostsSource(shared),
        DoubleJpegSource(shared),
        CopyMoveSource(shared),
        ColourFilterSource(shared),
        EmbeddedSource(shared),
        WatermarkSource(shared),
        SymmetrySource((faces,), shared),
    )


def taught() -> dict[str, Callable[[str], bool | None]]:
    """Of each evidence source, whether a source of pictures took part where its point was set; None where
    that was not kept."""
    before = {source_of(row) for row in shipped_manifest()[:LATER]}
    return {
        "jpeg_grid": first_half,
        "jpeg_ghosts": first_half,
        "colour_filter": first_half,
        "copy_move": lambda source: half(source) == "choose",
        "double_jpeg": lambda source: None if source in before else False,
        "embedded": lambda source: source in before,
        "watermark": lambda _: False,
        "symmetry": lambda source: source == "FFHQ",
    }


def pictures(
    per_source: int, corpora: Sequence[Path], megapixels: tuple[float, float] = MEGAPIXELS, first: int = 0
) -> Iterator[tuple[Row, Path]]:
    """Above the lower and up to the upper number of megapixels; of each source the first by digest."""
    by: dict[str, list[Row]] = defaultdict(list)
    for row in shipped_manifest()[first:]:
        if not row.fake:
            by[source_of(row)].append(row)
    low, high = (1e6 * m for m in megapixels)
    asked = {
        s: [(row, path) for row, path in _at_hand(rows, corpora) if low < row.width * row.height <= high]
        for s, rows in by.items()
        if len(rows) >= LEAST_OF_A_SOURCE
    }
    for n in range(per_source):
        yield from (rows[n] for _, rows in sorted(asked.items()) if n < len(rows))


def _at_hand(rows: Sequence[Row], corpora: Sequence[Path]) -> list[tuple[Row, Path]]:
    found = []
    for row in sorted(rows, key=lambda r: r.sha256):
        path = next((p for c in corpora if (p := c / row.file).is_file()), None)
        if path is not None and row.media_type:
            found.append((row, path))
    return found


def answer(source: HeuristicSource, media: Media) -> Told:
    begun = time.process_time()
    try:
        (found, *_) = source.examine(media)
    except (DetectorError, AuthnError) as e:
        return {"outcome": ABSTAIN, "examined": False, "why": e.detail}
    spent = round(time.process_time() - begun, 3)
    told: Told = {"outcome": found.outcome.value, "examined": found.applicable, "cpu": spent}
    if found.outcome.value in (SUPPORTS, ABSTAIN):
        told["why"] = found.reason
    return told if found.raw is None else told | {"raw": round(found.raw, 3)}


def ask(out: Path, seconds: float, faces: Path, left_out: str, asked: Iterator[tuple[Row, Path]]) -> None:
    done = {json.loads(line)["sha256"] for line in out.open()} if out.exists() else set()
    looking = [s for s in sources(faces) if s.name not in left_out.split(",")]
    begun = time.process_time()
    with out.open("a") as lines:
        for row, path in asked:
            if time.process_time() - begun > seconds:
                return
            if row.sha256 in done:
                continue
            media = media_of(path.read_bytes(), path.name)
            told = {"source": source_of(row), "kind": row.kind or "photo", "sha256": row.sha256,
                    "size": [row.width, row.height], "type": row.media_type}  # fmt: skip
            lines.write(json.dumps(told | {s.name: answer(s, media) for s in looking}) + "\n")
            lines.flush()


def again(out: Path, name: str, corpora: Sequence[Path]) -> None:
    """Writes the file anew when all are asked."""
    rows: list[Told] = [json.loads(line) for line in out.open()]
    (source,) = (s for s in sources(Path()) if s.name == name)
    by_digest = {row.sha256: row for row in shipped_manifest()}
    for told in rows:
        path = next(p for c in corpora if (p := c / by_digest[told["sha256"]].file).is_file())
        told[name] = answer(source, media_of(path.read_bytes(), path.name))
    out.write_text("".join(json.dumps(told) + "\n" for told in rows))


def _count(rows: Sequence[Told], name: str) -> tuple[int, int]:
    """Those that point to it, of those that were examined."""
    said = [r[name]["outcome"] for r in rows if name in r and r[name]["examined"]]
    return said.count(SUPPORTS), len(said)


def told_of(rows: Sequence[Told], name: str) -> str:
    hits, asked = _count(rows, name)
    sources = len({r["source"] for r in rows if name in r and r[name]["examined"]})
    return f"{hits} of {asked}, {sources} sources (at most {at_most(hits, asked):.1%})" if asked else "0 of 0"


def table(out: Path) -> None:
    rows: list[Told] = [json.loads(line) for line in out.open()]
    print(len(rows), "pictures of", len({r["source"] for r in rows}), "sources\n")
    rules = taught()
    for name, rule in rules.items():
        parts = {
            "taught": [r for r in rows if rule(r["source"]) is True],
            "not taught": [r for r in rows if rule(r["source"]) is False],
            "not kept": [r for r in rows if rule(r["source"]) is None],
        }
        said = [f"{part}: {told_of(of, name)}" for part, of in parts.items() if of]
        print(f"{name}: {'; '.join(said)}")
        kinds = sorted({r["kind"] for r in rows})
        print("   ", "; ".join(f"{k}: {told_of([r for r in rows if r['kind'] == k], name)}" for k in kinds))
    print("\n| source | kind | asked |", " | ".join(rules), "|")
    by: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for r in rows:
        by[r["source"], r["kind"]].append(r)
    for (source, kind), of in sorted(by.items()):
        print(f"| {source} | {kind} | {len(of)} |", " | ".join(_cell(of, name) for name in rules), "|")


def _cell(rows: Sequence[Told], name: str) -> str:
    hits, asked = _count(rows, name)
    return f"{f'**{hits}**' if hits else 0} of {asked} ({at_most(hits, asked):.0%})" if asked else "-"


def alarms(out: Path) -> None:
    for told in (json.loads(line) for line in out.open()):
        for name in taught():
            if name in told and told[name]["outcome"] == SUPPORTS:
                print(name, told[name].get("raw"), told["source"], told["kind"], told["type"], told["size"])
                print("   ", told["sha256"], told[name]["why"][:160])


def main() -> None:
    what, out, *rest = sys.argv[1:]
    if what == "ask":
        options = argparse.ArgumentParser()
        options.add_argument("per_source", type=int)
        options.add_argument("seconds", type=float)
        options.add_argument("faces", type=Path)
        options.add_argument("left_out")
        options.add_argument("corpora", type=Path, nargs="+")
        options.add_argument("--megapixels", type=float, nargs=2, default=MEGAPIXELS)
        options.add_argument("--from", type=int, default=0, dest="first")
        given = options.parse_args(rest)
        low, high = given.megapixels
        asked = pictures(given.per_source, given.corpora, (low, high), given.first)
        ask(Path(out), given.seconds, given.faces, given.left_out, asked)
    elif what == "again":
        again(Path(out), rest[0], [Path(p) for p in rest[1:]])
    else:
        {"table": table, "alarms": alarms}[what](Path(out))


if __name__ == "__main__":
    main()
