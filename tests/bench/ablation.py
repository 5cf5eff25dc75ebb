"""What each part of the detectors that ship is worth on generators that they never saw (decision 0050).

    python -m tests.bench.ablation layer RUN PICTURES [ZOO]
    python -m tests.bench.ablation heads RUN PICTURES

``layer``: the last layer of ``traces-2``, with what teaches it now and, beside that, the aligned pairs of one
maker or the mosaics of one family of the zoo. RUN is a run of ``assay lab traces`` (what its backbone saw of
whole pictures and of its pairs is kept there), ZOO one of ``assay lab auto``, or a folder with ``tiles.npz``
as ``tests.bench.ablation_backbones`` leaves it. ``heads``: the heads of ``semantic-3``, in principal
components; RUN is a run of ``assay lab semantic``.

Every picture is scored by a layer that saw neither its source nor its generator's family; the test sources
stay closed. A line for each part: mean area over families before and after, over all views and in each, and
the 95 % interval of what was gained (``detector.lab.traces.compare``). RUN gets ``ablation-WHAT.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.files import write_arrays, write_json
from detector.core.progress import silent
from detector.core.threads import one_thread
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.manifest import SHIPPED, Row, shipped_manifest
from detector.data.splits import Split, test_source
from detector.lab.corpus.material import kept_set
from detector.lab.folder.makers import FolderFakes
from detector.lab.folder.run import FolderOptions, FolderRun
from detector.lab.folder.samples import load_samples
from detector.lab.semantic import TAUGHT_VIEWS, WholeRun, teaches
from detector.lab.steps.regions import Small
from detector.lab.steps.scores import ScoreRow
from detector.lab.steps.training_set import TrainingSet
from detector.lab.traces.compare import MIN_FAMILY, Comparison, compare
from detector.lab.traces.head import Array, Head, Heads, Looks, weight_of
from detector.lab.traces.looks import LEARNED
from detector.lab.traces.run import (
    RIDGE,
    Known,
    Places,
    known_pictures,
    left_out_table,
    look,
    read_backbone,
    table_of,
)
from detector.lab.whole.features import load_embeddings
from detector.lab.whole.fitting import Design, design_of, fit_binary
from detector.lab.whole.folds import folds_of, making_of, shares_of
from detector.lab.whole.heads import PRIORS
from detector.lab.whole.heads import _line as line_of
from detector.lab.whole.kinds import kind_of
from detector.models.registry import model_files
from detector.models.semantic_head import MAKINGS
from detector.models.trace_network import TraceNetwork, network_of
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels

# Whose whole pictures the backbone of traces-1 learned from: no score of them counts.
SEEN = (
    "flux", "stable diffusion 1/2", "Pexels photographers (by ZiadBassem/AI-vs-Real-Images)",
    "CompVis/taming-transformers", "drewnoakes/metadata-extractor-images", "haraldk/TwelveMonkeys",
)  # fmt: skip
COMPONENTS = 1024  # a fit of all numbers takes minutes, and chose the same recipe (decision 0027)
TAUGHT_SEMANTIC_3 = 12_551  # rows of the manifest; what came later taught it nothing
ROUNDS = 200
MOSAICS = 20  # of a family
_PARTS = 8  # of the sources of real pictures
_CROP = 192  # of a mosaic: as wide as a region of the pairs, and whole tiles of 32
_JPEG = Encoding(media_type="image/jpeg", quality=75)

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """What a backbone sees of aligned regions or mosaics: ``real`` and ``fake`` (n, views, d) beside each
    other, the ``maker`` of each fake and the ``source`` of the photo."""

    maker: tuple[str, ...]
    source: tuple[str, ...]
    real: Features
    fake: Features

    def of(self, makers: Sequence[str]) -> Regions:
        at = [i for i, m in enumerate(self.maker) if m in makers]
        return Regions(
            maker=tuple(self.maker[i] for i in at), source=tuple(self.source[i] for i in at),
            real=self.real[at], fake=self.fake[at],
        )  # fmt: skip


class Layers(Heads):
    """The last layer of ``traces-2``, without whatever sources are named."""

    def __init__(self, rows: Sequence[Row], looks: Looks) -> None:
        super().__init__(rows, looks, LEARNED, ridge=RIDGE)

    def without_sources(self, sources: Set[str]) -> Head:
        return self._solved([c for c in self._cells if c.source in sources])


class Beside(Layers):
    """Taught by aligned regions beside what ``plain`` learned from: a maker counts as a source, its twins
    as much among the real ones. Where a picture is scored, regions of its source are left out."""

    def __init__(self, plain: Layers, regions: Regions) -> None:
        self.__dict__.update(plain.__dict__)
        self._cells = list(plain._cells)
        for (fake, source, family), cell in self._parts(regions).items():
            self._cells.append(replace(cell, fake=fake, source=source, family=family))
        self._totals = {fake: self._total(fake) for fake in (False, True)}

    def _parts(self, regions: Regions) -> dict[tuple[bool, str, str], Any]:
        """Summed by source, which are megabytes each, and by family where a real generator has one of that
        name."""
        out: dict[tuple[bool, str, str], Any] = {}
        counts = Counter(regions.maker)
        for fake, maker, source, seen in _cells(regions):
            cell = self._cell(fake, source, maker, seen)
            weight = weight_of(counts[maker]) * len(seen) / counts[maker]
            part = weight / cell.weight
            key = fake, source, "upscaler" if family_of(maker) == "upscaler" else ""
            old = out.get(key)
            out[key] = replace(
                cell, weight=weight + (old.weight if old else 0.0),
                products=part * cell.products + (old.products if old else 0.0),
                sums=part * cell.sums + (old.sums if old else 0.0),
            )  # fmt: skip
        return out


def _cells(regions: Regions) -> Iterator[tuple[bool, str, str, list[Array]]]:
    places: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(regions.maker, regions.source, strict=True)):
        places.setdefault(key, []).append(i)
    for (maker, source), at in places.items():
        for fake, seen in ((False, regions.real), (True, regions.fake)):
            yield fake, maker, source, [seen[i].astype(np.float64) for i in at]


def seen_by(network: TraceNetwork, pictures: Sequence[Pixels]) -> Features:
    """(n, 3, d): as made, as JPEG 75, at half size."""
    return np.stack(
        [
            np.concatenate([network.features(view(p)[None]) for p in pictures])
            for view in (lambda p: p, lambda p: through(p, _JPEG), lambda p: resize(p, 0.5, "area"))
        ],
        1,
    )


def regions_of_pairs(network: TraceNetwork, data: TrainingSet) -> Regions:
    return Regions(
        maker=tuple(data.families[k] for k in data.family),
        source=tuple(data.sources[data.source[t]] for t in data.twin),
        real=seen_by(network, [data.real[t] for t in data.twin]), fake=seen_by(network, list(data.fake)),
    )  # fmt: skip


def regions_of_zoo(network: TraceNetwork, tiles: Sequence[Small], most: int) -> Regions:
    """Mosaics of a family beside mosaics of real tiles, all of one source."""
    made = [(t.family, *pair) for t in tiles for pair in mosaic_pairs(t, most)]
    names, real, fake = zip(*made, strict=True)
    return Regions(
        maker=names, source=("tiles",) * len(names), real=seen_by(network, real), fake=seen_by(network, fake)
    )


def mosaic_pairs(tiles: Small, most: int) -> list[tuple[Pixels, Pixels]]:
    """(real, fake), squares of whole tiles as wide as a region of the pairs."""
    across = _CROP // tiles.fake.shape[1]
    return list(zip(*(_mosaics(t, across)[:most] for t in (tiles.real, tiles.fake)), strict=False))


def _mosaics(tiles: NDArray[np.uint8], across: int) -> list[Pixels]:
    count, side = len(tiles) // across**2, tiles.shape[1]
    grid = tiles[: count * across**2].reshape(count, across, across, side, side, 3)
    return list(np.ascontiguousarray(grid.transpose(0, 1, 3, 2, 4, 5)).reshape(count, _CROP, _CROP, 3))


def kept_regions(path: Path) -> Regions:
    with np.load(path, allow_pickle=False) as kept:
        return Regions(
            maker=tuple(map(str, kept["maker"])), source=tuple(map(str, kept["source"])),
            real=kept["real"].astype(np.float32), fake=kept["fake"].astype(np.float32),
        )  # fmt: skip


def keep_regions(regions: Regions, path: Path) -> None:
    arrays = {"maker": np.array(regions.maker), "source": np.array(regions.source)}
    write_arrays(path, arrays | {k: getattr(regions, k).astype(np.float16) for k in ("real", "fake")})


# Makers of the aligned pairs by their make.
_MAKES = {
    "TAEF2": "taef2", "own autoencoders": "ae_", "Real-ESRGAN": "realesr", "Real-CUGAN": "realcugan",
    "waifu2x": "waifu2x", "SPAN": "span",
}  # fmt: skip


def makes_in(makers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Every make with its makers, those of the zoo each by itself."""
    names = tuple(dict.fromkeys(makers))
    found = {make: tuple(n for n in names if word in n) for make, word in _MAKES.items()}
    return {k: v for k, v in found.items() if v} | {n: (n,) for n in names if n.startswith("zoo_")}


