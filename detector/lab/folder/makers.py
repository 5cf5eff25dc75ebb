"""What fakes of a folder's photos are made with: families of its zoo that pass a picture of any size through
themselves, small autoencoders, and the small pictures that families draw or rebuild."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
import torch

from detector.core.errors import DetectorError
from detector.core.files import write_whole
from detector.core.progress import Report
from detector.core.threads import one_thread
from detector.data.splits import Split
from detector.generators.family import Aligned
from detector.generators.pictures import as_bytes, as_floats
from detector.lab.folder.photos import by_digest
from detector.lab.folder.run import FolderRun
from detector.lab.folder.samples import Samples
from detector.lab.steps.autoencoders import autoencoders
from detector.lab.steps.regions import REGION_SIDE, Make, Small, sizes_of
from detector.pixels.decode import Pixels
from detector.zoo.sources.photos import PhotoIndex, read_photo
from detector.zoo.store import Fitted, open_family

SLOWEST = 0.3  # CPU seconds for a region; thousands are made
MAKERS_FILE = "makers.json"
_POOL = 60  # photos that the small autoencoders are fitted on


class FolderFakes:
    """Makers and small pictures of one run. ``samples``: those of the fitted families."""

    def __init__(self, run: FolderRun, samples: Sequence[Samples]) -> None:
        self._run, self._samples = run, samples

    @cached_property
    def makers(self) -> dict[str, Make]:
        """The families that ``choose`` left in the run, and the autoencoders."""
        names = json.loads((self._run.path / MAKERS_FILE).read_text(encoding="utf-8"))
        chosen = [f for f in self._fitted() if f.spec.family in names]
        run, options = self._run, self._run.options
        return zoo_makers(chosen, slowest=math.inf) | own_makers(
            run.index, steps=options.autoencoder_steps(run.seconds), seed=options.seed, report=run.report
        )

    def choose(self) -> None:
        """Which families make fakes of regions depends on how fast they are here: it is kept, so that a run
        that goes on elsewhere has the same."""
        names = list(zoo_makers(self._fitted()))
        write_whole(self._run.path / MAKERS_FILE, (json.dumps(names) + "\n").encode())

    def _fitted(self) -> list[Fitted]:
        return [open_family(self._run.path / "zoo" / s.family) for s in self._samples]

    def small(self, split: Split) -> list[Small]:
        """Drawn pictures beside other real tiles of the split, rebuilt ones beside their own."""
        real = self._run.real()[split]
        out = []
        for k, s in enumerate(self._samples):
            rng = np.random.default_rng([self._run.options.seed, 41, k])
            others = real[rng.integers(len(real), size=len(s.drawn[split]))]
            beside = np.concatenate([others, real[s.twins[split]]])
            if len(beside):
                out.append(Small(family=s.family, fake=s.of(split), real=beside))
        return out


def zoo_makers(fitted: Sequence[Fitted], *, slowest: float = SLOWEST) -> dict[str, Make]:
    """Families that pass a region of any size through themselves, in ``slowest`` CPU seconds at most."""
    trial = np.zeros((REGION_SIDE, REGION_SIDE, 3), np.uint8)
    makers: dict[str, Make] = {}
    for one in fitted:
        if not isinstance(one.family, Aligned) or one.spec.channels != 3:
            continue
        make = partial(_passed_through, one.family)
        try:
            with one_thread():  # threads that wait for each other spend CPU seconds too
                usable = make(trial).shape == trial.shape
                began = time.process_time()
                make(trial)
                spent = time.process_time() - began
        except (DetectorError, RuntimeError, ValueError):  # layers that fit one size only
            continue
        if usable and spent <= slowest:
            makers[one.spec.family] = make
    return makers


@torch.no_grad()
def _passed_through(family: Aligned, region: Pixels) -> Pixels:
    out: Pixels = as_bytes(family.reconstruct(as_floats(region[None])))[0]
    return out


def own_makers(index: PhotoIndex, *, steps: int, seed: int, report: Report) -> dict[str, Make]:
    """Small autoencoders fitted on training photos."""
    rng = np.random.default_rng([seed, 21])
    photos = [read_photo(index.folder, p) for p in by_digest(index.of(Split.TRAIN))[:_POOL]]
    pool = [s for p in photos if min(p.shape[:2]) >= REGION_SIDE for s in sizes_of(p, rng)]
    return autoencoders(pool, steps=steps, seed=seed, what="training small autoencoders", report=report)
