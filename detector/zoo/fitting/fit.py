"""The one training loop of the zoo: any family, any source, a budget.

Every step draws from a generator made of (seed, step), so that a resumed fit draws what an uninterrupted one
would have drawn: with a budget of steps the weights are the same to the last bit on the CPU. A signal ends a
fit between two steps, after a checkpoint; a killed fit goes on from its last checkpoint.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detector.core.average import Average
from detector.core.errors import FitFailed, OptionRefused
from detector.core.threads import one_thread
from detector.generators.family import Family
from detector.generators.source import ImageSource, digest_of
from detector.zoo.fitting.batches import Batches
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.checkpoint import Log, Position, claim, load_checkpoint, read_log, save_checkpoint
from detector.zoo.fitting.device import Precision, fastest_precision, open_device, recorded_step, settled

WINDOW_STEPS = 50  # losses are averaged over so many steps before they are read
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """For a bar on the screen and for the log: the mean losses of the last window."""

    steps: int
    images: int
    cpu_seconds: float
    part: float
    losses: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    steps: int
    images: int
    cpu_seconds: float
    losses: dict[str, float]
    seed: int
    precision: Precision
    device: str


def step_rng(seed: int, step: int) -> torch.Generator:
    """All chance of one step. Both numbers are mixed, because neighbouring seeds start alike."""
    state = int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
    return torch.Generator().manual_seed(state)


def fit(
    family: Family,
    source: ImageSource,
    budget: Budget,
    *,
    seed: int,
    run: Path | None = None,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda _progress: None,
    precision: Precision | None = None,
) -> FitResult:
    """Train ``family`` in place; at the end its ``sampled()`` part holds the averaged weights and it is in
    evaluation mode. With ``run``, the fit keeps its state there and goes on from it.

    Raises ``LabError`` for a source that does not fit, for a ``run`` that belongs to another fit and for
    a missing device; ``FitFailed`` when a loss is no number any more or the device's memory is full. SIGINT
    and SIGTERM are answered after a checkpoint, by whoever answered them before.
    """
    family.accept(source)
    if seed < 0:
        raise OptionRefused("a seed is a number from 0")
    place = open_device(device)
    precision = precision or fastest_precision(place)
    if run is not None:
        claim(run, _identity(family, source, seed, place, precision))
    with one_thread(), torch.random.fork_rng(devices=[]), _Signals() as signals:
        try:
            return _Fit(family, source, budget, seed, run, place, precision, report).go(signals)
        except torch.OutOfMemoryError as e:
            raise FitFailed(
                f"{family.spec.family} does not fit into the memory of {device}; a smaller side, width or "
                "batch needs less"
            ) from e


def _identity(
    family: Family, source: ImageSource, seed: int, place: torch.device, precision: Precision
) -> dict[str, Any]:
    return {
        "spec": asdict(family.spec),
        "seed": seed,
        "source": {"name": source.name, "digest": digest_of(source), "pictures": len(source.images)},
        "device": place.type,
        "precision": precision,
    }


class _Fit:
    """The state of one call."""

    def __init__(
        self,
        family: Family,
        source: ImageSource,
        budget: Budget,
        seed: int,
        run: Path | None,
        place: torch.device,
        precision: Precision,
        report: Callable[[Progress], None],
    ) -> None:
        self._family = settled(family, place)
        self._family.bf16 = precision == "bfloat16"
        self._family.train()
        self._batches = Batches(source, family.spec, place, balanced=family.balanced)
        self._optimisers = family.optimisers()
        self._rates = [[_rate(g) for g in o.param_groups] for o in self._optimisers]
        self._average = Average(family.sampled(), family.spec.ema)
        self._budget, self._seed, self._run, self._report = budget, seed, run, report
        self._place, self._precision = place, precision
        self._log = Log(run)
        self._window: list[dict[str, Tensor]] = []
        self._losses: dict[str, float] = {}
        self._at = Position()
        self._clock = _Clock(self._at)

    def go(self, signals: _Signals) -> FitResult:
        self._resume()
        self._clock = _Clock(self._at)
        step = recorded_step(self._family, self._optimisers)
        begun, clock = self._at, self._clock
        since = time.monotonic()
        while (part := self._part()) < 1 and not signals.arrived:
            self._set_rates(part)
            rng = step_rng(self._seed, self._at.steps)
            # For modules that draw by themselves, as dropout does.
            torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
            real, labels = self._batches.draw(rng)
            self._window.append(step(real, labels, rng))
            self._average.update(self._at.steps)
            self._at = clock.moved(self._at, len(real))
            if self._at.steps % WINDOW_STEPS == 0:
                self._close_window(self._part())
            if time.monotonic() - since > CHECKPOINT_SECONDS:
                self._save()
                since = time.monotonic()
        if self._window:
            self._close_window(self._part())
        if self._at != begun:
            self._save()
        self._average.put_in_place()
        self._family.eval()
        self._family.bf16 = False  # bfloat16 in a picture would be a trace of its own
        return FitResult(
            steps=self._at.steps,
            images=self._at.images,
            cpu_seconds=round(self._at.cpu_seconds, 2),
            losses=self._losses,
            seed=self._seed,
            precision=self._precision,
            device=self._place.type,
        )

    def _resume(self) -> None:
        if self._run is None:
            return
        found = load_checkpoint(self._run, self._family, self._average.tensors, self._optimisers)
        self._at = found or Position()
        self._log.cut(self._at.steps)
        if lines := read_log(self._run):
            self._losses = dict(lines[-1].get("losses", {}))

    def _part(self) -> float:
        """How much of the budget is used, 1 at its end."""
        b, at = self._budget, self._at
        used = [
            at.steps / b.steps if b.steps else 0.0,
            at.cpu_seconds / b.cpu_seconds if b.cpu_seconds else 0.0,
            at.wall_seconds / b.wall_seconds if b.wall_seconds else 0.0,
        ]
        return max(used)

    def _set_rates(self, part: float) -> None:
        self._family.progress.fill_(part)
        factor = self._family.rate(part)
        for optimiser, rates in zip(self._optimisers, self._rates, strict=True):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate * factor)
                else:
                    group["lr"] = rate * factor

    def _close_window(self, part: float) -> None:
        names = self._window[-1].keys()
        means = {k: float(torch.stack([w[k].float() for w in self._window]).mean()) for k in names}
        self._window = []
        if not all(math.isfinite(v) for v in means.values()):
            raise FitFailed(
                f"{self._family.spec.family} diverged before step {self._at.steps}; a smaller learning rate "
                "or another seed may help"
            )
        self._losses = {k: round(v, 6) for k, v in means.items()}
        progress = Progress(
            steps=self._at.steps,
            images=self._at.images,
            cpu_seconds=round(self._at.cpu_seconds, 3),
            part=round(min(part, 1.0), 4),
            losses=self._losses,
        )
        self._log.add(asdict(progress))
        with self._clock.standing():
            self._report(progress)

    def _save(self) -> None:
        if self._run is not None:
            save_checkpoint(self._run, self._at, self._family, self._average.tensors, self._optimisers)


def _rate(group: dict[str, Any]) -> float:
    return float(group["lr"])


class _Clock:
    """Times of this call on top of those of the calls before it."""

    def __init__(self, before: Position) -> None:
        self._cpu = time.process_time() - before.cpu_seconds
        self._wall = time.monotonic() - before.wall_seconds

    @contextmanager
    def standing(self) -> Iterator[None]:
        """What happens here is nobody's fit: it is counted neither as training nor against the budget."""
        cpu, wall = time.process_time(), time.monotonic()
        yield
        self._cpu += time.process_time() - cpu
        self._wall += time.monotonic() - wall

    def moved(self, at: Position, images: int) -> Position:
        return replace(
            at,
            steps=at.steps + 1,
            images=at.images + images,
            cpu_seconds=time.process_time() - self._cpu,
            wall_seconds=time.monotonic() - self._wall,
        )


class _Signals:
    """SIGINT and SIGTERM are noted and delivered again at the end, when the checkpoint is written."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.arrived: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._note) for n in self._NUMBERS}
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.arrived = number

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.arrived is not None:
            signal.raise_signal(self.arrived)