def layer_table(known: Known, looks: Looks, layers: Layers) -> list[ScoreRow]:
    """Of real pictures and of families that are counted. A layer is solved for every source and family of
    generated pictures, and for every eighth of the sources of real ones."""
    rows = [r for r in known.judged if not {family_of(r.generator), r.source} & set(SEEN)]
    counts = Counter(family_of(r.generator) for r in rows)
    generated = [r for r in rows if r.fake and counts[family_of(r.generator)] >= MIN_FAMILY]
    table = left_out_table(layers, generated, looks)
    for part in range(_PARTS):
        mine = [r for r in rows if not r.fake and part_of(r.source) == part]
        if mine:
            table += table_of(layers, layers.without_sources({r.source for r in mine}), mine, looks)
    return table


def part_of(source: str) -> int:
    return int(hashlib.sha256(source.encode()).hexdigest()[:8], 16) % _PARTS


def layer(run: Path, pictures: Sequence[Path], zoo: Path | None) -> None:
    places = Places(manifests=(SHIPPED,), folders=tuple(pictures), taef2=Path(), upscalers=(), run=run)
    known, tensors = known_pictures(places), read_backbone(Path(str(model_files("traces-1")[1])))
    looks = look(tensors, known, known.judged, run, lambda *_: None)
    parts = [pair_regions(network_of(tensors), run)]
    if zoo is not None:
        parts.append(zoo_regions(network_of(tensors), zoo, run / "zoo-regions.npz"))
    regions = _joined(parts)
    made = makes_in(regions.maker)
    aligned = [n for names in made.values() for n in names if not n.startswith("zoo_")]
    drawn = [n for names in made.values() for n in names if n.startswith("zoo_")]
    parts_of = {"all aligned": tuple(aligned), **made}
    if drawn:
        parts_of |= {"the whole zoo": tuple(drawn), "aligned and zoo": (*aligned, *drawn)}
    plain = Layers(known.learned, looks)
    before = layer_table(known, looks, plain)
    found = {}
    for name, makers in parts_of.items():
        after = layer_table(known, looks, Beside(plain, regions.of(makers)))
        found[name] = compare(before, after, rounds=ROUNDS)
        tell(f"{name} ({len(regions.of(makers).maker)} pairs)", found[name])
    keep(found, run / "ablation-layer.json")


