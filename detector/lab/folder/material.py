"""The pictures of a folder: regions of its photos, fakes made of those very regions, and mosaics of the small
pictures of its zoo.

Full-size photos give regions at native resolution, and makers turn the very same regions into fakes. Families
that only draw small pictures are laid out as mosaics, and so are the real tiles beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from detector.core.errors import TooFewPictures
from detector.core.files import write_whole
from detector.core.metrics import Array
from detector.core.progress import Report
from detector.data.corpus import Item, pictures
from detector.data.splits import Split
from detector.lab.folder.held_out import HeldOut, dump_held_out, mosaic_pairs, parse_held_out, write_held_out
from detector.lab.folder.makers import MAKERS_FILE, FolderFakes
from detector.lab.folder.pace import PACE_FILE, try_pace
from detector.lab.folder.photos import by_digest, regions_of
from detector.lab.folder.run import FolderRun
from detector.lab.folder.samples import Samples
from detector.lab.steps.calibrate import Calibrated
from detector.lab.steps.evaluation import Pair, Raw, paired_scores
from detector.lab.steps.regions import Make, Small
from detector.lab.steps.training_set import Collector, TrainingSet, pictures_digest
from detector.models.card import FOLDER, SetUse
from detector.zoo.sources.photos import Photo, PhotoIndex

MAX_REGIONS = 2000
_REGIONS_PER_PHOTO = (2, 8)
_FAKES_PER_REGION = 2
_ALIGNED_SHARE = 0.6
_WHY = {
    "photos": "whole, as they are in the folder; in training as regions only",
    "regions": "parts of photos that fakes were made from",
    "tiles": "small tiles of photos in mosaics, beside the mosaics of families",
}


def hold_out(run: FolderRun, samples: Sequence[Samples]) -> FolderMaterial:
    """Write what is held out, as a stage. Raises ``LabError`` when calibration or test have too few
    photos."""
    fakes = FolderFakes(run, samples)
    after = ["index", *(f"sample {s.family}" for s in samples)]
    files = ["held_out.json", MAKERS_FILE, PACE_FILE]
    run.stages.do("hold out", partial(_hold_out, run, fakes), files=files, after=after)
    held = parse_held_out((run.path / "held_out.json").read_text(encoding="utf-8"))
    return FolderMaterial(run=run, fakes=fakes, held=held)


def _hold_out(run: FolderRun, fakes: FolderFakes) -> str:
    small = {s: fakes.small(s) for s in Split}
    fakes.choose()
    found = write_held_out(
        run.path, run.index, fakes.makers, small, seed=run.options.seed, report=run.report,
        effort=run.effort,
    )  # fmt: skip
    write_whole(run.path / "held_out.json", dump_held_out(found).encode())
    try_pace(run.path, run.options.training(0.0))
    made_by = ", ".join(fakes.makers)
    return f"{len(found.items)} pictures, {len(found.pairs)} aligned pairs made by {made_by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderMaterial:
    """The material of a run whose pictures are held out."""

    run: FolderRun
    fakes: FolderFakes
    held: HeldOut
    recipe: str = FOLDER

    @property
    def root(self) -> Path:
        return self.run.path

    @property
    def seed(self) -> int:
        return self.run.options.seed

    @property
    def report(self) -> Report:
        return self.run.report

    @property
    def items(self) -> tuple[Item, ...]:
        return self.held.items

    def training(self) -> TrainingSet:
        return training_set(
            self.run.index, self.fakes.makers, self.fakes.small(Split.TRAIN), seed=self.seed,
            report=self.report, effort=self.run.effort,
        )  # fmt: skip

    def aligned(self, raw: Raw) -> tuple[Array, Array]:
        """Raises ``TooFewPictures``."""
        scores = paired_scores(raw, self._pairs())
        if not len(scores[0]):
            raise TooFewPictures("no test photo is large enough for an aligned pair; add larger photos")
        return scores

    def settled(self, found: Calibrated) -> Calibrated:
        """With as many items as there are photos behind them: a region, a mosaic of tiles, or a second fake
        of one photo, does not let a likelihood ratio grow further."""
        units: tuple[set[str], set[str]] = (set(), set())
        for item in self.items:
            if item.split is Split.CALIBRATION and (item.fake or item.set_name != "tiles"):
                units[item.fake].add(item.unit)
        line = found.calibration
        real, fake = min(line.real_items, len(units[False])), min(line.fake_items, len(units[True]))
        return replace(found, calibration=replace(line, real_items=real, fake_items=fake))

    def sets(self, trained: TrainingSet, /) -> tuple[SetUse, ...]:
        """With what was trained on of the same name."""
        source_of = np.array(trained.sources)[trained.source]
        used = {name: int((trained.family == k).sum()) for k, name in enumerate(trained.families)}
        used |= {
            "photos": len(self.run.index.of(Split.TRAIN)),
            "regions": int((source_of == "photos").sum()),
            "tiles": int((source_of == "tiles").sum()),
        }
        return tuple(
            SetUse(
                name=name, fake=fake, licence="of the folder's owner", train=used.get(name, 0),
                calibration=self._count(name, Split.CALIBRATION), test=self._count(name, Split.TEST),
                why=_WHY.get(name, "made from photos, or drawn after them"),
            )
            for name, fake in dict.fromkeys((i.set_name, i.fake) for i in self.items)
        )  # fmt: skip

    def digest(self) -> str:
        return self.run.index.digest()

    def _count(self, name: str, split: Split) -> int:
        return sum(i.set_name == name and i.split is split for i in self.items)

    def _pairs(self) -> Iterator[Pair]:
        items = {i.path: i for i in self.items if i.split is Split.TEST}
        mine = [p for p in self.held.pairs if p[0] in items]
        for n, (real, fake) in enumerate(mine):
            yield real, 0, (pictures(self.root, items[real])[0], pictures(self.root, items[fake])[0])
            self.report("comparing aligned pairs", n + 1, len(mine))


def training_set(
    index: PhotoIndex, makers: Mapping[str, Make], small: Sequence[Small], *, seed: int, report: Report,
    effort: float = 1.0,
) -> TrainingSet:  # fmt: skip
    """Regions of training photos with fakes made from them, and mosaics. Raises ``LabError`` when a class is
    empty."""
    rng = np.random.default_rng([seed, 22])
    collector = Collector()
    names = list(makers)
    photos, each = _regions(index, effort)
    for n, photo in enumerate(photos):
        for region in regions_of(index, photo, each, rng):
            twin = collector.add_real(region, "photos", single=False)
            for k in rng.choice(len(names), min(_FAKES_PER_REGION, len(names)), replace=False):
                collector.add_fake(makers[names[k]](region), names[k], twin)
        report("making fakes from training photos", n + 1, len(photos))
    for one in small:
        for real, fake in mosaic_pairs(one, rng):
            collector.add_fake(fake, one.family, collector.add_real(real, "tiles", single=False))
    _share(collector, names, [s.family for s in small])
    data = collector.done()
    return replace(data, digest=pictures_digest(data.real, data.fake, data.twin))


def regions_count(index: PhotoIndex, effort: float) -> int:
    """At most so many regions are trained on."""
    photos, each = _regions(index, effort)
    return len(photos) * each


def _regions(index: PhotoIndex, effort: float) -> tuple[list[Photo], int]:
    """The photos, and regions of each."""
    least, most = _REGIONS_PER_PHOTO
    photos = by_digest(index.of(Split.TRAIN))[: MAX_REGIONS // least]
    return photos, min(round(max(least, effort * most)), max(least, MAX_REGIONS // max(1, len(photos))))


def _share(collector: Collector, aligned: Sequence[str], small: Sequence[str]) -> None:
    """Both kinds have a fixed part, and within a kind every family the same."""
    part = _ALIGNED_SHARE if small else 1.0
    for name in dict.fromkeys([*aligned, *small]):
        share = part / len(aligned) if name in aligned else 0.0
        share += (1 - part) / len(small) if name in small else 0.0
        collector.give_share(name, share)
