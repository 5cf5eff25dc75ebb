"""Real against real: how often the measures of quality tell apart two sets of tiles of one folder of photos.

    python -m tests.bench.null FOLDER [SPLITS]

The photos are parted into three sets by chance, again and again: the training photos, held-out ones and those
that stand in for samples. For every measure with a known value of nothing (0 or 0.5) the share of the 95 %
intervals that hold it, and the mean of the measure; the same once more with tiles for independent pictures.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from detector.core.metrics import APART, Array, Estimate, Groups, proportion
from detector.data.splits import Split
from detector.generators.source import joined
from detector.zoo.judging.features import pixel_extractor
from detector.zoo.judging.quality import kid, memorisation, two_sample_auc
from detector.zoo.judging.spectrum import ring_powers, spectrum_distance
from detector.zoo.sources.photos import index_photos, tiles_of

SIDE, PER_PHOTO, ROUNDS = 32, 6, 200
NOTHING = {"two-sample AUC": 0.5, "KID": 0.0, "nearer to training": 0.5, "high frequencies, dB": 0.0}


def measure(folder: Path, splits: int) -> dict[str, list[tuple[Estimate, Estimate]]]:
    """For every measure and split: by photo, and with tiles taken for independent."""
    index = index_photos(folder)
    source = joined("all", [tiles_of(index, SIDE, seed=0, split=s) for s in Split if index.of(s)])
    assert source.groups is not None
    rng = np.random.default_rng(0)
    kept = np.concatenate(
        [rng.permutation(np.flatnonzero(source.groups == g))[:PER_PHOTO] for g in np.unique(source.groups)]
    )
    groups, images = source.groups[kept], source.images[kept]
    features, powers = pixel_extractor().of(images, lambda _done, _total: None), ring_powers(images)
    found: dict[str, list[tuple[Estimate, Estimate]]] = {name: [] for name in NOTHING}
    for seed in range(splits):
        of_photo = np.random.default_rng([7, seed]).permutation(np.arange(groups.max() + 1) % 3)
        parts = [np.flatnonzero(of_photo[groups] == k) for k in range(3)]
        for name, one in _measures(features, powers, parts, seed).items():
            held, fake = groups[parts[1]], groups[parts[2]]
            found[name].append((one((held, fake)), one(APART)))
    return found


def _measures(
    features: Array, powers: Array, parts: list[np.ndarray], seed: int
) -> dict[str, Callable[[tuple[Groups, Groups]], Estimate]]:
    train, held, fake = (features[p] for p in parts)
    real, drawn = powers[parts[1]], powers[parts[2]]
    return {
        "two-sample AUC": lambda g: two_sample_auc(held, fake, seed=seed, rounds=ROUNDS, groups=g),
        "KID": lambda g: kid(held, fake, seed=seed, rounds=ROUNDS, groups=g),
        "nearer to training": lambda g: memorisation(train, held, fake, seed=seed, groups=g).nearer,
        "high frequencies, dB": lambda g: (
            spectrum_distance(real, drawn, seed=seed, rounds=ROUNDS, groups=g).high_db
        ),
    }


def holding(found: list[Estimate], nothing: float) -> int:
    """How many intervals hold it."""
    return sum(e.low <= nothing <= e.high for e in found)


def main() -> None:
    began, splits = time.process_time(), int(sys.argv[2]) if len(sys.argv) > 2 else 40
    for name, pairs in measure(Path(sys.argv[1]), splits).items():
        for what, k in (("by photo", 0), ("by tile", 1)):
            column = [p[k] for p in pairs]
            share = proportion(holding(column, NOTHING[name]), splits)
            mean = np.mean([e.value for e in column])
            held = f"holds {share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
            print(f"{name:22}{what:10} mean {mean:8.4f}  {held}")
    print(f"{splits} splits, {time.process_time() - began:.0f} CPU seconds")


if __name__ == "__main__":
    main()
