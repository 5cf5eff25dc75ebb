"""From the corpus to a training set: regions of real photos, fakes made from those very regions, and whole
generated pictures.

A maker turns a region into a fake of the same content, so that only its trace differs: autoencoders of our
own, the published autoencoder of a latent diffusion model (clean, with a disturbed latent, with a smoothed
one: a diffusion model's latents are not those of any photo), and published GAN upscalers. Families sampled
by the zoo are smaller than a region; they are laid out as tiles, and so are the real tiles beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CorpusError
from detector.core.files import TORN_ARCHIVE, write_arrays
from detector.data.corpus import Item, corpus_digest, pictures
from detector.data.splits import Split
from detector.generators.aligned.autoencoders import UPSAMPLERS, Taef2, reconstruct, train_autoencoder
from detector.generators.aligned.upscalers import Upscaler, open_upscaler
from detector.lab.training_set import TrainingSet, pictures_digest
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import MIN_TEXTURE, texture_of

REGION_SIDE = 256
_FAKES_PER_REGION = 3
_PER_SHEET_PICTURE = 4
_AUTOENCODER_STEPS = 400
_RECIPE = "traces 2"  # part of the key of the cache: change it when the recipe changes
_SHARE_OF_WHOLE = 0.5  # beside 1 for aligned pairs: generated pictures that no photo was behind
_SHARE_OF_TILES = 0.2

Report = Callable[[str, int, int], None]  # what, done, of how many
Make = Callable[[Pixels], Pixels]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Pictures of one family of the zoo, uint8 (n, side, side, 3), and real ones of the same kind."""

    family: str
    fake: NDArray[np.uint8]
    real: NDArray[np.uint8]


def prepare(
    root: Path,
    items: Sequence[Item],
    *,
    seed: int,
    cache: Path,
    upscalers: Path | None = None,
    tiles: Sequence[Tiles] = (),
    report: Report,
) -> TrainingSet:
    """Build the set, or read it from ``cache`` when that was built from the same files, splits, makers and
    seed; tiles are laid beside it each time. Raises ``CorpusError``."""
    mine = [i for i in items if i.split is Split.TRAIN]
    key = _cache_key(mine, seed, upscalers is not None)
    built = _cached(cache, key)
    if built is None:
        built = replace(_build(root, mine, seed, upscalers, report), digest=key)
        arrays = {n: np.array(getattr(built, n)) for n in TrainingSet.__slots__}
        write_arrays(cache, {"key": np.array(key), **arrays})
    return with_tiles(built, tiles, seed)


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


