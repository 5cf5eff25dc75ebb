"""What a detector of a folder is calibrated and judged on, written as files with digests, so that calibration
and evaluation take the path of any other corpus.

Photos of the calibration and the test part, whole; regions of them beside the fakes that makers made of those
very regions; and mosaics of small pictures beside mosaics of real tiles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from detector.core.errors import FileDamaged, FileFailed, TooFewPictures
from detector.core.progress import Report
from detector.data.corpus import Item, check_no_leak
from detector.data.splits import Split
from detector.lab.folder.photos import held_out_of, regions_of
from detector.lab.steps.regions import Make, Small, mosaics
from detector.pixels.decode import Pixels
from detector.zoo.export import png_bytes
from detector.zoo.sources.photos import Photo, PhotoIndex

_FEWEST_FAKES = 2  # of a region


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Pictures as items below a root, and which of them are a region and a fake made from it."""

    items: tuple[Item, ...]
    pairs: tuple[tuple[str, str], ...]


def write_held_out(
    root: Path, index: PhotoIndex, makers: Mapping[str, Make], small: Mapping[Split, Sequence[Small]], *,
    seed: int, report: Report, effort: float = 1.0,
) -> HeldOut:  # fmt: skip
    """Files below ``root``/held_out and items for them and for the held-out photos, which are reached through
    the link ``root``/photos. With less ``effort`` every region has fakes by fewer makers, by turns, and where
    that does not suffice fewer photos are held out. Raises ``LabError``."""
    link = root / "photos"
    try:
        if not link.is_symlink():
            link.symlink_to(index.folder.absolute(), target_is_directory=True)
    except OSError as e:
        raise FileFailed(f"{link} cannot be made: {e.strerror}") from e
    writer, names = _Writer(root), list(makers)
    each = max(min(_FEWEST_FAKES, len(names)), round(effort * len(names)))
    for k, split in enumerate((Split.CALIBRATION, Split.TEST)):
        rng = np.random.default_rng([seed, 23, k])
        photos = held_out_of(index, split, effort * len(names) / each if each else effort)
        for n, photo in enumerate(photos):
            writer.photo(photo)
            for region in regions_of(index, photo, 1, rng):
                original = writer.picture(region, "regions", False, split, photo.unit)
                for name in by_turns(names, n * each, each):
                    made = writer.picture(makers[name](region), name, True, split, photo.unit)
                    writer.pairs.append((original, made))
            report(f"making {split.value} fakes", n + 1, len(photos))
        for one in small[split]:
            pairs = list(mosaic_pairs(one, rng))
            for real, fake in pairs[: max(1, round(effort * len(pairs)))]:
                writer.picture(fake, one.family, True, split, "")
                writer.picture(real, "tiles", False, split, "")
    return writer.done()


def by_turns(names: Sequence[str], first: int, count: int) -> list[str]:
    """So many names, from the ``first`` on, from the beginning again behind the last."""
    return [names[(first + k) % len(names)] for k in range(count)]


def mosaic_pairs(small: Small, rng: np.random.Generator) -> Iterator[tuple[Pixels, Pixels]]:
    """(real, fake) mosaics as large as a region, in the same arrangement."""
    order = rng.permutation(min(len(small.fake), len(small.real)))
    yield from zip(mosaics(small.real[order]), mosaics(small.fake[order]), strict=True)


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

    def done(self) -> HeldOut:
        for split in (Split.CALIBRATION, Split.TEST):
            for fake in (False, True):
                if not any(i.split is split and i.fake is fake for i in self._items):
                    kind = "generated" if fake else "real"
                    raise TooFewPictures(f"the {split.value} part holds no {kind} pictures; add photos")
        check_no_leak(self._items)
        return HeldOut(items=tuple(self._items), pairs=tuple(self.pairs))


def dump_held_out(held: HeldOut) -> str:
    rows = {"items": [asdict(i) for i in held.items], "pairs": [list(p) for p in held.pairs]}
    return json.dumps({"schema": "assay.held-out/1", **rows}, indent=0) + "\n"


def parse_held_out(text: str) -> HeldOut:
    """Raises ``FileDamaged``."""
    try:
        raw = json.loads(text)
        items = tuple(Item(**{**i, "split": Split(i["split"])}) for i in raw["items"])
        return HeldOut(items=items, pairs=tuple((str(a), str(b)) for a, b in raw["pairs"]))
    except (ValueError, KeyError, TypeError) as e:
        raise FileDamaged("held_out.json is no list of pictures; remove it and run again") from e