def pair_regions(network: TraceNetwork, run: Path) -> Regions:
    if not (run / "regions.npz").is_file():
        with np.load(run / "pairs.npz", allow_pickle=False) as stored:
            key = str(stored["key"])
        data = kept_set(run / "pairs.npz", key, lambda: sys.exit("pairs.npz cannot be read"))
        keep_regions(regions_of_pairs(network, data), run / "regions.npz")
    return kept_regions(run / "regions.npz")


def zoo_regions(network: TraceNetwork, zoo: Path, kept: Path) -> Regions:
    if not kept.is_file():
        keep_regions(regions_of_zoo(network, zoo_tiles(zoo), MOSAICS), kept)
    return kept_regions(kept)


def zoo_tiles(zoo: Path) -> list[Small]:
    """What families drew or made for training, as a run of ``assay lab auto`` keeps it, or ``tiles.npz``."""
    if (zoo / "tiles.npz").is_file():
        with np.load(zoo / "tiles.npz", allow_pickle=False) as stored:
            names = sorted({k.split("/")[0] for k in stored})
            return [Small(family=n, fake=stored[f"{n}/fake"], real=stored[f"{n}/real"]) for n in names]
    told = json.loads((zoo / "state.json").read_text("utf-8"))["identity"]
    run = FolderRun(zoo / "photos", zoo, FolderOptions(**told), silent)
    samples = [load_samples(p.stem, p) for p in sorted((zoo / "samples").glob("*.npz"))]
    return [replace(t, family=f"zoo_{t.family}") for t in FolderFakes(run, samples).small(Split.TRAIN)]


