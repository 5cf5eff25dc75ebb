"""How often squares of ordinary photos get a mark, and what a map costs: figures of decisions 0010 and 0026.

    python -m tests.bench.score_places PICTURES [MODEL]

Photos are those that no weights learned from (``tests.bench.unseen``), at most ``PER_SET`` of a set. Rates
are means over sets, so that no set with many pictures speaks for the others.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from authn.core.media import media_of
from authn.core.score_map import maps_text
from authn.report.score_maps import draw
from authn.sources.learned import LearnedSource, SemanticSource
from detector.core.errors import DetectorError
from detector.models.encoder_file import installed_encoder
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from tests.bench.unseen import unseen

PER_SET = 25
SIZES = ((1024, 1024), (4000, 3000), (8000, 6000))


def rates(folder: Path, source: LearnedSource) -> None:
    model = ""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for name, row, data in unseen(folder, PER_SET):
        if row.fake:
            continue
        rows = found.setdefault(name, [])
        try:
            places = source.score_map(media_of(data, row.file))
        except DetectorError:
            continue
        model = places.model_sha256
        logits = np.array([s.logit for s in places.squares])
        strong = int((logits >= places.point).sum())
        rows.append((len(logits), strong, int((logits >= 0).sum()) - strong))
    shares = []
    for name, rows in found.items():
        if rows:
            squares, strong, weak = (sum(column) for column in zip(*rows, strict=True))
            shares.append((100 * strong / squares, 100 * weak / squares))
            print(f"{name:16} {len(rows):3} photos {squares:5} squares", *(f"{v:5.1f} %" for v in shares[-1]))
    print("mean over sets", np.round(np.mean(shares, 0), 1), "model", model)


def costs(source: LearnedSource) -> None:
    noise = np.random.default_rng(0)
    small = Image.fromarray(noise.integers(0, 255, (600, 800, 3), np.uint8))
    for size in SIZES:
        out = io.BytesIO()
        small.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
        media = media_of(out.getvalue(), "made.jpg")
        source.score_map(media)
        started = time.process_time()
        found = source.score_map(media)
        cpu_ms = 1000 * (time.process_time() - started)
        drawing = draw(found)
        marks = sum(len(p) for p in (drawing.strong, drawing.weak, drawing.other, drawing.windows))
        print(f"{size} {len(found.squares)} squares, {cpu_ms:.0f} ms CPU,", end=" ")
        print(f"{len(maps_text((found,)))} bytes kept, {marks} bytes of marks")


def source_of(model: str = DEFAULT_MODEL) -> LearnedSource:
    encoder = installed_encoder()
    return SemanticSource(encoder) if model == SEMANTIC_MODEL and encoder else LearnedSource(model)


if __name__ == "__main__":
    asked = source_of(*sys.argv[2:])
    rates(Path(sys.argv[1]), asked)
    costs(asked)
