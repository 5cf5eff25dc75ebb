"""The pictures that the network is trained on, in memory: regions of real photos, of generated pictures, and
aligned pairs in which a fake stands beside the very region it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.augment import Encoding, resize, through
from detector.corpus import Item, Split, corpus_digest, pictures
from detector.errors import CorpusError
from detector.generators.recon import UPSAMPLERS, SmallAutoencoder, Taef2, reconstruct, train_autoencoder
from detector.pixels import Pixels
from detector.preprocess import MIN_TEXTURE, texture_of

REGION_SIDE = 256
_REGIONS_PER_PHOTO = 8
_AUTOENCODER_STEPS = 240
_RECIPE = "equal history 1"  # part of the key of the cache: change it when the recipe changes

FAMILIES = ("sd15", "taef2", *(f"ae_{u}" for u in UPSAMPLERS))

Report = Callable[[str, int, int], None]  # what, done, of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """``real_set`` numbers the source of a real region. ``twin`` is the real region that a fake was made
    from, or -1. ``paired`` regions of ``real`` are the twins; only the others are drawn on their own."""

    real: NDArray[np.uint8]
    real_set: NDArray[np.int64]
    paired: NDArray[np.bool_]
    fake: NDArray[np.uint8]
    family: NDArray[np.int64]
    twin: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.real) or not len(self.fake) or self.paired.all():
            raise CorpusError("the training set needs real, unpaired real and generated regions")


def prepare(root: Path, items: Sequence[Item], *, seed: int, cache: Path, report: Report) -> TrainingSet:
    """Build the set, or read it from ``cache`` when that was built from the same files, splits and seed.
    Raises ``CorpusError``."""
    mine = [i for i in items if i.split is Split.TRAIN]
    key = cache_key(mine, seed)
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            if str(stored["key"]) == key:
                return TrainingSet(**{n: stored[n] for n in TrainingSet.__slots__})
    built = equalise_history(_build(root, mine, seed, report), seed)
    temporary = cache.with_suffix(".part.npz")
    np.savez(temporary, key=key, **{n: getattr(built, n) for n in TrainingSet.__slots__})
    temporary.replace(cache)
    return built


def cache_key(items: Sequence[Item], seed: int) -> str:
    text = f"{corpus_digest(items)} {seed} {FAMILIES} {_RECIPE}"
    return hashlib.sha256(text.encode()).hexdigest()


def equalise_history(data: TrainingSet, seed: int) -> TrainingSet:
    """Let unpaired pictures end in the same history, whatever their folder was stored as.

    The sheets of the generator come as lossy WebP, the photos as JPEG. Unpaired reals pass a WebP and then a
    JPEG, the sheets the JPEG alone, so that both are "WebP, then JPEG" and the encoder of the folder is no
    label. Aligned pairs share their history already.
    """
    rng = np.random.default_rng([seed, 1])
    real, fake = data.real.copy(), data.fake.copy()
    for n in np.flatnonzero(~data.paired):
        webp = Encoding(media_type="image/webp", quality=int(rng.integers(75, 96)))
        real[n] = through(through(real[n], webp), _draw_jpeg(rng))
    for n in np.flatnonzero(data.twin < 0):
        fake[n] = through(fake[n], _draw_jpeg(rng))
    return replace(data, real=real, fake=fake)


def _draw_jpeg(rng: np.random.Generator) -> Encoding:
    return Encoding(
        media_type="image/jpeg", quality=int(rng.integers(80, 99)), full_chroma=bool(rng.random() < 0.3)
    )


def _build(root: Path, items: list[Item], seed: int, report: Report) -> TrainingSet:
    rng = np.random.default_rng(seed)
    collector = _Collector()
    photos: list[Pixels] = []
    names = sorted({i.set_name for i in items if not i.fake})
    for n, item in enumerate(sorted(items, key=lambda i: i.path)):
        for picture in pictures(root, item):
            wanted = 4 if item.fake else _REGIONS_PER_PHOTO
            regions = random_regions(picture, wanted, rng)
            if item.fake:
                collector.add_fakes(regions, FAMILIES.index("sd15"))
            elif regions:
                photos.append(picture)
                collector.add_reals(regions, names.index(item.set_name))
        report("reading", n + 1, len(items))
    _add_pairs(collector, photos, root, rng, seed, report)
    return collector.done()


class _Collector:
    def __init__(self) -> None:
        self.real: list[Pixels] = []
        self.real_set: list[int] = []
        self.paired: list[bool] = []
        self.fake: list[Pixels] = []
        self.family: list[int] = []
        self.twin: list[int] = []

    def add_reals(self, regions: list[Pixels], number: int) -> None:
        self.real += regions
        self.real_set += [number] * len(regions)
        self.paired += [False] * len(regions)

    def add_fakes(self, regions: list[Pixels], family: int, twin: int = -1) -> None:
        self.fake += regions
        self.family += [family] * len(regions)
        self.twin += [twin] * len(regions)

    def add_twin(self, region: Pixels) -> int:
        self.real.append(region)
        self.real_set.append(-1)
        self.paired.append(True)
        return len(self.real) - 1

    def done(self) -> TrainingSet:
        if not self.real or not self.fake:
            raise CorpusError("the training set needs real and generated regions")
        return TrainingSet(
            real=np.stack(self.real), real_set=np.array(self.real_set), paired=np.array(self.paired),
            fake=np.stack(self.fake), family=np.array(self.family), twin=np.array(self.twin),
        )  # fmt: skip


def _add_pairs(
    collector: _Collector,
    photos: list[Pixels],
    root: Path,
    rng: np.random.Generator,
    seed: int,
    report: Report,
) -> None:
    """Two bases per photo: at native size, and halved (which removes most of its own JPEG history)."""
    makers: list[Callable[[Pixels], Pixels]] = [Taef2(root / "weights" / "taef2").reconstruct]
    halved = [halve(p) for p in photos]
    for k, upsampler in enumerate(UPSAMPLERS):
        net = train_autoencoder(upsampler, halved + photos, steps=_AUTOENCODER_STEPS, seed=seed + k)
        makers.append(_maker(net))
        report("training autoencoders", k + 1, len(UPSAMPLERS))
    for n, (photo, half) in enumerate(zip(photos, halved, strict=True)):
        for base in (half, photo):
            for region in random_regions(base, 1, rng):
                twin = collector.add_twin(region)
                for family, make in enumerate(makers, start=1):
                    collector.add_fakes([make(region)], family, twin)
        report("reconstructing", n + 1, len(photos))


def _maker(net: SmallAutoencoder) -> Callable[[Pixels], Pixels]:
    return lambda region: reconstruct(net, region)


def halve(pixels: Pixels) -> Pixels:
    """Half the size, or as near to it as leaves a region."""
    return resize(pixels, max(0.5, (REGION_SIDE + 0.5) / min(pixels.shape[:2])), "area")


def random_regions(pixels: Pixels, count: int, rng: np.random.Generator) -> list[Pixels]:
    """Up to ``count`` regions with texture, at random places; none from a picture that is too small."""
    height, width = pixels.shape[:2]
    if min(height, width) < REGION_SIDE:
        return []
    out: list[Pixels] = []
    for _ in range(3 * count):
        y, x = rng.integers(height - REGION_SIDE + 1), rng.integers(width - REGION_SIDE + 1)
        region = pixels[y : y + REGION_SIDE, x : x + REGION_SIDE]
        if texture_of(region) >= MIN_TEXTURE:
            out.append(np.ascontiguousarray(region))
        if len(out) == count:
            break
    return out
