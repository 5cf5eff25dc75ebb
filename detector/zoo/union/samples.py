"""Labelled pictures out of a family that was fitted on few labelled ones: a family that learns classes is
fitted once, any other once for each class. Kept as one file; a fit that was interrupted goes on."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import CorpusError, OptionRefused
from detector.core.files import TORN_ARCHIVE, write_arrays
from detector.core.progress import Report
from detector.generators import family_row, make_family
from detector.generators.family import RECONSTRUCTING, Family
from detector.generators.pictures import as_bytes
from detector.generators.source import ImageSource, chosen_of, digested
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import Progress, fit

TOLD_CLASSES = ("biggan", "dcgan", "flowmatch", "vae")  # what they draw can be asked for by class
_DRAWING = 0.34  # of the CPU time of a family, at most
_TRIED = 4  # pictures
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Generated pictures with the class that was asked for, and the CPU seconds of fitting and drawing."""

    source: ImageSource
    cpu_seconds: float


def check_families(names: tuple[str, ...]) -> None:
    """Raises ``OptionRefused`` for a family twice, one that draws nothing of its own, and fewer than two."""
    for name in names:
        family_row(name)
        if name in RECONSTRUCTING:
            raise OptionRefused(f"{name} gives pictures back and draws none of its own")
    if len(names) < 2 or len(set(names)) < len(names):
        raise OptionRefused("a union is of two families or more, each named once")


def drawn_of(
    name: str, few: ImageSource, classes: int, count: int, budget: Budget, path: Path, *, seed: int,
    report: Report,
) -> Drawn:  # fmt: skip
    """About ``count`` pictures, equally many of each class, of a family fitted on ``few`` within ``budget``
    (drawing included); from ``path`` where they were drawn before. Raises ``LabError`` and ``FitFailed``."""
    if path.is_file():
        return _stored(name, path, few)
    folder = path.with_suffix("")
    images, labels, spent = [], [], 0.0
    for wanted in [None] if name in TOLD_CLASSES else list(range(classes)):
        part = few if wanted is None else _of_class(few, wanted)
        own = folder if wanted is None else folder / str(wanted)
        shares = 1 if wanted is None else classes
        made, given, seconds = _fitted(
            name, part, classes, count // shares, _shared(budget, shares), own, seed, report
        )
        images.append(made)
        labels.append(given if wanted is None else np.full(len(made), wanted, np.int64))
        spent += seconds
    write_arrays(
        path, {"images": np.concatenate(images), "labels": np.concatenate(labels), "cpu_seconds": spent}
    )
    shutil.rmtree(folder, ignore_errors=True)  # only what going on would have needed
    return _stored(name, path, few)


def _fitted(
    name: str, source: ImageSource, classes: int, count: int, budget: Budget, run: Path, seed: int,
    report: Report,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], float]:  # fmt: skip
    """Pictures, their classes (zeros where it learns none) and CPU seconds."""
    shape = source.images.shape
    told: dict[str, Any] = {"classes": classes} if name in TOLD_CLASSES else {}
    family = make_family(name, seed=seed, side=shape[1], channels=shape[3], **told)
    cost = _cost_of_one(family, source)
    seconds = budget.cpu_seconds
    most = count if seconds is None else min(count, int(_DRAWING * seconds / cost))
    if told:
        most -= most % classes
    most = max(most, classes if told else 1)
    fitting = budget if seconds is None else replace(budget, cpu_seconds=max(0.2, seconds - most * cost))

    def progress(at: Progress) -> None:
        report(f"{name}, seed {seed}", round(1000 * at.part), 1000)

    spent = fit(family, source, fitting, seed=seed, run=run, report=progress).cpu_seconds
    began = time.process_time()
    labels = np.arange(most, dtype=np.int64) % classes if told else np.zeros(most, np.int64)
    images = _draw(family, labels, seed, bool(told))
    return images, labels, spent + time.process_time() - began


@torch.no_grad()
def _draw(family: Family, labels: NDArray[np.int64], seed: int, told: bool) -> NDArray[np.uint8]:
    rng, out = torch.Generator().manual_seed(seed), []
    for at in range(0, len(labels), _AT_ONCE):
        some = torch.from_numpy(labels[at : at + _AT_ONCE])
        out.append(as_bytes(family.draw(len(some), rng, some if told else None)))
    return np.concatenate(out)


def _cost_of_one(family: Family, source: ImageSource) -> float:
    """CPU seconds of drawing one picture, tried; weights change nothing about it."""
    family.accept(source)
    family.eval()
    labels = np.zeros(_TRIED, np.int64)
    told = bool(family.spec.classes)
    _draw(family, labels[:1], 0, told)  # the first is dearer
    began = time.process_time()
    _draw(family, labels, 0, told)
    return max(1e-6, (time.process_time() - began) / _TRIED)


def _of_class(few: ImageSource, wanted: int) -> ImageSource:
    assert few.labels is not None
    part = chosen_of(few, np.flatnonzero(few.labels == wanted))
    return digested(replace(part, name=f"{few.name}, class {wanted}", labels=None, class_names=()))


def _shared(budget: Budget, parts: int) -> Budget:
    return Budget(
        steps=None if budget.steps is None else max(1, budget.steps // parts),
        cpu_seconds=None if budget.cpu_seconds is None else budget.cpu_seconds / parts,
    )


def _stored(name: str, path: Path, few: ImageSource) -> Drawn:
    try:
        with path.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            images, labels, spent = stored["images"], stored["labels"], float(stored["cpu_seconds"])
    except (OSError, *TORN_ARCHIVE) as e:
        raise CorpusError(f"{path.name} holds no readable pictures; delete it and run again") from e
    return Drawn(
        source=ImageSource(name=name, images=images, labels=labels, mirrors=few.mirrors), cpu_seconds=spent
    )
