"""Pictures that one fitted family gives for each split, as one file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import FileDamaged, NotApplicable
from detector.core.files import TORN_ARCHIVE, write_arrays
from detector.data.splits import Split
from detector.generators.family import Aligned
from detector.lab.steps.regions import Pictures
from detector.zoo.store import Fitted

_DRAWN = {Split.TRAIN: 1024, Split.CALIBRATION: 256, Split.TEST: 256}
_TRIAL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Pictures of one family per split, uint8 (n, side, side, 3): ``drawn`` of its own, and ``rebuilt`` from
    the real tiles of that split with the numbers ``twins``. Either may be empty."""

    family: str
    drawn: dict[Split, Pictures]
    rebuilt: dict[Split, Pictures]
    twins: dict[Split, NDArray[np.int64]]

    def of(self, split: Split) -> Pictures:
        return np.concatenate([self.drawn[split], self.rebuilt[split]])

    def shown(self, split: Split) -> Pictures:
        """What a sheet shows: of its own, or rebuilt ones of a family that draws nothing."""
        return self.drawn[split] if len(self.drawn[split]) else self.rebuilt[split]


def draw_samples(fitted: Fitted, real: dict[Split, Pictures], seed: int, *, seconds: float) -> Samples:
    """Pictures for each split: drawn with a seed of their own, and made from real tiles of that split. A slow
    family gives as many as about ``seconds`` allow."""
    none = np.empty((0, *real[Split.TRAIN].shape[1:]), np.uint8)
    drawn, rebuilt, twins = {}, {}, {}
    both = isinstance(fitted.family, Aligned)
    draws = _draws(fitted)
    allowed = seconds / (int(both) + int(draws) or 1)
    draw_part = _part(lambda: fitted.sample(_TRIAL, seed), allowed) if draws else 0.0
    rebuild_part = _part(lambda: fitted.reconstruct(real[Split.TRAIN][:_TRIAL]), allowed) if both else 0.0
    for k, split in enumerate(Split):
        wanted = round(_DRAWN[split] * draw_part)
        drawn[split] = fitted.sample(wanted, 3 * seed + k) if wanted else none
        order = np.random.default_rng([seed, 31, k]).permutation(len(real[split]))
        twins[split] = order[: round(_DRAWN[split] * rebuild_part)]
        rebuilt[split] = fitted.reconstruct(real[split][twins[split]]) if len(twins[split]) else none
    return Samples(family=fitted.spec.family, drawn=drawn, rebuilt=rebuilt, twins=twins)


def _draws(fitted: Fitted) -> bool:
    try:
        fitted.sample(1, 0)
    except NotApplicable:
        return False
    return True


def _part(trial: Callable[[], Pictures], seconds: float) -> float:
    """Which part of all wanted pictures can be made in so many CPU seconds, 1 at most."""
    began = time.process_time()
    made = len(trial())
    each = (time.process_time() - began) / made
    return min(1.0, seconds / max(each * sum(_DRAWN.values()), 1e-9))


def save_samples(samples: Samples, path: Path) -> None:
    """Raises ``FileFailed``."""
    arrays = {
        f"{kind}_{split.value}": getattr(samples, kind)[split]
        for kind in ("drawn", "rebuilt", "twins")
        for split in Split
    }
    write_arrays(path, arrays)


def load_samples(family: str, path: Path) -> Samples:
    """Raises ``FileDamaged``."""
    try:
        # numpy leaves a file open that it opened itself and could not read.
        with path.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            drawn, rebuilt, twins = (
                {s: stored[f"{kind}_{s.value}"] for s in Split} for kind in ("drawn", "rebuilt", "twins")
            )
    except (OSError, *TORN_ARCHIVE) as e:
        raise FileDamaged(f"{path.name} cannot be read; remove it and run again") from e
    return Samples(family=family, drawn=drawn, rebuilt=rebuilt, twins=twins)
