"""The pictures of a corpus: regions of real photos, fakes made from those very regions, whole generated
pictures, and samples of the zoo.

The index decides what each file is used for (``detector.data.corpus``). Families sampled by the zoo are
smaller than a region; they are laid out as mosaics, and so are the real tiles beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np

from detector.core.errors import FileDamaged, TooFewPictures
from detector.core.files import TORN_ARCHIVE, read_file, write_arrays
from detector.core.metrics import Array
from detector.core.progress import Report
from detector.data.corpus import Item, corpus_digest, load_index, pictures
from detector.data.licences import SETS
from detector.data.splits import Split
from detector.generators.aligned.autoencoders import Taef2
from detector.lab.corpus.makers import open_makers
from detector.lab.corpus.tiles import fitted_tiles
from detector.lab.steps.calibrate import AGAINST_MIN_SIDE, Calibrated
from detector.lab.steps.evaluation import Pair, Raw, paired_scores
from detector.lab.steps.regions import (
    REGION_SIDE,
    Make,
    Pictures,
    Small,
    halve,
    mosaics,
    random_regions,
    sizes_of,
)
from detector.lab.steps.training_set import Collector, TrainingSet, pictures_digest
from detector.lab.steps.views import named_pictures
from detector.models.card import SetUse
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels

_FAKES_PER_REGION = 3
_PER_SHEET_PICTURE = 4
_RECIPE = "traces 2"  # part of the key of the cache: change it when the recipe changes
_SHARE_OF_WHOLE = 0.5  # beside 1 for aligned pairs: generated pictures that no photo was behind
_SHARE_OF_TILES = 0.2


@dataclass(frozen=True, kw_only=True)
class CorpusMaterial:
    """What is trained on is kept in ``run``: ``training_set.npz``, and the families of the zoo in ``zoo``,
    where each is fitted for ``zoo_seconds``. ``upscalers``: the folder of Real-ESRGAN's files."""

    root: Path
    run: Path
    seed: int
    report: Report
    upscalers: Path | None = None
    zoo_seconds: float = 0.0
    recipe: str = "corpus"

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Raises ``CorpusError``."""
        return load_index(self.root)

    def training(self) -> TrainingSet:
        tiles = (
            fitted_tiles(
                self.root, self.items, self.run / "zoo", seconds=self.zoo_seconds, seed=self.seed,
                report=self.report,
            )
            if self.zoo_seconds
            else ()
        )  # fmt: skip
        return with_tiles(self._kept(), tiles, self.seed)

    def aligned(self, raw: Raw) -> tuple[Array, Array]:
        return paired_scores(raw, self._pairs())

    def settled(self, found: Calibrated) -> Calibrated:
        return replace(found, point=replace(found.point, against_min_side=AGAINST_MIN_SIDE))

    def sets(self, _trained: TrainingSet | None = None, /) -> tuple[SetUse, ...]:
        return tuple(
            SetUse(
                name=rule.name, fake=rule.fake, licence=rule.licence, why=rule.why,
                **{s.value: sum(i.set_name == rule.name and i.split is s for i in self.items) for s in Split},
            )
            for rule in SETS
        )  # fmt: skip

    def digest(self) -> str:
        return corpus_digest(self.items)

    def _kept(self) -> TrainingSet:
        """Built, or read where it was built from the same files, splits, makers and seed."""
        mine = [i for i in self.items if i.split is Split.TRAIN]
        parts = [corpus_digest(mine), str(self.seed), _RECIPE, str(self.upscalers is not None)]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return kept_set(self.run / "training_set.npz", key, lambda: self._built(mine))

    def _built(self, items: Sequence[Item]) -> TrainingSet:
        rng = np.random.default_rng(self.seed)
        collector = Collector()
        photos: list[tuple[Pixels, str]] = []
        sheets: dict[str, list[Pixels]] = {}
        for n, item in enumerate(sorted(items, key=lambda i: i.path)):
            for picture in pictures(self.root, item):
                if item.fake:
                    regions = random_regions(picture, _PER_SHEET_PICTURE, rng)
                    sheets.setdefault(item.set_name, []).extend(regions)
                elif min(picture.shape[:2]) >= REGION_SIDE:
                    photos.append((picture, item.set_name))
            self.report("reading", n + 1, len(items))
        pool = [s for p, _ in photos for s in sizes_of(p, rng)]
        makers = open_makers(self.root, pool, self.upscalers, self.seed, self.report)
        _add_aligned(collector, photos, makers, rng, self.report)
        add_whole(collector, sheets, self.seed)
        return collector.done()

    def _pairs(self) -> Iterator[Pair]:
        """Regions of real test photos, and the same regions passed through TAEF2. Content and history are
        equal here: what separates is the trace alone."""
        licensed = {r.name for r in SETS if r.licence and not r.fake}
        chosen = [i for i in self.items if i.split is Split.TEST and i.set_name in licensed]
        taef2, rng = Taef2(self.root / "weights" / "taef2"), np.random.default_rng([self.seed, 2])
        for n, item in enumerate(chosen):
            for name, picture in named_pictures(self.root, item):
                for k, region in enumerate(random_regions(halve(picture), 1, rng)):
                    yield name, k, (region, taef2.reconstruct(region))
            self.report("comparing aligned pairs", n + 1, len(chosen))


def kept_set(cache: Path, key: str, build: Callable[[], TrainingSet]) -> TrainingSet:
    """The set that ``cache`` has under this key; else it is built and kept there."""
    found = _cached(cache, key)
    if found is None:
        found = replace(build(), digest=key)
        arrays = {n: np.array(getattr(found, n)) for n in TrainingSet.__slots__}
        write_arrays(cache, {"key": np.array(key), **arrays})
    return found


def read_set(path: Path) -> TrainingSet:
    """What ``kept_set`` kept, whatever it is of. Raises ``FileFailed`` and ``FileDamaged``."""
    try:
        with np.load(BytesIO(read_file(path, path.name)), allow_pickle=False) as stored:
            return _unpacked(stored)
    except TORN_ARCHIVE as e:
        raise FileDamaged(f"{path.name} holds no pairs") from e


def _cached(cache: Path, key: str) -> TrainingSet | None:
    if not cache.is_file():
        return None
    try:
        with cache.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            return _unpacked(stored) if str(stored["key"]) == key else None
    except TORN_ARCHIVE:
        return None  # torn: it is built again


def _unpacked(stored: np.lib.npyio.NpzFile) -> TrainingSet:
    return TrainingSet(
        real=stored["real"], source=stored["source"], single=stored["single"], fake=stored["fake"],
        family=stored["family"], twin=stored["twin"], families=tuple(map(str, stored["families"])),
        sources=tuple(map(str, stored["sources"])), share=tuple(map(float, stored["share"])),
        digest=str(stored["digest"]),
    )  # fmt: skip


def with_tiles(data: TrainingSet, tiles: Sequence[Small], seed: int) -> TrainingSet:
    """The set and, beside it, mosaics of tiles as large as a region. Every mosaic of fakes stands beside one
    of real tiles and passes the same encodings; seams are the same in both. Raises ``TooFewPictures``."""
    if not tiles:
        return data
    rng = np.random.default_rng([seed, 4])
    pairs = [
        (k, fake, real)
        for k, t in enumerate(tiles)
        for fake, real in zip(_shuffled(t.fake, rng), _shuffled(t.real, rng), strict=False)
    ]
    if not pairs:
        raise TooFewPictures("too few tiles for one mosaic")
    families, fakes, reals = zip(*pairs, strict=True)
    count, total = len(pairs), sum(data.share)
    names = [(t.family, pictures_digest(t.fake, t.real)) for t in tiles]
    return replace(
        data, real=np.concatenate([data.real, np.stack(reals)]),
        source=np.concatenate([data.source, np.full(count, len(data.sources))]),
        single=np.concatenate([data.single, np.zeros(count, bool)]),
        fake=np.concatenate([data.fake, np.stack(fakes)]),
        family=np.concatenate([data.family, len(data.families) + np.array(families)]),
        twin=np.concatenate([data.twin, len(data.real) + np.arange(count)]),
        families=(*data.families, *(t.family for t in tiles)), sources=(*data.sources, "tiles"),
        share=(*data.share, *(total * _SHARE_OF_TILES / len(tiles) for _ in tiles)),
        digest=hashlib.sha256(f"{data.digest} {names}".encode()).hexdigest(),
    )  # fmt: skip


def _shuffled(tiles: Pictures, rng: np.random.Generator) -> list[Pixels]:
    return mosaics(tiles[rng.permutation(len(tiles))])


def _add_aligned(
    collector: Collector, photos: list[tuple[Pixels, str]], makers: dict[str, tuple[Make, float]],
    rng: np.random.Generator, report: Report,
) -> None:  # fmt: skip
    names = list(makers)
    weights = np.array([makers[n][1] for n in names])
    weights /= weights.sum()
    for name, weight in zip(names, weights, strict=True):
        collector.give_share(name, float(weight))
    for n, (photo, source) in enumerate(photos):
        for k, picture in enumerate(sizes_of(photo, rng)):
            for region in random_regions(picture, 3 if k else 5, rng):
                twin = collector.add_real(region, source, single=False)
                for m in rng.choice(len(names), min(_FAKES_PER_REGION, len(names)), replace=False, p=weights):
                    collector.add_fake(makers[names[m]][0](region), names[m], twin)
        report("making aligned fakes", n + 1, len(photos))


def add_whole(collector: Collector, sheets: dict[str, list[Pixels]], seed: int) -> None:
    """Whole generated pictures beside other photos, after both were brought to one history.

    The sheets of the generator come as lossy WebP, the photos as JPEG. Reals pass a WebP and then a JPEG,
    the sheets the JPEG alone, so that both are "WebP, then JPEG" and the folder's encoder is no label.
    """
    if not sheets:
        return
    rng = np.random.default_rng([seed, 1])
    for name, regions in sheets.items():
        for region in regions:
            collector.add_fake(through(region, _draw_jpeg(rng)), name)
        collector.give_share(name, _SHARE_OF_WHOLE / len(sheets))
    reals = collector.reals()
    for n in rng.permutation(len(reals))[: 2 * sum(map(len, sheets.values()))]:
        region, source = reals[n]
        webp = Encoding(media_type="image/webp", quality=int(rng.integers(75, 96)))
        collector.add_real(through(through(region, webp), _draw_jpeg(rng)), source, single=True)


def _draw_jpeg(rng: np.random.Generator) -> Encoding:
    return Encoding(
        media_type="image/jpeg", quality=int(rng.integers(80, 99)), full_chroma=bool(rng.random() < 0.3)
    )
