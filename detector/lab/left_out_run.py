"""Leave one family out over a folder of fitted generators: ``assay lab lofo``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from detector.core.errors import FileFailed, OptionRefused
from detector.core.files import write_json
from detector.core.progress import Report
from detector.data.corpus import load_index
from detector.data.splits import Split
from detector.generators.family import RECONSTRUCTING
from detector.generators.source import ImageSource, chosen_of
from detector.lab.corpus.tiles import SIDE, held_out_tiles, training_tiles
from detector.lab.steps.left_out import FamilyPictures, LeftOut, leave_one_out
from detector.lab.steps.plots import plot_left_out
from detector.lab.steps.regions import Pictures
from detector.lab.steps.training_set import TrainingOptions
from detector.zoo.sources.data import open_source
from detector.zoo.store import open_family

_BOTH = ("vae",)  # draws, and reconstructs


def run_left_out(
    data: str, corpus: Path | None, zoo: Path, run: Path, *, fakes: int, steps: int, side: int, seed: int,
    report: Report,
) -> tuple[LeftOut, ...]:  # fmt: skip
    """From real pictures and a folder of fitted families to the rows, ``lofo.json`` and ``lofo.png``. Raises
    ``LabError`` and ``ModelUnavailable``."""
    runs = sorted(p.parent for p in zoo.glob("*/card.json"))
    if not runs:
        raise FileFailed(f"{zoo.name} holds no fitted generators; fit some with lab fit")
    real_train, real_test = _real_pictures(data, corpus, side, seed, report)
    families = zoo_pictures(
        runs, real_train, real_test, train=fakes, test=max(16, fakes // 3), seed=seed, report=report
    )
    options = TrainingOptions(
        seed=seed, epochs=4, steps_per_epoch=max(1, steps // 4), pairs_per_batch=32, crop_side=side,
        width=24, min_scale=1.0, max_scale=1.0,
    )  # fmt: skip
    rows = leave_one_out(
        families, real_train, real_test.images, options, run, report=report, photos=real_test.groups
    )
    write_json(run / "lofo.json", [asdict(r) for r in rows])
    plot_left_out(run, rows)
    return rows


def _real_pictures(
    data: str, corpus: Path | None, side: int, seed: int, report: Report
) -> tuple[Pictures, ImageSource]:
    """Training and test pictures; of a corpus with an index by its own splits."""
    if (Path(data) / "INDEX.csv").is_file():
        if side != SIDE:
            raise OptionRefused(f"tiles of a corpus with an index have {SIDE} pixels a side")
        items = load_index(Path(data))
        return training_tiles(Path(data), items, seed).images, held_out_tiles(Path(data), items, seed)
    parts = [
        open_source(data, side, seed=seed, split=split, corpus=corpus, report=report)
        for split in (Split.TRAIN, Split.TEST)
    ]
    return parts[0].images, parts[1]


def zoo_pictures(
    runs: Sequence[Path], real_train: Pictures, real_test: ImageSource, *, train: int, test: int, seed: int,
    report: Report,
) -> tuple[FamilyPictures, ...]:  # fmt: skip
    """Fakes of fitted families, training and test ones with other seeds. A family whose trace is a
    reconstruction reconstructs real pictures, test ones for the test. Raises ``OptionRefused`` for a family
    of another size than the real pictures, ``ModelUnavailable`` for a folder that holds none."""
    out = []
    for n, run in enumerate(runs):
        fitted = open_family(run)
        side = real_train.shape[1]
        if (fitted.spec.side, fitted.spec.channels) != (side, 3):
            raise OptionRefused(f"{run.name} makes pictures of another size than {side} x {side} in colour")
        name = fitted.spec.family
        if name in RECONSTRUCTING + _BOTH:
            rng = np.random.default_rng([seed, n])
            twins = rng.choice(len(real_train), min(train, len(real_train)), replace=False)
            places = rng.choice(len(real_test.images), min(test, len(real_test.images)), replace=False)
            others = chosen_of(real_test, places)
            made = FamilyPictures(
                family=name, train=fitted.reconstruct(real_train[twins]),
                test=fitted.reconstruct(others.images), twins=twins, test_photos=others.groups,
            )  # fmt: skip
            out.append(made)
        if name not in RECONSTRUCTING:
            drawn = fitted.sample(train, 2 * seed + 1), fitted.sample(test, 2 * seed + 2)
            out.append(FamilyPictures(family=name, train=drawn[0], test=drawn[1]))
        report("drawing fakes", n + 1, len(runs))
    return tuple(out)