def _joined(parts: Sequence[Regions]) -> Regions:
    return Regions(
        maker=tuple(m for p in parts for m in p.maker), source=tuple(s for p in parts for s in p.source),
        real=np.concatenate([p.real for p in parts]), fake=np.concatenate([p.fake for p in parts]),
    )  # fmt: skip


def heads(run: Path, pictures: Path) -> None:
    """All makings are fitted at once; leaving one out leaves its term out of the sum."""
    rows = [r for r in shipped_manifest()[:TAUGHT_SEMANTIC_3] if teaches(r) and not test_source(source_of(r))]
    kept = run / "components.npz"
    if not kept.is_file():
        whole = WholeRun(rows=tuple(rows), folder=pictures, run=run, report=lambda *_: None)
        write_arrays(kept, components_of(whole))
    with np.load(kept, allow_pickle=False) as found:
        place = {str(s): i for i, s in enumerate(found["sha256"])}
        rows = [r for r in rows if r.sha256 in place]
        at = [place[r.sha256] for r in rows]
        views = {str(v): found[str(v)][at].astype(np.float32) for v in TAUGHT_VIEWS}
    odds = makings_of(rows, views)
    print(f"{len(rows)} pictures, {time.process_time():.0f} CPU seconds", flush=True)
    before = heads_table(rows, odds, MAKINGS)
    changes = {}
    for left in MAKINGS:
        changes[f"without the head {left}"] = tuple(m for m in MAKINGS if m != left)
        changes[f"the head {left} alone"] = (left,)
    found_of = {n: compare(before, heads_table(rows, odds, m), rounds=ROUNDS) for n, m in changes.items()}
    for name, change in found_of.items():
        tell(name, change)
    keep(found_of, run / "ablation-heads.json")


def components_of(whole: WholeRun) -> dict[str, NDArray[np.generic]]:
    """The first ``COMPONENTS`` principal components of what the encoder says, every number in its own
    deviations, by a random start and one power step (Halko, Martinsson and Tropp 2011)."""
    rows, first = load_embeddings(whole.rows, whole.cache, TAUGHT_VIEWS[0])
    views = [first, *(load_embeddings(rows, whole.cache, v)[1] for v in TAUGHT_VIEWS[1:])]
    x = design_of(views, shares_of(rows)).x
    start = torch.randn(x.shape[1], COMPONENTS + 32, generator=torch.Generator().manual_seed(0))
    basis = torch.linalg.qr(x.T @ torch.linalg.qr(x @ start)[0])[0]
    turned = torch.linalg.svd(x @ basis, full_matrices=False)[2]
    found = x @ (basis @ turned[:COMPONENTS].T)
    parts = np.split(found.numpy().astype(np.float32), len(views))
    named = {str(v): part for v, part in zip(TAUGHT_VIEWS, parts, strict=True)}
    return {"sha256": np.array([r.sha256 for r in rows]), **named}


