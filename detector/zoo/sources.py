"""Real pictures for a fit: two named sets, or any folder of photos cut into tiles.

A photo is decoded where everything else is decoded (``detector.pixels.decode``), and the unit of a split is
the photo with all its near copies, never a tile. Tiles are windows at least twice as wide as the tile, shrunk
by area averaging at a random phase, which removes the block grid of the photo's own compression: a generator
that learned it, and a detector that found it, would both be about JPEG. What cannot be used is listed with
its reason and skipped.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CorpusError, LabError, NotApplicable, PixelsUnreadable
from detector.core.files import TORN_ARCHIVE
from detector.data.splits import Split, split_units
from detector.generators.spec import ImageSource
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.preprocess import texture_of

NAMED = ("cifar10", "mnist")
SHARES = (0.6, 0.2, 0.2)  # of the photos of a folder, in the order of Split
MIN_SHRINK = 2.0
_MAX_SHRINK = 12.0
_MIN_TILE_TEXTURE = 2.0  # mean absolute Laplacian; shrinking has made edges steeper than in a photo
_WANTED_TILES = 6000
_TILES_PER_PHOTO = (4, 64)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_MOSAIC_ROWS, _MOSAIC_COLUMNS, _CIFAR_SIDE, _MNIST_SIDE = 25, 40, 32, 28
_CIFAR_COLUMNS = {"split", "file", "index", "label", "class"}
_HASH_ROWS = 16
_NEAR_COPY_BITS = 25  # of 256; two photos of different scenes differ in about 128

Report = Callable[[str, int, int], None]  # what, done, of how many


def _silent(_what: str, _done: int, _total: int) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One readable photo. ``unit`` is the smallest digest among its near copies."""

    path: str
    sha256: str
    media_type: str
    unit: str
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoIndex:
    """What a folder holds, in the order of the paths."""

    folder: Path
    photos: tuple[Photo, ...]
    skipped: tuple[Skipped, ...]

    def of(self, split: Split) -> tuple[Photo, ...]:
        return tuple(p for p in self.photos if p.split is split)

    def digest(self) -> str:
        """One digest over what is used and where it was placed."""
        lines = sorted(f"{p.sha256} {p.split.value}" for p in self.photos)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def open_source(
    data: str | Path,
    side: int,
    *,
    seed: int,
    split: Split,
    corpus: Path | None = None,
    report: Report = _silent,
) -> ImageSource:
    """Pictures of a named set (below ``corpus``, or below the folder itself) or tiles of a folder of photos.
    ``seed`` decides the tiles. Raises ``CorpusError``."""
    if str(data) in NAMED:
        return open_named(str(data), side, split=split, corpus=corpus)
    return tiles_of(index_photos(Path(data), report=report), side, seed=seed, split=split, report=report)


def open_named(name: str, side: int, *, split: Split, corpus: Path | None) -> ImageSource:
    """CIFAR-10 or MNIST as their publishers divided them: there is no calibration part. Raises
    ``CorpusError``."""
    if corpus is None:
        raise CorpusError(f"{name} lies in a corpus folder; name it with --corpus or ASSAY_DATA")
    if split is Split.CALIBRATION:
        raise CorpusError(f"{name} was published with a training and a test part only")
    folder = next((f for f in (corpus / "train" / name, corpus / name) if f.is_dir()), None)
    if folder is None:
        raise CorpusError(f"{corpus} holds no folder {name} or train/{name}")
    images, labels, names = (_cifar10 if name == "cifar10" else _mnist)(folder, split.value)
    pictures = _resized(name, images, side)
    return _source(f"{name}/{split.value}", pictures, labels, names, mirrors=name == "cifar10")


