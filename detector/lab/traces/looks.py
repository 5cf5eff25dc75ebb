"""How whole pictures are shown to the finished backbone, and the features that it gives them.

Stored files carry their class in size and encoding (generated ones are often a megapixel of PNG). So a head
is fitted on views alone that give both classes the same draws of both; the file as it is stored is looked at
to measure, never to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.core.files import TORN_ARCHIVE, write_arrays
from detector.core.progress import Report
from detector.data.manifest import Row
from detector.lab.steps.scores import STORED
from detector.lab.traces.files import quarter, read_picture, rng_of
from detector.models.condition import JPEG, Condition
from detector.models.trace_network import TraceNetwork
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.preprocess import crops_of

LAUNDERED = "laundered"  # the shorter side 256 pixels, JPEG 90
DRAWS = ("drawn-0",)
VIEWS = (STORED, LAUNDERED, *DRAWS)
LEARNED = (LAUNDERED, *DRAWS)
_LAUNDERED = Condition(side=256, quality=90, media_type=JPEG)
_NEW = 7  # of the chance that belongs to a picture
_LEAST, _MOST = 224, 1600  # shorter sides that are drawn
_WINDOW = 800  # no more of a picture than such a square is encoded
_KERNELS = ("area", "area", "linear", "cubic", "lanczos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a backbone sees of one picture: ``features`` (d,), and in which condition it was shown."""

    features: NDArray[np.float32]
    condition: Condition


def shown(row: Row, pixels: Pixels, condition: Condition, view: str) -> tuple[Pixels, Condition]:
    """One of ``VIEWS`` of a picture, and its condition."""
    if view == STORED:
        return pixels, condition
    if view == LAUNDERED:
        return _laundered(pixels), _LAUNDERED
    return _drawn(pixels, rng_of(row, _NEW, VIEWS.index(view)))


def _laundered(pixels: Pixels) -> Pixels:
    scale = _LAUNDERED.side / min(pixels.shape[:2])
    small = resize(pixels, scale, "area" if scale < 1 else "cubic")
    return through(small, Encoding(media_type=JPEG, quality=_LAUNDERED.quality or 0))


def _drawn(pixels: Pixels, rng: np.random.Generator) -> tuple[Pixels, Condition]:
    """A part of a picture; half of the draws keep its size, and none enlarges it."""
    side = min(pixels.shape[:2])
    wanted = float(np.exp(rng.uniform(np.log(_LEAST), np.log(_MOST))))
    scale = 1.0 if rng.random() < 0.5 else min(1.0, wanted / side)
    pixels = _window(pixels, min(side, int(np.ceil(_WINDOW / scale))), rng)
    if rng.random() < 0.4:
        pixels = through(pixels, _encoding(rng, 70))
    pixels = resize(pixels, scale, str(rng.choice(_KERNELS)))
    if rng.random() < 0.1:
        pixels = open_cv2().GaussianBlur(pixels, (0, 0), float(rng.uniform(0.3, 0.8)))
    last = _encoding(rng, 60) if rng.random() < 0.8 else None
    pixels = through(pixels, last) if last else pixels
    kind = last.media_type if last else "image/png"
    quality = last.quality if last and kind == JPEG else None
    return pixels, Condition(side=min(pixels.shape[:2]), quality=quality, media_type=kind)


def _encoding(rng: np.random.Generator, least: int) -> Encoding:
    quality = int(rng.integers(least, 98))
    if rng.random() < 0.25:
        return Encoding(media_type="image/webp", quality=quality)
    return Encoding(media_type=JPEG, quality=quality, full_chroma=bool(rng.random() < 0.3))


def _window(pixels: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    """A square of the picture, at a random place."""
    height, width = pixels.shape[:2]
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return np.ascontiguousarray(pixels[y : y + side, x : x + side])


def looks_at(
    network: TraceNetwork, rows: Sequence[Row], paths: dict[str, Path], folder: Path, report: Report
) -> dict[str, dict[str, Look]]:
    """Digest -> view -> look; views that the detector does not apply to are left out. Kept in ``folder``, a
    file a picture, so that an interrupted run goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for n, row in enumerate(rows):
        place = folder / f"{row.sha256}.npz"
        found = _kept(place)
        if found is None:
            write_arrays(place, _packed(_look(network, row, paths[row.sha256])))
            found = _kept(place)  # rounded as it is kept, so that an interruption changes nothing
        assert found is not None
        out[row.sha256] = found
        report("looking at pictures", n + 1, len(rows))
    return out


def _look(network: TraceNetwork, row: Row, path: Path) -> dict[str, Look]:
    found = read_picture(row, path)
    out: dict[str, Look] = {}
    for view in VIEWS if found else ():
        assert found is not None
        pixels = quarter(row, found[0], VIEWS.index(view))
        try:
            seen, condition = shown(row, pixels, found[1], view)
            features = network.features(crops_of(seen)).mean(0)
        except NotApplicable:
            continue
        out[view] = Look(features=features, condition=condition)
    return out


def _packed(looks: dict[str, Look]) -> dict[str, NDArray[np.generic]]:
    conditions = [look.condition for look in looks.values()]
    return {
        "views": np.array(list(looks), str),
        "features": np.array([look.features for look in looks.values()], np.float16),
        "sides": np.array([c.side for c in conditions], np.int64),
        "qualities": np.array([c.quality or 0 for c in conditions], np.int64),
        "media_types": np.array([c.media_type for c in conditions], str),
    }


def _kept(path: Path) -> dict[str, Look] | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {
                str(view): Look(
                    features=features.astype(np.float32),
                    condition=Condition(side=int(side), quality=int(quality) or None, media_type=str(media)),
                )
                for view, features, side, quality, media in zip(
                    *(stored[n] for n in ("views", "features", "sides", "qualities", "media_types")),
                    strict=True,
                )
            }
    except TORN_ARCHIVE:
        return None
