"""Goodfellow's question, tried: several generators are fitted on one small labelled set, and a classifier of
its classes is taught by the real pictures and by what they all drew. Does it beat the one that saw the real
pictures alone, one generator, plain augmentation?

Every seed draws labels, first weights and batches anew; within a seed all arms share them, and all are tested
on the same pictures, which decide nothing else. A run folder has ``plan.json``, ``seed-N/FAMILY.npz`` (what
was drawn), ``seed-N/ARM.json`` (which test pictures were wrong), ``union.json``, ``union.md``, ``union.png``
and ``samples.png``. What is there is kept: the same command goes on, and seeds may be added.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import FileDamaged, FolderTaken, OptionRefused, TooFewPictures
from detector.core.files import read_file, write_json
from detector.core.metrics import Array
from detector.core.progress import Report, silent
from detector.generators.source import UNKNOWN, ImageSource, chosen_of, digest_of, few_labels
from detector.zoo.fitting.budget import Budget
from detector.zoo.sources.data import Data
from detector.zoo.sources.labelled import labelled_sources
from detector.zoo.union.answer import Answer, gain_of
from detector.zoo.union.classifier import Lessons, right, taught
from detector.zoo.union.samples import Drawn, check_families, drawn_of

DEFAULT = ("vae", "dcgan", "biggan", "flowmatch")
REAL, AUGMENTED, UNION, ALONE = "real", "real, augmented", "real + union", "union alone"
UNION_AUGMENTED, MORE = "real + union, augmented", "more real pictures"
_FITTING = 0.6  # of the budget; classifiers take the rest
_TRIES, _TRIED_STEPS = 3, 8
_FEWEST_STEPS = 20
SHEET_COLUMNS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """``each``: labels of every class; ``count``: pictures that a family draws, and that the union holds.
    ``cpu_seconds`` of the whole run, or ``steps`` (of a fit, of a classifier), which repeat to the bit."""

    families: tuple[str, ...] = DEFAULT
    each: int = 20
    count: int = 1000
    seeds: int = 5
    seed: int = 0
    side: int = 32
    cpu_seconds: float | None = None
    steps: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What a classifier may see: labelled real pictures, what some families drew, further real pictures."""

    name: str
    families: tuple[str, ...] = ()
    real: bool = True
    augmented: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionResult:
    """``right``: of each arm (seeds, test pictures). Of each family, ``pictures`` drawn for a seed (fewest,
    most) and ``of_their_class``, the share that a classifier taught by more real pictures calls as asked."""

    wanted: Wanted
    name: str
    class_names: tuple[str, ...]
    right: dict[str, Array]
    answers: tuple[Answer, ...]
    pictures: dict[str, tuple[int, int]]
    of_their_class: dict[str, float]
    fitting_seconds: dict[str, float]
    cpu_seconds: float
    steps: int
    sheet: NDArray[np.uint8] = field(repr=False)


def arms_of(families: tuple[str, ...], *, more: bool) -> tuple[Arm, ...]:
    """All that is compared; the order is that of the table."""
    return (
        Arm(name=REAL),
        Arm(name=AUGMENTED, augmented=True),
        *(Arm(name=f"{REAL} + {f}", families=(f,)) for f in families),
        Arm(name=UNION, families=families),
        Arm(name=UNION_AUGMENTED, families=families, augmented=True),
        Arm(name=ALONE, families=families, real=False),
        *([Arm(name=MORE, more=True)] if more else []),
    )


def union_run(wanted: Wanted, data: Data, run: Path, *, report: Report = silent) -> UnionResult:
    """Try, or go on. Raises ``LabError`` and ``FitFailed``."""
    check_families(wanted.families)
    if wanted.seeds < 2:
        raise OptionRefused("an interval over seeds needs two seeds or more")
    if (wanted.cpu_seconds is None) == (wanted.steps is None):
        raise OptionRefused("a run has a budget of CPU seconds or of steps")
    if wanted.count < len(wanted.families):
        raise OptionRefused(f"{wanted.count} pictures are none of some of {len(wanted.families)} families")
    train, test = labelled_sources(data, wanted.side, report=report)
    _enough(train, wanted.each)
    more = len(train.images) - wanted.each * len(train.class_names) >= wanted.count
    tries = _Tries(wanted, train, test, run, arms_of(wanted.families, more=more), report)
    seeds = [tries.of_seed(s) for s in range(wanted.seed, wanted.seed + wanted.seeds)]
    return tries.result(seeds)


