"""The pairs that the backbone learns from: regions of many photographers, and fakes of the same content.

Native regions, and regions of shrunk copies whose JPEG history is gone. Frequency is aligned too: a network
restores frequencies that a JPEG had removed, so it is given the region *after* the JPEG, and then both pass
that JPEG again; else the pair would teach the codec ("Dual Data Alignment", NeurIPS 2025). Some fakes are
blended with their region, so that a weaker trace is learned as well.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from detector.core.progress import Report
from detector.data.manifest import Row
from detector.lab.steps.training_set import Collector, TrainingSet
from detector.lab.traces.files import at_most, read_picture, rng_of
from detector.lab.traces.makers import Maker, open_makers
from detector.models.condition import Condition
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import MIN_TEXTURE, texture_of

SIDE = 192
MOST_OF_A_SOURCE = 60
REGIONS_OF_A_SOURCE = 3.0  # times the square root of its pictures
_RECIPE = "pairs 2"
_BLOCK = 16
_SHARE_OF_LARGE = 0.25
_SHARE_OF_BLENDED = 0.25
_POOL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """``encoding``: what both members of the pair pass after the maker; None where no JPEG was before it."""

    pixels: Pixels
    encoding: Encoding | None


def pairs_of(
    rows: Sequence[Row], paths: dict[str, Path], weights: Path, upscalers: Sequence[Path], *, seed: int,
    report: Report,
) -> TrainingSet:  # fmt: skip
    """One pair for every region of the real pictures in ``rows``. Raises ``LabError``."""
    pool_of = partial(open_makers, weights, upscalers, seed=seed, report=report)
    return _pairs(rows, paths, pool_of, seed, report)


def pairs_by(
    rows: Sequence[Row], paths: dict[str, Path], makers: dict[str, Maker], *, seed: int, report: Report
) -> TrainingSet:
    """The same by ``makers`` alone. Raises ``LabError``."""
    return _pairs(rows, paths, lambda _pool: makers, seed, report)


def _pairs(
    rows: Sequence[Row], paths: dict[str, Path], makers_of: Callable[[list[Pixels]], dict[str, Maker]],
    seed: int, report: Report,
) -> TrainingSet:  # fmt: skip
    """``makers_of`` is given the first regions, which makers may learn from."""
    chosen = at_most((r for r in rows if not r.fake and r.sha256 in paths), MOST_OF_A_SOURCE)
    collector, makers = Collector(), dict[str, Maker]()
    counts = _regions_per_picture(chosen)
    waiting: list[tuple[Row, Region]] = []
    for n, row in enumerate(chosen):
        found = read_picture(row, paths[row.sha256])
        if found is not None:
            waiting += [(row, r) for r in regions_of(row, *found, counts[row.source])]
        if not makers and (len(waiting) >= _POOL or n + 1 == len(chosen)):
            makers = makers_of([r.pixels for _, r in waiting])
        if makers:
            _add(collector, waiting, makers, seed)
            waiting.clear()
        report("making aligned pairs", n + 1, len(chosen))
    for name, maker in makers.items():
        collector.give_share(name, maker.weight)
    return collector.done()


def key_of(rows: Sequence[Row], upscalers: Sequence[Path], seed: int) -> str:
    """What the pairs are made from, as one digest."""
    lines = [_RECIPE, str(seed), *sorted(p.name for p in upscalers), *sorted(r.sha256 for r in rows)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _regions_per_picture(rows: Sequence[Row]) -> dict[str, float]:
    counts = Counter(r.source for r in rows)
    return {s: REGIONS_OF_A_SOURCE * math.sqrt(n) / n for s, n in counts.items()}


def regions_of(row: Row, pixels: Pixels, condition: Condition, wanted: float) -> Iterator[Region]:
    """About ``wanted`` regions, native and shrunk by turns."""
    rng = rng_of(row, 1)
    count = int(wanted) + int(rng.random() < wanted % 1)
    for k in range(count):
        native = (k + int(rng.integers(2))) % 2 == 0
        region = _native(pixels, condition, rng) if native else _shrunk(pixels, rng)
        if region is not None:
            yield region


def _native(pixels: Pixels, condition: Condition, rng: np.random.Generator) -> Region | None:
    """On the block grid of the file, so that its JPEG can be applied again to both."""
    region = _cut(pixels, _side_for(pixels, rng), rng, grid=_BLOCK)
    if region is None:
        return None
    quality = condition.quality
    if quality is None or quality < 30:
        return Region(pixels=region, encoding=None)
    encoding = Encoding(media_type="image/jpeg", quality=quality, full_chroma=bool(rng.random() < 0.4))
    return Region(pixels=region, encoding=encoding)


def _shrunk(pixels: Pixels, rng: np.random.Generator) -> Region | None:
    """A smaller copy, and half of the time a JPEG of it."""
    least = (SIDE + 1) / min(pixels.shape[:2])
    if least > 0.8:
        return None
    scale = float(np.exp(rng.uniform(np.log(max(least, 0.12)), np.log(0.8))))
    region = _cut(
        resize(pixels, scale, str(rng.choice(["area", "area", "cubic", "lanczos", "linear"]))), SIDE, rng
    )
    if region is None:
        return None
    if rng.random() < 0.5:
        return Region(pixels=region, encoding=None)
    encoding = Encoding(
        media_type="image/jpeg", quality=int(rng.integers(60, 98)), full_chroma=bool(rng.random() < 0.4)
    )
    return Region(pixels=through(region, encoding), encoding=encoding)


def _side_for(pixels: Pixels, rng: np.random.Generator) -> int:
    large = rng.random() < _SHARE_OF_LARGE and min(pixels.shape[:2]) >= 2 * SIDE + _BLOCK
    return 2 * SIDE if large else SIDE


def _cut(pixels: Pixels, side: int, rng: np.random.Generator, *, grid: int = 1) -> Pixels | None:
    """A square at a random place that holds texture."""
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        return None
    for _ in range(4):
        y, x = (int(rng.integers((s - side) // grid + 1)) * grid for s in (height, width))
        region = np.ascontiguousarray(pixels[y : y + side, x : x + side])
        if texture_of(region) >= MIN_TEXTURE:
            return region
    return None


def _add(
    collector: Collector, waiting: Sequence[tuple[Row, Region]], makers: dict[str, Maker], seed: int
) -> None:
    for k, (row, region) in enumerate(waiting):
        rng = rng_of(row, 2, k, seed)
        large = len(region.pixels) > SIDE
        names = [n for n, m in makers.items() if m.quick or not large]
        shares = np.array([makers[n].weight for n in names])
        name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        real, fake = aligned(region, makers[name], rng)
        twin = collector.add_real(real, row.source, single=False)
        collector.add_fake(fake, name, twin)


def aligned(region: Region, maker: Maker, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A pair of one content, one frequency content, one JPEG and one size."""
    real, fake = maker.pair(region.pixels, rng)
    if rng.random() < _SHARE_OF_BLENDED:
        part = rng.uniform(0.4, 0.9)
        fake = np.round(fake * part + real * (1 - part)).astype(np.uint8)
    if region.encoding is not None:
        real, fake = through(real, region.encoding), through(fake, region.encoding)
    if len(real) > SIDE:
        kernel = str(rng.choice(["area", "cubic", "lanczos", "linear"]))
        real, fake = resize(real, 0.5, kernel), resize(fake, 0.5, kernel)
    return real, fake