def _cifar10(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Lossless mosaics of 25 rows and 40 columns, and a table of labels in the order of the pictures."""
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as f:
            table = list(csv.DictReader(f))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise CorpusError(f"{folder.name}/labels.csv cannot be read") from e
    if not table or not set(table[0]) >= _CIFAR_COLUMNS:
        raise CorpusError(f"{folder.name}/labels.csv lacks columns")
    try:
        rows = sorted(
            (int(r["file"]), int(r["index"]), int(r["label"]), r["class"])
            for r in table
            if r["split"] == split
        )
    except (TypeError, ValueError) as e:
        raise CorpusError(f"{folder.name}/labels.csv holds a row that is no picture") from e
    mosaics = {n: _mosaic(folder / f"{split}_{n:02d}.webp") for n in sorted({r[0] for r in rows})}
    if not rows or any(not 0 <= r[1] < len(mosaics[r[0]]) for r in rows):
        raise CorpusError(f"{folder.name}/labels.csv names pictures that the mosaics do not hold")
    names = {r[2]: r[3] for r in rows}
    if sorted(names) != list(range(len(names))):
        raise CorpusError(f"{folder.name}/labels.csv skips a class")
    images = np.stack([mosaics[r[0]][r[1]] for r in rows])
    return images, np.array([r[2] for r in rows], np.int64), tuple(names[k] for k in sorted(names))


def _mosaic(path: Path) -> NDArray[np.uint8]:
    s = _CIFAR_SIDE
    try:
        pixels = decode(path.read_bytes(), "image/webp")
    except OSError as e:
        raise CorpusError(f"{path.name} cannot be read: {e.strerror}") from e
    except (NotApplicable, PixelsUnreadable) as e:
        raise CorpusError(f"{path.name} cannot be decoded: {e.detail}") from e
    if pixels.shape != (_MOSAIC_ROWS * s, _MOSAIC_COLUMNS * s, 3):
        raise CorpusError(f"{path.name} is not a mosaic of {_MOSAIC_ROWS} x {_MOSAIC_COLUMNS} pictures")
    return pixels.reshape(_MOSAIC_ROWS, s, _MOSAIC_COLUMNS, s, 3).swapaxes(1, 2).reshape(-1, s, s, 3)


def _mnist(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    path = next(iter(sorted(folder.glob("*.npz"))), None)
    if path is None:
        raise CorpusError(f"{folder.name} holds no .npz file")
    try:
        with path.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            images, labels = stored[f"x_{split}"], stored[f"y_{split}"].astype(np.int64)
    # A plain array is no context manager, and a torn archive has errors of its own.
    except (OSError, *TORN_ARCHIVE) as e:
        raise CorpusError(f"{path.name} holds no readable x_{split} and y_{split}") from e
    if (
        images.dtype != np.uint8
        or images.shape[1:] != (_MNIST_SIDE, _MNIST_SIDE)
        or len(labels) != len(images)
    ):
        raise CorpusError(f"{path.name} does not hold 28 x 28 pictures with a label each")
    return images[:, :, :, None], labels, tuple("0123456789")


def _resized(name: str, images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Smaller by area averaging; digits may get a black frame up to 32; nothing is enlarged."""
    own = images.shape[1]
    if side == own:
        return images
    if own == _MNIST_SIDE and side == _CIFAR_SIDE:
        return np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    if not 1 <= side < own:
        raise CorpusError(f"{name} has pictures of {own} pixels; a side of {side} would enlarge them")
    cv2 = open_cv2()
    small = [cv2.resize(i, (side, side), interpolation=cv2.INTER_AREA) for i in images]
    return np.stack(small).reshape(len(images), side, side, images.shape[3])


def index_photos(folder: Path, *, report: Report = _silent) -> PhotoIndex:
    """Read every photo once: digest, whether it decodes, near copies, split. Raises ``CorpusError`` for a
    folder that cannot be read or holds no usable photo."""
    if not folder.is_dir():
        raise CorpusError(f"{folder} is no folder; name cifar10, mnist or a folder of photos")
    paths, skipped = _named_as_photos(folder)
    found: dict[str, tuple[str, str, NDArray[np.bool_]]] = {}
    for n, path in enumerate(paths):
        name = path.relative_to(folder).as_posix()
        try:
            sha256, kind, bits = _examined(path)
        except (LabError, NotApplicable, PixelsUnreadable) as e:
            skipped.append(Skipped(path=name, reason=e.detail))
        else:
            if sha256 in found:
                skipped.append(Skipped(path=name, reason=f"the same bytes as {found[sha256][0]}"))
            found.setdefault(sha256, (name, kind, bits))
        report("reading photos", n + 1, len(paths))
    if not paths:
        raise CorpusError(f"{folder} holds no JPEG, PNG or WebP photo; name a folder of photos")
    if not found:
        first = skipped[0]
        raise CorpusError(
            f"none of the {len(paths)} files in {folder} that are named as photos can be read ({first.path}: "
            f"{first.reason}); JPEG, PNG or WebP photos are needed"
        )
    digests = list(found)
    units = _units(digests, np.stack([found[d][2] for d in digests]))
    places = split_units(set(units), SHARES)
    photos = [
        Photo(path=found[d][0], sha256=d, media_type=found[d][1], unit=u, split=places[u])
        for d, u in zip(digests, units, strict=True)
    ]
    return PhotoIndex(folder=folder, photos=tuple(photos), skipped=tuple(skipped))


def _named_as_photos(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Files in the order of their paths, and what below the folder may not be looked into. Raises
    ``CorpusError`` when that is the folder itself."""
    found: list[Path] = []
    closed: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=closed.append):
        for path in (Path(place, n) for n in names if Path(n).suffix.lower() in _SUFFIXES):
            try:
                found += [path] if path.is_file() else []
            except OSError as e:
                closed.append(e)
    skipped = []
    for error in closed:
        reason = f"cannot be read: {error.strerror}"
        if Path(error.filename) == folder:
            raise CorpusError(f"{folder} {reason}") from error
        skipped.append(Skipped(path=Path(error.filename).relative_to(folder).as_posix(), reason=reason))
    return sorted(found), skipped


def _examined(path: Path) -> tuple[str, str, NDArray[np.bool_]]:
    """Digest, media type and the bits that near copies share."""
    data, kind = _read(path)
    return hashlib.sha256(data).hexdigest(), kind, _scene_bits(decode(data, kind))


def _read(path: Path) -> tuple[bytes, str]:
    """The bytes decide the type, never the name."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise CorpusError(f"cannot be read: {e.strerror}") from e
    if data.startswith(b"\xff\xd8\xff"):
        return data, "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data, "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data, "image/webp"
    raise CorpusError("neither JPEG, PNG nor WebP")


def _scene_bits(pixels: Pixels) -> NDArray[np.bool_]:
    """256 signs of horizontal slopes of the shrunk picture; re-encoding and resizing change few of them."""
    cv2 = open_cv2()
    size = (_HASH_ROWS + 1, _HASH_ROWS)
    small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small[:, 1:] > small[:, :-1]).ravel()


def _units(digests: Sequence[str], bits: NDArray[np.bool_]) -> list[str]:
    """Join near copies, transitively; each photo gets the smallest digest of its group."""
    signs = bits.astype(np.float32) * 2 - 1
    unit = list(range(len(digests)))
    for i in range(1, len(digests)):
        differing = (signs.shape[1] - signs[:i] @ signs[i]) / 2
        for j in np.flatnonzero(differing <= _NEAR_COPY_BITS):
            a, b = _root(unit, i), _root(unit, int(j))
            unit[max(a, b)] = min(a, b)
    groups: dict[int, str] = {}
    for i, digest in enumerate(digests):
        root = _root(unit, i)
        groups[root] = min(groups.get(root, digest), digest)
    return [groups[_root(unit, i)] for i in range(len(digests))]


def _root(unit: list[int], i: int) -> int:
    while unit[i] != i:
        i = unit[i]
    return i


def tiles_of(
    index: PhotoIndex, side: int, *, seed: int, split: Split, report: Report = _silent
) -> ImageSource:
    """Tiles of the photos of one split; ``groups`` numbers the photo, near copies as one. Photos that are too
    small or flat give none. Raises ``CorpusError`` when nothing is left."""
    photos = index.of(split)
    units = {unit: n for n, unit in enumerate(dict.fromkeys(p.unit for p in photos))}
    images, groups = [], []
    least, most = _TILES_PER_PHOTO
    wanted = min(most, max(least, -(-_WANTED_TILES // max(1, len(photos)))))
    for n, photo in enumerate(photos):
        rng = np.random.default_rng([seed, int(photo.sha256[:16], 16)])
        tiles = list(draw_tiles(read_photo(index.folder, photo), side, wanted, rng))
        images += tiles
        groups += [units[photo.unit]] * len(tiles)
        report(f"cutting {split.value} tiles", n + 1, len(photos))
    if not images:
        raise CorpusError(
            f"the {split.value} part of {index.folder.name} has {len(photos)} photos and no tile of {side} "
            "pixels; add photos that are larger or not flat"
        )
    name, numbers = f"{index.folder.name}/{split.value}", np.array(groups, np.int64)
    return _source(name, np.stack(images), None, (), numbers, mirrors=True)


def read_photo(folder: Path, photo: Photo) -> Pixels:
    """The pixels of a photo of an index. Raises ``CorpusError`` when its file is no longer the one that was
    indexed."""
    try:
        data = (folder / photo.path).read_bytes()
    except OSError as e:
        raise CorpusError(f"{photo.path} cannot be read: {e.strerror}") from e
    if hashlib.sha256(data).hexdigest() != photo.sha256:
        raise CorpusError(f"{photo.path} has changed since it was indexed")
    return decode(data, photo.media_type)


def draw_tiles(pixels: Pixels, side: int, wanted: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Up to ``wanted`` tiles that are not flat, from windows of random place and size."""
    cv2 = open_cv2()
    height, width = pixels.shape[:2]
    largest = min(_MAX_SHRINK, min(height, width) / side)
    if largest < MIN_SHRINK:
        return
    found = 0
    for _ in range(3 * wanted):
        window = int(side * MIN_SHRINK * (largest / MIN_SHRINK) ** rng.random())
        y, x = rng.integers(height - window + 1), rng.integers(width - window + 1)
        tile: Pixels = cv2.resize(
            pixels[y : y + window, x : x + window], (side, side), interpolation=cv2.INTER_AREA
        )
        if texture_of(tile) >= _MIN_TILE_TEXTURE:
            yield tile
            found += 1
        if found == wanted:
            return


def _source(
    name: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    class_names: tuple[str, ...],
    groups: NDArray[np.int64] | None = None,
    *,
    mirrors: bool,
) -> ImageSource:
    images = np.ascontiguousarray(images)
    digest = hashlib.sha256(f"{images.shape}".encode() + images.tobytes())
    digest.update(b"" if labels is None else labels.tobytes())
    return ImageSource(
        name=name,
        images=images,
        labels=labels,
        class_names=class_names,
        digest=digest.hexdigest(),
        groups=groups,
        mirrors=mirrors,
    )
