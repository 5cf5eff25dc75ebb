"""The two named sets, CIFAR-10 and MNIST, from their files in a corpus folder."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CorpusError, FileFailed, NotApplicable, OptionRefused, PixelsUnreadable
from detector.core.files import TORN_ARCHIVE
from detector.data.splits import Split
from detector.generators.source import ImageSource, digested
from detector.pixels.decode import decode, open_cv2

NAMED = ("cifar10", "mnist")
_MOSAIC_ROWS, _MOSAIC_COLUMNS, _CIFAR_SIDE, _MNIST_SIDE = 25, 40, 32, 28
_CIFAR_COLUMNS = {"split", "file", "index", "label", "class"}


def open_named(name: str, side: int, *, split: Split, corpus: Path | None) -> ImageSource:
    """CIFAR-10 or MNIST as their publishers divided them: there is no calibration part. Raises
    ``LabError``."""
    if corpus is None:
        raise OptionRefused(f"{name} lies in a corpus folder; name it with --corpus or ASSAY_DATA")
    if split is Split.CALIBRATION:
        raise OptionRefused(f"{name} was published with a training and a test part only")
    folder = next((f for f in (corpus / "train" / name, corpus / name) if f.is_dir()), None)
    if folder is None:
        raise FileFailed(f"{corpus} holds no folder {name} or train/{name}")
    images, labels, names = (_cifar10 if name == "cifar10" else _mnist)(folder, split.value)
    return digested(
        ImageSource(
            name=f"{name}/{split.value}", images=_resized(name, images, side), labels=labels,
            class_names=names, mirrors=name == "cifar10",
        )
    )  # fmt: skip


def _cifar10(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Lossless mosaics of 25 rows and 40 columns, and a table of labels in the order of the pictures."""
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as f:
            table = list(csv.DictReader(f))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise FileFailed(f"{folder.name}/labels.csv cannot be read") from e
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
        raise FileFailed(f"{path.name} cannot be read: {e.strerror}") from e
    except (NotApplicable, PixelsUnreadable) as e:
        raise CorpusError(f"{path.name} cannot be decoded: {e.detail}") from e
    if pixels.shape != (_MOSAIC_ROWS * s, _MOSAIC_COLUMNS * s, 3):
        raise CorpusError(f"{path.name} is not a mosaic of {_MOSAIC_ROWS} x {_MOSAIC_COLUMNS} pictures")
    return pixels.reshape(_MOSAIC_ROWS, s, _MOSAIC_COLUMNS, s, 3).swapaxes(1, 2).reshape(-1, s, s, 3)


def _mnist(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    path = next(iter(sorted(folder.glob("*.npz"))), None)
    if path is None:
        raise FileFailed(f"{folder.name} holds no .npz file")
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
        raise OptionRefused(f"{name} has pictures of {own} pixels; a side of {side} would enlarge them")
    cv2 = open_cv2()
    small = [cv2.resize(i, (side, side), interpolation=cv2.INTER_AREA) for i in images]
    return np.stack(small).reshape(len(images), side, side, images.shape[3])