def _enough(train: ImageSource, each: int) -> None:
    assert train.labels is not None
    counts = np.bincount(train.labels, minlength=len(train.class_names))
    least = int(counts.argmin())
    if counts[least] < each:
        raise TooFewPictures(
            f"class {train.class_names[least]} has {counts[least]} training pictures, and {each} labels of "
            "each class are wanted"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seed:
    right: dict[str, NDArray[np.bool_]]
    pools: dict[str, Drawn]
    of_their_class: dict[str, float]
    cpu_seconds: float
    few: ImageSource


class _Tries:
    def __init__(
        self, wanted: Wanted, train: ImageSource, test: ImageSource, run: Path, arms: tuple[Arm, ...],
        report: Report,
    ) -> None:  # fmt: skip
        self._wanted, self._train, self._test, self._run = wanted, train, test, run
        self._arms, self._report = arms, report
        self._classes = len(train.class_names)
        self.steps = self._planned()

    def _planned(self) -> int:
        """Steps of a classifier: what the budget buys, tried once and kept. Raises ``FolderTaken``."""
        w, path = self._wanted, self._run / "plan.json"
        about = {
            "families": list(w.families), "each": w.each, "count": w.count, "side": w.side,
            "cpu_seconds_each": None if w.cpu_seconds is None else round(w.cpu_seconds / w.seeds, 3),
            "steps_given": None if w.steps is None else list(w.steps),
            "source": digest_of(self._train), "test": digest_of(self._test),
        }  # fmt: skip
        if path.is_file():
            kept = _kept(path)
            steps = kept.pop("classifier_steps", None)
            if kept != about or not isinstance(steps, int):
                raise FolderTaken(
                    f"{self._run.name} was begun with other pictures or options; choose another folder"
                )
            return steps
        steps = w.steps[1] if w.steps is not None else self._affordable()
        write_json(path, {**about, "classifier_steps": steps})
        return steps

    def _affordable(self) -> int:
        w = self._wanted
        assert w.cpu_seconds is not None
        few, _ = self._few(w.seed)
        costs = {}
        for augmented in (False, True):
            lessons = Lessons(parts=(few, few), classes=self._classes, augmented=augmented)
            tries = []
            for _ in range(_TRIES):  # the first is cold, and what others disturbed took longer
                began = time.process_time()
                net = taught(lessons, _TRIED_STEPS, seed=0)
                tries.append((time.process_time() - began) / _TRIED_STEPS)
            costs[augmented] = min(tries)
        right(net, self._test)
        began = time.process_time()
        right(net, self._test)
        testing = (time.process_time() - began) * (len(self._arms) + 1)
        left = (1 - _FITTING) * w.cpu_seconds / w.seeds - testing
        return max(_FEWEST_STEPS, int(left / sum(costs[a.augmented] for a in self._arms)))

    def _few(self, seed: int) -> tuple[ImageSource, ImageSource]:
        """The labelled pictures of a seed, and as many further ones as a family draws."""
        chosen = few_labels(self._train, self._wanted.each * self._classes, seed=seed)
        assert chosen.labels is not None
        known = chosen.labels != UNKNOWN
        rest = np.random.default_rng([seed, 23]).permutation(np.flatnonzero(~known))[: self._wanted.count]
        return chosen_of(chosen, np.flatnonzero(known)), chosen_of(self._train, rest)

    def of_seed(self, seed: int) -> _Seed:
        folder = self._run / f"seed-{seed}"
        few, further = self._few(seed)
        pools = {f: self._pool(f, few, folder, seed) for f in self._wanted.families}
        found: dict[str, NDArray[np.bool_]] = {}
        of_class: dict[str, float] = {}
        seconds = sum(p.cpu_seconds for p in pools.values())
        for n, arm in enumerate(self._arms):
            self._report(f"classifiers, seed {seed}", n, len(self._arms))
            kept = self._tried(arm, few, further, pools, folder, seed)
            found[arm.name] = ~np.isin(np.arange(len(self._test.images)), kept["wrong"])
            seconds += kept["cpu_seconds"]
            of_class |= kept["of_their_class"]
        self._report(f"classifiers, seed {seed}", len(self._arms), len(self._arms))
        return _Seed(right=found, pools=pools, of_their_class=of_class, cpu_seconds=seconds, few=few)

    def _pool(self, name: str, few: ImageSource, folder: Path, seed: int) -> Drawn:
        w = self._wanted
        share = None if w.cpu_seconds is None else _FITTING * w.cpu_seconds / w.seeds / len(w.families)
        budget = Budget(steps=None if w.steps is None else w.steps[0], cpu_seconds=share)
        path = folder / f"{name}.npz"
        return drawn_of(name, few, self._classes, w.count, budget, path, seed=seed, report=self._report)

    def _tried(
        self, arm: Arm, few: ImageSource, further: ImageSource, pools: dict[str, Drawn], folder: Path,
        seed: int,
    ) -> dict[str, Any]:  # fmt: skip
        path = folder / f"{'-'.join(re.findall('[a-z0-9]+', arm.name))}.json"
        if path.is_file():
            return _kept_arm(path, arm, len(self._test.images))
        began = time.process_time()
        parts = [few] if arm.real else []
        if arm.more:
            parts.append(further)
        elif arm.families:
            parts.append(self._union([pools[f].source for f in arm.families]))
        lessons = Lessons(parts=tuple(parts), classes=self._classes, augmented=arm.augmented)
        net = taught(lessons, self.steps, seed=seed)
        wrong = np.flatnonzero(~right(net, self._test)).tolist()
        called = {f: float(right(net, p.source).mean()) for f, p in pools.items()} if arm.more else {}
        seconds = round(time.process_time() - began, 3)
        kept = {"arm": arm.name, "wrong": wrong, "of_their_class": called, "cpu_seconds": seconds}
        write_json(path, kept)
        return kept

    def _union(self, pools: list[ImageSource]) -> ImageSource:
        """As many pictures as one family draws, in equal shares of the families."""
        share = self._wanted.count // len(pools)
        parts = [chosen_of(p, np.random.default_rng(29).permutation(len(p.images))[:share]) for p in pools]
        return ImageSource(
            name="union", images=np.concatenate([p.images for p in parts]),
            labels=np.concatenate([p.labels for p in parts if p.labels is not None]),
            mirrors=pools[0].mirrors,
        )  # fmt: skip

    def result(self, seeds: list[_Seed]) -> UnionResult:
        outcomes = {a.name: np.stack([s.right[a.name] for s in seeds]).astype(float) for a in self._arms}
        families = self._wanted.families
        return UnionResult(
            wanted=self._wanted, name=self._train.name, class_names=self._train.class_names, right=outcomes,
            answers=answers_of(outcomes, families), steps=self.steps,
            pictures={f: _extremes([len(s.pools[f].source.images) for s in seeds]) for f in families},
            of_their_class={
                f: float(np.mean([s.of_their_class[f] for s in seeds]))
                for f in families
                if all(f in s.of_their_class for s in seeds)
            },
            fitting_seconds={f: sum(s.pools[f].cpu_seconds for s in seeds) for f in families},
            cpu_seconds=sum(s.cpu_seconds for s in seeds),
            sheet=_sheet(seeds[0], len(self._train.class_names)),
        )  # fmt: skip


def answers_of(right: dict[str, Array], families: tuple[str, ...]) -> tuple[Answer, ...]:
    """The question that was asked before the run stands first."""
    one = [right[f"{REAL} + {f}"] for f in families]
    found = [
        Answer(question="union against the real pictures alone", gain=gain_of(right[UNION], [right[REAL]])),
        Answer(question="union against one generator, on average", gain=gain_of(right[UNION], one)),
        Answer(question="union against plain augmentation", gain=gain_of(right[UNION], [right[AUGMENTED]])),
        Answer(
            question="union with augmentation against augmentation alone",
            gain=gain_of(right[UNION_AUGMENTED], [right[AUGMENTED]]),
        ),
        Answer(
            question="union alone against the real pictures alone",
            gain=gain_of(right[ALONE], [right[REAL]]),
        ),
    ]
    if MORE in right:
        gain = gain_of(right[MORE], [right[REAL]])
        found.append(Answer(question="further real pictures in the place of the union", gain=gain))
    return tuple(found)


def _extremes(counts: list[int]) -> tuple[int, int]:
    return min(counts), max(counts)


def _sheet(seed: _Seed, classes: int) -> NDArray[np.uint8]:
    """A row of real pictures and one of each family; a column for each of the first classes."""
    rows = []
    for source in [seed.few, *(p.source for p in seed.pools.values())]:
        assert source.labels is not None
        rows += [
            source.images[np.flatnonzero(source.labels == c)[0]] for c in range(min(classes, SHEET_COLUMNS))
        ]
    return np.stack(rows)


def _kept_arm(path: Path, arm: Arm, tested: int) -> dict[str, Any]:
    """Raises ``FileDamaged`` for what is not this arm's: with no list of errors all would count as right."""
    found = _kept(path)
    wrong, called, seconds = (found.get(k) for k in ("wrong", "of_their_class", "cpu_seconds"))
    numbers = isinstance(wrong, list) and all(type(n) is int and 0 <= n < tested for n in wrong)
    told = isinstance(called, dict) and all(isinstance(v, float) for v in called.values())
    if found.get("arm") != arm.name or not numbers or not told or not isinstance(seconds, (int, float)):
        raise FileDamaged(f"{path.name} is not what was written there; delete it and run again")
    return found


def _kept(path: Path) -> dict[str, Any]:
    """Raises ``FileDamaged`` for a file that is not what this module wrote."""
    try:
        found = json.loads(read_file(path, path.name))
    except ValueError as e:
        raise FileDamaged(f"{path.name} is no JSON; delete it and run again") from e
    if not isinstance(found, dict):
        raise FileDamaged(f"{path.name} is not what was written there; delete it and run again")
    return found