def makings_of(rows: Sequence[Row], views: Mapping[str, NDArray[np.float32]]) -> Mapping[str, Array]:
    """View -> (pictures, makings): log-odds of every making with its line and its prior, each picture by the
    heads of its fold, as ``detector.lab.whole.heads.teach`` has it of all numbers."""
    x = torch.from_numpy(np.concatenate(list(views.values())))
    d, n = x.shape[1], len(rows)
    design = Design(x=x, mean=np.zeros(d, np.float32), scale=np.ones(d, np.float32), views=len(views))
    fake, makings = np.array([r.fake for r in rows]), np.array([making_of(r) for r in rows])
    folds, shares = folds_of(rows), shares_of(rows)
    mine = [shares * (~fake | (makings == m)) for m in MAKINGS]
    weights = np.concatenate([folds.may_teach * share[:, None] for share in mine], 1)
    theta, bias = fit_binary(design, fake, weights)
    every = (x @ torch.from_numpy(theta) + torch.from_numpy(bias)).numpy().astype(np.float64)
    scores = every.reshape(len(views), n, len(MAKINGS), -1)
    own = scores[:, np.arange(n), :, folds.fold].transpose(1, 0, 2)
    for k, making in enumerate(MAKINGS):
        slope, intercept = line_of(own[0, :, k], fake, makings == making, shares)
        own[:, :, k] = own[:, :, k] * slope + intercept + math.log(PRIORS[making])
    return {name: own[v] for v, name in enumerate(views)}


def heads_table(rows: Sequence[Row], odds: Mapping[str, Array], makings: Sequence[str]) -> list[ScoreRow]:
    columns = [MAKINGS.index(m) for m in makings]
    return [
        ScoreRow(
            sha256=row.sha256, fake=row.fake, kind=kind_of(row), generator=family_of(row.generator),
            source=source_of(row), view=view, side=0, quality=None, media_type="", predicted=None,
            logit=float(np.logaddexp.reduce(found[i, columns])), kind_probability=None, distance=0.0,
        )
        for view, found in odds.items()
        for i, row in enumerate(rows)
    ]  # fmt: skip


def tell(name: str, found: Comparison) -> None:
    mean = found.mean
    views = ", ".join(f"{v.name} {v.before:.3f} to {v.after:.3f}" for v in found.views)
    gained = f"{mean.gained.value:+.4f} [{mean.gained.low:+.4f}, {mean.gained.high:+.4f}]"
    print(f"| {name} | {mean.before:.3f} | {mean.after:.3f} | {gained} | {views} |", flush=True)
    clear = [c for c in found.families if c.gained.low > 0 or c.gained.high < 0]
    for c in clear:
        print(f"    {c.name} {c.gained.value:+.3f} [{c.gained.low:+.3f}, {c.gained.high:+.3f}]", flush=True)


def keep(found: Mapping[str, Comparison], path: Path) -> None:
    write_json(path, {name: asdict(c) for name, c in found.items()})


def main(arguments: Sequence[str]) -> None:
    if len(arguments) < 3 or arguments[0] not in {"layer", "heads"}:
        sys.exit(__doc__)
    what, run, pictures = arguments[0], Path(arguments[1]), [Path(p) for p in arguments[2].split(":")]
    with one_thread():
        if what == "heads":
            heads(run, pictures[0])
        else:
            layer(run, pictures, Path(arguments[3]) if len(arguments) > 3 else None)
    print(f"{time.process_time():.0f} CPU seconds")


if __name__ == "__main__":
    main(sys.argv[1:])
