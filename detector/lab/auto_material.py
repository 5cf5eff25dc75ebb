"""What a detector learns from and is judged on, made from one folder of photos and the zoo fitted on it.

Full-size photos give regions at native resolution; makers (families that pass a picture of any size through
themselves, and small autoencoders) turn the very same regions into fakes. Families that only draw small
pictures are laid out as mosaics, and so are the real tiles beside them. What is held out is written as files
with digests, so that calibration and evaluation take the path of any other corpus.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import CorpusError, DetectorError, NotApplicable
from detector.core.threads import one_thread
from detector.data.corpus import Item, check_no_leak
from detector.data.splits import Split
from detector.generators.aligned.autoencoders import UPSAMPLERS, reconstruct, train_autoencoder
from detector.generators.family import Aligned
from detector.generators.pictures import as_bytes, as_floats
from detector.lab.fakes import REGION_SIDE, Collector, random_regions, sizes_of
from detector.lab.training_set import TrainingSet, pictures_digest
from detector.models.calibration import MIN_ITEMS
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import crops_of
from detector.zoo.export import png_bytes
from detector.zoo.sources.photos import Photo, PhotoIndex, read_photo
from detector.zoo.store import Fitted

Pictures = NDArray[np.uint8]
Make = Callable[[Pixels], Pixels]
Report = Callable[[str, int, int], None]

LEAST = {Split.TRAIN: 20, Split.CALIBRATION: MIN_ITEMS, Split.TEST: 10}  # usable photos
FOLDER = 130  # usable photos in a folder that has enough in every part, nine times out of ten
SLOWEST = 0.3  # CPU seconds for a region; thousands are made
MAX_REGIONS = 2000
MAX_HELD_OUT = 200  # photos per split
_REGIONS_PER_PHOTO = (2, 8)
_FAKES_PER_REGION = 2
_ALIGNED_SHARE = 0.6
_POOL = 60  # photos that the small autoencoders are fitted on


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """Small pictures of one family for one split, uint8 (n, side, side, 3). ``twins``: the real pictures they
    were made from, or other real ones of the split."""

    family: str
    fake: Pictures
    twins: Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Held-out pictures as items below a root, and which of them are a region and a fake made from it."""

    items: tuple[Item, ...]
    pairs: tuple[tuple[str, str], ...]


def require_enough(index: PhotoIndex) -> None:
    """Raises ``CorpusError`` when a split has fewer usable photos than ``LEAST``, before hours are spent.
    Near copies count as one. Reads no more photos than it must."""
    for split, least in LEAST.items():
        units: set[str] = set()
        for photo in _by_digest(index.of(split)):
            if len(units) == least:
                break
            if photo.unit not in units and _usable(read_photo(index.folder, photo)):
                units.add(photo.unit)
        if len(units) < least:
            raise CorpusError(
                f"{index.folder} has too few photos: {len(units)} usable ones fell into the {split.value} "
                f"part, and {least} are needed; about {FOLDER} different photos are enough, in colour, not "
                f"flat, both sides {REGION_SIDE} pixels or more"
            )


def _usable(picture: Pixels) -> bool:
    try:
        crops_of(picture, max_crops=1)
    except NotApplicable:
        return False
    return bool(min(picture.shape[:2]) >= REGION_SIDE)


def zoo_makers(fitted: Sequence[Fitted], *, slowest: float = SLOWEST) -> dict[str, Make]:
    """Families that pass a region of any size through themselves, in ``slowest`` CPU seconds at most."""
    trial = np.zeros((REGION_SIDE, REGION_SIDE, 3), np.uint8)
    makers: dict[str, Make] = {}
    for one in fitted:
        if not isinstance(one.family, Aligned) or one.spec.channels != 3:
            continue
        make = partial(_passed_through, one.family)
        try:
            with one_thread():  # threads that wait for each other spend CPU seconds too
                usable = make(trial).shape == trial.shape
                began = time.process_time()
                make(trial)
                spent = time.process_time() - began
        except (DetectorError, RuntimeError, ValueError):  # layers that fit one size only
            continue
        if usable and spent <= slowest:
            makers[one.spec.family] = make
    return makers