def _cache_key(items: Sequence[Item], seed: int, upscaled: bool) -> str:
    parts = [corpus_digest(items), str(seed), _RECIPE, str(upscaled)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _build(root: Path, items: list[Item], seed: int, upscalers: Path | None, report: Report) -> TrainingSet:
    rng = np.random.default_rng(seed)
    collector = Collector()
    photos: list[tuple[Pixels, str]] = []
    sheets: dict[str, list[Pixels]] = {}
    for n, item in enumerate(sorted(items, key=lambda i: i.path)):
        for picture in pictures(root, item):
            if item.fake:
                regions = random_regions(picture, _PER_SHEET_PICTURE, rng)
                sheets.setdefault(item.set_name, []).extend(regions)
            elif min(picture.shape[:2]) >= REGION_SIDE:
                photos.append((picture, item.set_name))
        report("reading", n + 1, len(items))
    pool = [s for p, _ in photos for s in sizes_of(p, rng)]
    makers = _makers(root, pool, upscalers, seed, report)
    _add_aligned(collector, photos, makers, rng, report)
    add_whole(collector, sheets, seed)
    return collector.done()


def with_tiles(data: TrainingSet, tiles: Sequence[Tiles], seed: int) -> TrainingSet:
    """The set and, beside it, mosaics of tiles as large as a region. Every mosaic of fakes stands beside one
    of real tiles and passes the same encodings; seams are the same in both."""
    if not tiles:
        return data
    rng = np.random.default_rng([seed, 4])
    source = len(data.sources)
    real: list[Pixels] = []
    fake: list[Pixels] = []
    family: list[int] = []
    twin: list[int] = []
    for k, t in enumerate(tiles):
        for made, photo in zip(_mosaics(t.fake, rng), _mosaics(t.real, rng), strict=False):
            twin.append(len(data.real) + len(real))
            real.append(photo)
            fake.append(made)
            family.append(len(data.families) + k)
    if not fake:
        raise CorpusError("too few tiles for one mosaic")
    total = sum(data.share)
    return replace(
        data,
        real=np.concatenate([data.real, np.stack(real)]),
        source=np.concatenate([data.source, np.full(len(real), source)]),
        single=np.concatenate([data.single, np.zeros(len(real), bool)]),
        fake=np.concatenate([data.fake, np.stack(fake)]),
        family=np.concatenate([data.family, np.array(family)]),
        twin=np.concatenate([data.twin, np.array(twin)]),
        families=(*data.families, *(t.family for t in tiles)),
        sources=(*data.sources, "tiles"),
        share=(*data.share, *(total * _SHARE_OF_TILES / len(tiles) for _ in tiles)),
        digest=hashlib.sha256(
            f"{data.digest} {[(t.family, pictures_digest(t.fake, t.real)) for t in tiles]}".encode()
        ).hexdigest(),
    )


class Collector:
    """Gathers regions and gives them their numbers."""

    def __init__(self) -> None:
        self._real: list[Pixels] = []
        self._source: list[str] = []
        self._single: list[bool] = []
        self._fake: list[Pixels] = []
        self._family: list[str] = []
        self._twin: list[int] = []
        self._share: dict[str, float] = {}

    def add_real(self, region: Pixels, source: str, *, single: bool) -> int:
        self._real.append(region)
        self._source.append(source)
        self._single.append(single)
        return len(self._real) - 1

    def add_fake(self, region: Pixels, family: str, twin: int = -1) -> None:
        self._fake.append(region)
        self._family.append(family)
        self._twin.append(twin)

    def give_share(self, family: str, share: float) -> None:
        self._share[family] = share

    def reals(self) -> list[tuple[Pixels, str]]:
        return list(zip(self._real, self._source, strict=True))

    def done(self) -> TrainingSet:
        """Raises ``CorpusError`` when a class is empty."""
        if not self._real or not self._fake:
            raise CorpusError("the training set needs real and generated regions")
        sources = tuple(sorted(set(self._source)))
        families = tuple(dict.fromkeys(self._family))
        return TrainingSet(
            real=np.stack(self._real), source=np.array([sources.index(s) for s in self._source]),
            single=np.array(self._single), fake=np.stack(self._fake),
            family=np.array([families.index(f) for f in self._family]), twin=np.array(self._twin),
            families=families, sources=sources, share=tuple(self._share.get(f, 0.0) for f in families),
        )  # fmt: skip


def _add_aligned(
    collector: Collector,
    photos: list[tuple[Pixels, str]],
    makers: dict[str, tuple[Make, float]],
    rng: np.random.Generator,
    report: Report,
) -> None:
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


def _makers(
    root: Path, pool: list[Pixels], upscalers: Path | None, seed: int, report: Report
) -> dict[str, tuple[Make, float]]:
    """Name -> maker and weight."""
    rng = np.random.default_rng([seed, 3])
    taef2 = Taef2(root / "weights" / "taef2")
    out: dict[str, tuple[Make, float]] = {
        "taef2": (taef2.reconstruct, 3.0),
        "taef2_noise": (partial(_disturbed, taef2, rng), 1.5),
        "taef2_smooth": (partial(_smoothed, taef2, rng), 1.5),
    }
    if upscalers is not None:
        large = open_upscaler(upscalers, "realesrgan-x4plus")
        small = open_upscaler(upscalers, "realesr-animevideov3-x4")
        out["srgan_large"] = (partial(_enlarged, large, 4, rng), 1.2)
        out["srgan_small"] = (partial(_enlarged, small, 4, rng), 1.0)
        out["srgan_half"] = (partial(_enlarged, small, 2, rng), 1.2)
    for k, upsampler in enumerate(UPSAMPLERS):
        net = train_autoencoder(upsampler, pool, steps=_AUTOENCODER_STEPS, seed=seed + k)
        out[f"ae_{upsampler}"] = (partial(reconstruct, net), 0.8)
        report("training autoencoders", k + 1, len(UPSAMPLERS))
    return out


def _disturbed(taef2: Taef2, rng: np.random.Generator, region: Pixels) -> Pixels:
    import torch

    latent = taef2.encode(region)
    noise = torch.from_numpy(rng.normal(size=latent.shape).astype(np.float32))
    return taef2.decode(latent + float(rng.uniform(0.05, 0.3)) * latent.std() * noise)


def _smoothed(taef2: Taef2, rng: np.random.Generator, region: Pixels) -> Pixels:
    """Lower the resolution of the latent and raise it again: less detail than the picture had."""
    from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

    latent = taef2.encode(region)
    low = F.interpolate(latent, scale_factor=float(rng.uniform(0.55, 0.9)), mode="bicubic")
    return taef2.decode(F.interpolate(low, size=latent.shape[2:], mode="bicubic"))


def _enlarged(upscaler: Upscaler, factor: int, rng: np.random.Generator, region: Pixels) -> Pixels:
    """Shrink by ``factor``, let the upscaler bring it to four times that, shrink the rest."""
    side = len(region) // 4 * 4
    small = resize(region[:side, :side], 1 / factor, "area" if rng.random() < 0.7 else "cubic")
    return resize(upscaler(small), factor / 4, "cubic")


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


def _mosaics(tiles: NDArray[np.uint8], rng: np.random.Generator) -> list[Pixels]:
    side = tiles.shape[1]
    across = REGION_SIDE // side
    order = rng.permutation(len(tiles))
    count = len(tiles) // across**2
    chosen = tiles[order[: count * across**2]].reshape(count, across, across, side, side, 3)
    joined = chosen.transpose(0, 1, 3, 2, 4, 5).reshape(count, REGION_SIDE, REGION_SIDE, 3)
    return list(np.ascontiguousarray(joined))


def sizes_of(pixels: Pixels, rng: np.random.Generator) -> list[Pixels]:
    """The picture, and smaller ones of it that still hold a region: shrinking removes its JPEG history."""
    out = [pixels]
    for scale in (0.5, 0.33, 0.25, 0.18):
        exact = scale * float(rng.uniform(0.85, 1.15))
        kernel = str(rng.choice(["area", "cubic", "lanczos", "linear"]))
        if min(pixels.shape[:2]) * exact >= REGION_SIDE + 44:
            out.append(resize(pixels, exact, kernel))
    return out


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
