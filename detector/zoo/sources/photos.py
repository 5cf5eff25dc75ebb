"""Any folder of photos, indexed and cut into tiles.

A photo is decoded where everything else is decoded (``detector.pixels.decode``), and the unit of a split is
the photo with all its near copies, never a tile. Tiles are windows at least twice as wide as the tile, shrunk
by area averaging at a random phase, which removes the block grid of the photo's own compression: a generator
that learned it, and a detector that found it, would both be about JPEG. What cannot be used is listed with
its reason and skipped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import (
    CorpusError,
    FileFailed,
    LabError,
    NotApplicable,
    PixelsUnreadable,
    TooFewPictures,
)
from detector.core.files import read_file
from detector.core.progress import Report, silent
from detector.data.splits import Split, split_units
from detector.generators.source import ImageSource, digested
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.preprocess import texture_of

SHARES = (0.6, 0.2, 0.2)  # of the photos of a folder, in the order of Split
MIN_SHRINK = 2.0
_MAX_SHRINK = 12.0
_MIN_TILE_TEXTURE = 2.0  # mean absolute Laplacian; shrinking has made edges steeper than in a photo
_WANTED_TILES = 6000
_TILES_PER_PHOTO = (4, 64)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_HASH_ROWS = 16
TWIN = "the same bytes as "  # begins the reason of what is passed over for another file
_NEAR_COPY_BITS = 25  # of 256; two photos of different scenes differ in about 128


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


def index_photos(folder: Path, *, report: Report = silent) -> PhotoIndex:
    """Read every photo once: digest, whether it decodes, near copies, split. Raises ``LabError`` for a
    folder that cannot be read or holds no usable photo."""
    if not folder.is_dir():
        raise FileFailed(f"{folder} is no folder; name cifar10, mnist or a folder of photos")
    paths, skipped = named_as_photos(folder)
    found: dict[str, tuple[str, str, NDArray[np.bool_]]] = {}
    for n, path in enumerate(paths):
        name = path.relative_to(folder).as_posix()
        try:
            sha256, kind, bits = _examined(path)
        except (LabError, NotApplicable, PixelsUnreadable) as e:
            skipped.append(Skipped(path=name, reason=e.detail))
        else:
            if sha256 in found:
                skipped.append(Skipped(path=name, reason=TWIN + found[sha256][0]))
            found.setdefault(sha256, (name, kind, bits))
        report("reading photos", n + 1, len(paths))
    if not paths:
        raise TooFewPictures(f"{folder} holds no JPEG, PNG or WebP photo; name a folder of photos")
    if not found:
        first = skipped[0]
        raise TooFewPictures(
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


def named_as_photos(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Files in the order of their paths, and what below the folder may not be looked into. Raises
    ``FileFailed`` when that is the folder itself."""
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
            raise FileFailed(f"{folder} {reason}") from error
        skipped.append(Skipped(path=Path(error.filename).relative_to(folder).as_posix(), reason=reason))
    return sorted(found), skipped


def _examined(path: Path) -> tuple[str, str, NDArray[np.bool_]]:
    """Digest, media type and the bits that near copies share."""
    data, kind = read_encoded(path)
    return hashlib.sha256(data).hexdigest(), kind, _scene_bits(decode(data, kind))


def read_encoded(path: Path) -> tuple[bytes, str]:
    """The bytes of a picture and their media type, which they decide, never the name. Raises ``FileFailed``,
    and ``CorpusError`` for another format."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise FileFailed(f"cannot be read: {e.strerror}") from e
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
    index: PhotoIndex, side: int, *, seed: int, split: Split, report: Report = silent
) -> ImageSource:
    """Tiles of the photos of one split; ``groups`` numbers the photo, near copies as one. Photos that are too
    small or flat give none. Raises ``TooFewPictures`` when nothing is left."""
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
        raise TooFewPictures(
            f"the {split.value} part of {index.folder.name} has {len(photos)} photos and no tile of {side} "
            "pixels; add photos that are larger or not flat"
        )
    name, numbers = f"{index.folder.name}/{split.value}", np.array(groups, np.int64)
    return digested(ImageSource(name=name, images=np.stack(images), groups=numbers, mirrors=True))


def read_photo(folder: Path, photo: Photo) -> Pixels:
    """The pixels of a photo of an index. Raises ``LabError`` when its file is no longer the one that was
    indexed."""
    data = read_file(folder / photo.path, photo.path)
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
