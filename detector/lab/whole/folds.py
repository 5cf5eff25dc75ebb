"""Who may have taught whom: folds of pictures so that every one is scored by heads that saw neither its
generator's family nor its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.manifest import Row

FOLDS = 8
CAP = 60  # pictures of a source that count; more of one taste teach little
_GAN = frozenset({"stylegan", "biggan", "styleswin"})


def making_of(row: Row) -> str:
    """``t2i``, ``gan`` or ``edit`` (edits and upscaling) of a generated picture, else an empty string."""
    if not row.fake:
        return ""
    family = family_of(row.generator)
    if row.kind == "gan" or family in _GAN or "gan" in family.split():
        return "gan"
    return "edit" if row.kind in {"edit", "upscale"} or family in {"upscaler", "inpainting"} else "t2i"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """``fold`` (n,) of each row; ``may_teach`` (n, ``FOLDS``): whether it may teach the heads of a fold."""

    fold: NDArray[np.int64]
    may_teach: NDArray[np.bool_]


def folds_of(rows: Sequence[Row]) -> Folds:
    """A fold holds out whole families of generators and whole sources of real pictures; what comes from a
    source that shows up in it teaches none of its heads."""
    families = _dealt(Counter(family_of(r.generator) for r in rows if r.fake))
    sources = _dealt(Counter(source_of(r) for r in rows if not r.fake))
    fold = np.array([families[family_of(r.generator)] if r.fake else sources[source_of(r)] for r in rows])
    names = np.array([source_of(r) for r in rows])
    may = np.stack(
        [(fold != k) & ~np.isin(names, np.unique(names[fold == k])) for k in range(FOLDS)], 1
    )  # fmt: skip
    return Folds(fold=fold, may_teach=may)


def _dealt(counts: Mapping[str, int]) -> dict[str, int]:
    """Each name to a fold, the largest first to the fold that has least."""
    load = [0.0] * FOLDS
    out = {}
    for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        k = int(np.argmin(load))
        load[k] += n**0.5
        out[name] = k
    return out


def shares_of(rows: Sequence[Row]) -> NDArray[np.float64]:
    """The weight of each picture: a source (of a family) counts as the square root of its size, at most of
    ``CAP``."""
    keys = [(r.fake, source_of(r), family_of(r.generator)) for r in rows]
    counts = Counter(keys)
    return np.array([min(counts[k], CAP) ** 0.5 / counts[k] for k in keys])
