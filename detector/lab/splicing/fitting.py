"""The directions in which regions of another past stand out: a linear discriminant between two scatters.

Within: how windows of untouched photos differ from the median of their own photo. Between: how the changed
windows of a composite differ, in the mean, from its others. The directions are those with the largest ratio
of the second to the first (Fisher), with a ridge on the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import LabError
from detector.core.files import TORN_ARCHIVE
from detector.forensics.splicing import SplicingHead, Windows
from detector.lab.halves import first_half

RIDGE = 0.3  # of the mean variance within
DIRECTIONS = 32
INSIDE, OUTSIDE = 0.6, 0.02  # share of a window that is changed
LEAST_INSIDE, LEAST_OUTSIDE = 2, 10

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A composite and its untouched twin; ``share`` (n,) of each window of ``changed`` that is changed."""

    source: str
    kind: str
    quality: int
    across: int
    untouched: Windows
    changed: Windows
    share: NDArray[np.float64]


def read_kept(folder: Path) -> list[Kept]:
    """What ``gather`` wrote, in the order of its names. Raises ``LabError``."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file) as a:
                found.append(
                    Kept(source=str(a["source"]), kind=str(a["kind"]), quality=int(a["quality"]),
                         across=int(a["across"]), untouched=_windows(a, "untouched"),
                         changed=_windows(a, "changed"), share=a["changed_inside"])
                )  # fmt: skip
        except TORN_ARCHIVE as e:
            raise LabError(f"{path.name} cannot be read; remove it and run again") from e
    return found


def _windows(arrays: np.lib.npyio.NpzFile, name: str) -> Windows:
    rows, columns = arrays[f"{name}_shape"].tolist()
    return Windows(
        features=arrays[f"{name}_features"].astype(np.float32),
        at=arrays[f"{name}_at"],
        shape=(rows, columns),
        step=float(arrays[f"{name}_step"]),
    )


def fit_head(kept: Sequence[Kept], backbone: str) -> SplicingHead:
    """On the first half alone; ``backbone``: the digest of its weights. Raises ``LabError`` where it is
    empty."""
    rows = [k for k in kept if first_half(k.source)]
    if not rows:
        raise LabError("no photo of the first half is there")
    every = np.concatenate([k.untouched.features for k in rows])
    plain = SplicingHead(
        mean=every.mean(axis=0),
        scale=every.std(axis=0) + np.float32(1e-3),
        directions=np.zeros((every.shape[1], 0), np.float32),
        backbone=backbone,
    )
    within = np.mean([_scatter(plain.standard(k.untouched.features)) for k in rows], axis=0)
    apart = [a for k in rows if (a := _apart(plain, k)) is not None]
    if not apart:
        raise LabError("no composite has a region that covers windows")
    between = _scatter(np.array(apart))
    within += RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    inverse = np.linalg.inv(np.linalg.cholesky(within))
    _, vectors = np.linalg.eigh(inverse @ between @ inverse.T)
    directions = (inverse.T @ vectors)[:, ::-1][:, :DIRECTIONS]
    return SplicingHead(
        mean=plain.mean, scale=plain.scale, directions=directions.astype(np.float32), backbone=backbone
    )


def _scatter(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return np.asarray(wide.T @ wide / len(wide), np.float64)


def _apart(head: SplicingHead, kept: Kept) -> Array | None:
    inside, outside = kept.share >= INSIDE, kept.share <= OUTSIDE
    if inside.sum() < LEAST_INSIDE or outside.sum() < LEAST_OUTSIDE:
        return None
    standard = head.standard(kept.changed.features)
    apart: Array = standard[inside].mean(axis=0) - standard[outside].mean(axis=0)
    return apart