@torch.no_grad()
def _passed_through(family: Aligned, region: Pixels) -> Pixels:
    out: Pixels = as_bytes(family.reconstruct(as_floats(region[None])))[0]
    return out


def own_makers(index: PhotoIndex, *, steps: int, seed: int, report: Report) -> dict[str, Make]:
    """Four small autoencoders that differ in how they enlarge, fitted on training photos."""
    rng = np.random.default_rng([seed, 21])
    photos = [read_photo(index.folder, p) for p in _by_digest(index.of(Split.TRAIN))[:_POOL]]
    pool = [s for p in photos if min(p.shape[:2]) >= REGION_SIDE for s in sizes_of(p, rng)]
    makers: dict[str, Make] = {}
    for k, upsampler in enumerate(UPSAMPLERS if pool else ()):
        net = train_autoencoder(upsampler, pool, steps=steps, seed=seed + k)
        makers[f"ae_{upsampler}"] = partial(reconstruct, net)
        report("training small autoencoders", k + 1, len(UPSAMPLERS))
    return makers


def training_material(
    index: PhotoIndex, makers: Mapping[str, Make], small: Sequence[Small], *, seed: int, report: Report
) -> TrainingSet:
    """Regions of training photos with fakes made from them, and mosaics. Raises ``CorpusError`` when a class
    is empty."""
    rng = np.random.default_rng([seed, 22])
    collector = Collector()
    names = list(makers)
    photos = _by_digest(index.of(Split.TRAIN))[: MAX_REGIONS // _REGIONS_PER_PHOTO[0]]
    least, most = _REGIONS_PER_PHOTO
    each = min(most, max(least, MAX_REGIONS // max(1, len(photos))))
    for n, photo in enumerate(photos):
        for region in _regions(index, photo, each, rng):
            twin = collector.add_real(region, "photos", single=False)
            for k in rng.choice(len(names), min(_FAKES_PER_REGION, len(names)), replace=False):
                collector.add_fake(makers[names[k]](region), names[k], twin)
        report("making fakes from training photos", n + 1, len(photos))
    for one in small:
        pairs = list(mosaic_pairs(one, rng))
        for real, fake in pairs:
            collector.add_fake(fake, one.family, collector.add_real(real, "tiles", single=False))
    _share(collector, names, [s.family for s in small])
    data = collector.done()
    return TrainingSet(
        real=data.real, source=data.source, single=data.single, fake=data.fake, family=data.family,
        twin=data.twin, families=data.families, sources=data.sources, share=data.share,
        digest=pictures_digest(data.real, data.fake, data.twin),
    )  # fmt: skip


def _share(collector: Collector, aligned: Sequence[str], small: Sequence[str]) -> None:
    """Both kinds have a fixed part, and within a kind every family the same."""
    part = _ALIGNED_SHARE if small else 1.0
    for name in dict.fromkeys([*aligned, *small]):
        share = part / len(aligned) if name in aligned else 0.0
        share += (1 - part) / len(small) if name in small else 0.0
        collector.give_share(name, share)


def _regions(index: PhotoIndex, photo: Photo, count: int, rng: np.random.Generator) -> list[Pixels]:
    """Regions of the photo and of smaller ones of it, at most ``count``."""
    picture = read_photo(index.folder, photo)
    if min(picture.shape[:2]) < REGION_SIDE:
        return []
    sizes = sizes_of(picture, rng)
    out: list[Pixels] = []
    for size in sizes:
        out += random_regions(size, -(-count // len(sizes)), rng)
    return out[:count]


def mosaic_pairs(small: Small, rng: np.random.Generator) -> Iterator[tuple[Pixels, Pixels]]:
    """(real, fake) mosaics as large as a region, in the same arrangement."""
    side = small.fake.shape[1]
    across = REGION_SIDE // side
    count = min(len(small.fake), len(small.twins))
    order = rng.permutation(count)
    for at in range(0, count - across**2 + 1, across**2):
        chosen = order[at : at + across**2]
        yield _mosaic(small.twins[chosen], across), _mosaic(small.fake[chosen], across)


def _mosaic(tiles: Pictures, across: int) -> Pixels:
    side = tiles.shape[1]
    grid = tiles.reshape(across, across, side, side, 3).transpose(0, 2, 1, 3, 4)
    out: Pixels = np.ascontiguousarray(grid.reshape(across * side, across * side, 3))
    return out


def write_material(
    root: Path,
    index: PhotoIndex,
    makers: Mapping[str, Make],
    small: Mapping[Split, Sequence[Small]],
    *,
    seed: int,
    report: Report,
) -> Material:
    """Files below ``root``/held_out and items for them and for the held-out photos, which are reached through
    the link ``root``/photos. Raises ``CorpusError``."""
    link = root / "photos"
    try:
        if not link.is_symlink():
            link.symlink_to(index.folder.absolute(), target_is_directory=True)
    except OSError as e:
        raise CorpusError(f"{link} cannot be made: {e.strerror}") from e
    writer = _Writer(root)
    for k, split in enumerate((Split.CALIBRATION, Split.TEST)):
        rng = np.random.default_rng([seed, 23, k])
        photos = _by_digest(index.of(split))[:MAX_HELD_OUT]
        for n, photo in enumerate(photos):
            writer.photo(photo)
            for region in _regions(index, photo, 1, rng):
                original = writer.picture(region, "regions", False, split, photo.unit)
                for name, make in makers.items():
                    made = writer.picture(make(region), name, True, split, photo.unit)
                    writer.pairs.append((original, made))
            report(f"making {split.value} fakes", n + 1, len(photos))
        for one in small[split]:
            for real, fake in mosaic_pairs(one, rng):
                writer.picture(fake, one.family, True, split, "")
                writer.picture(real, "tiles", False, split, "")
    return writer.done()


class _Writer:
    def __init__(self, root: Path) -> None:
        self._root, self._items, self._seen = root, list[Item](), set[str]()
        self.pairs: list[tuple[str, str]] = []

    def photo(self, photo: Photo) -> None:
        item = Item(
            path=f"photos/{photo.path}", set_name="photos", fake=False, unit=photo.unit,
            split=photo.split, sha256=photo.sha256, media_type=photo.media_type, grid=False,
        )  # fmt: skip
        self._items.append(item)

    def picture(self, pixels: Pixels, set_name: str, fake: bool, split: Split, unit: str) -> str:
        """Returns the path; the same pixels are written once."""
        data = png_bytes(pixels)
        digest = hashlib.sha256(data).hexdigest()
        path = f"held_out/{split.value}/{set_name}/{digest[:20]}.png"
        if path not in self._seen:
            self._seen.add(path)
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            (self._root / path).write_bytes(data)
            self._items.append(
                Item(
                    path=path, set_name=set_name, fake=fake, unit=unit or f"mosaic:{digest}", split=split,
                    sha256=digest, media_type="image/png", grid=False,
                )
            )  # fmt: skip
        return path

    def done(self) -> Material:
        for split in (Split.CALIBRATION, Split.TEST):
            for fake in (False, True):
                if not any(i.split is split and i.fake is fake for i in self._items):
                    kind = "generated" if fake else "real"
                    raise CorpusError(f"the {split.value} part holds no {kind} pictures; add photos")
        check_no_leak(self._items)
        return Material(items=tuple(self._items), pairs=tuple(self.pairs))


def _by_digest(photos: Sequence[Photo]) -> list[Photo]:
    return sorted(photos, key=lambda p: p.sha256)


def dump_material(material: Material) -> str:
    rows = {"items": [asdict(i) for i in material.items], "pairs": [list(p) for p in material.pairs]}
    return json.dumps({"schema": "assay.held-out/1", **rows}, indent=0) + "\n"


def parse_material(text: str) -> Material:
    """Raises ``CorpusError``."""
    try:
        raw = json.loads(text)
        items = tuple(Item(**{**i, "split": Split(i["split"])}) for i in raw["items"])
        return Material(items=items, pairs=tuple((str(a), str(b)) for a, b in raw["pairs"]))
    except (ValueError, KeyError, TypeError) as e:
        raise CorpusError("held_out.json is no list of pictures; remove it and run again") from e
