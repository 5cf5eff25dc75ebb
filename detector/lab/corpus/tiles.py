"""Families of the zoo fitted on the detector's own training photos, and the tiles they give.

Real tiles and fakes come from photos of the training split alone, so no photo reaches another split through
a generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.core.errors import TooFewPictures
from detector.core.progress import Report
from detector.data.corpus import Item, pictures
from detector.data.splits import Split
from detector.generators import family_row, make_family
from detector.generators.family import RECONSTRUCTING
from detector.generators.source import ImageSource
from detector.lab.steps.regions import Small
from detector.pixels.decode import Pixels
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.sources.photos import draw_tiles
from detector.zoo.store import Fitted, card_of, open_family, save_family

SIDE = 32
FAMILIES = (
    "dcgan", "wgan", "r3gan", "biggan", "lapgan", "cyclegan", "vae", "realnvp", "flowmatch", "recon",
)  # fmt: skip
_TILES_PER_PHOTO = 64
_HELD_OUT_PER_PHOTO = 6
_FAKES = 2048


def fitted_tiles(
    root: Path, items: Sequence[Item], zoo: Path, *, seconds: float, seed: int, report: Report
) -> tuple[Small, ...]:
    """Fit every family for so many CPU seconds, or open it where ``zoo`` has it; then draw. Raises
    ``LabError`` and ``FitFailed``."""
    source = training_tiles(root, items, seed)
    out = []
    for n, name in enumerate(FAMILIES):
        fitted = _fitted(name, source, zoo / name, seconds, seed)
        out.append(_tiles(name, fitted, source, seed + n))
        report("fitting the zoo", n + 1, len(FAMILIES))
    return tuple(out)


def training_tiles(root: Path, items: Sequence[Item], seed: int) -> ImageSource:
    """Tiles of 32 pixels of the real training photos."""
    mine = [i for i in items if i.split is Split.TRAIN]
    return _real_tiles("training tiles", root, mine, _TILES_PER_PHOTO, seed)


def held_out_tiles(root: Path, items: Sequence[Item], seed: int) -> ImageSource:
    """Tiles of real photos of the other splits, evaluation-only sets included; as many of each photo."""
    others = [i for i in items if i.split is not Split.TRAIN]
    return _real_tiles("held-out tiles", root, others, _HELD_OUT_PER_PHOTO, seed + 1)


def _real_tiles(name: str, root: Path, items: Sequence[Item], per_photo: int, seed: int) -> ImageSource:
    """``groups`` numbers what the index calls one unit: near copies and crops of one photo."""
    rng = np.random.default_rng([seed, 5])
    units: dict[str, int] = {}
    tiles: list[Pixels] = []
    groups: list[int] = []
    for item in sorted(items, key=lambda i: i.path):
        if not item.fake:
            for picture in pictures(root, item):
                found = list(draw_tiles(picture, SIDE, per_photo, rng))
                tiles += found
                groups += [units.setdefault(item.unit, len(units))] * len(found)
    if not tiles:
        raise TooFewPictures("no photo is large enough for a tile")
    return ImageSource(name=name, images=np.stack(tiles), groups=np.array(groups, np.int64))


def _fitted(name: str, source: ImageSource, folder: Path, seconds: float, seed: int) -> Fitted:
    if (folder / "card.json").is_file():
        return open_family(folder)
    budget = Budget(cpu_seconds=seconds)
    if family_row(name).spec.classes:
        # A conditional family learns the photos as one class.
        labels = np.zeros(len(source.images), np.int64)
        source = ImageSource(name=source.name, images=source.images, labels=labels)
        family = make_family(name, seed=seed, classes=1)
    else:
        family = make_family(name, seed=seed)
    result = fit(family, source, budget, seed=seed, run=folder)
    return Fitted(family, save_family(family, folder, card_of(family.spec, source, budget, result)))


def _tiles(name: str, fitted: Fitted, source: ImageSource, seed: int) -> Small:
    """Reconstructions beside their own tiles, samples beside any."""
    chosen = np.random.default_rng([seed, 6]).permutation(len(source.images))[:_FAKES]
    real = source.images[chosen]
    fake = fitted.reconstruct(real) if name in RECONSTRUCTING else fitted.sample(len(real), seed)
    return Small(family=f"zoo_{name}", fake=fake, real=real)
