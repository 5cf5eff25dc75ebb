"""How well few labels are enough: the semi-supervised classifier on several draws of the labels of MNIST.

A run folder has ``draw-N/`` for each seed of labels (``fit.json``, ``checkpoint.safetensors``, ``log.jsonl``,
``error.jsonl``), ``semi.json`` with every wrong test picture, ``error.png`` and ``sheet.png``. The test part
is looked at while a run goes on, for the curve; it decides nothing: the last weights are the ones that count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import OptionRefused
from detector.core.files import write_whole
from detector.core.lines import Curve, read_points
from detector.core.metrics import Estimate, proportion
from detector.core.progress import Report, silent
from detector.data.splits import Split
from detector.generators.pictures import as_bytes, as_floats
from detector.generators.source import ImageSource, few_labels
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import FitResult, Progress, fit
from detector.zoo.semi.family import Semi, SemiSpec
from detector.zoo.sheet import plot_errors, write_sheet
from detector.zoo.sources.named import open_named

SCHEMA = "assay.semi/1"
PUBLISHED = (60_000, 10_000)  # LeCun, Cortes, Burges: training and test digits of MNIST
FULL_STEPS = 6000  # of the full recipe
_POINTS = 16
_AT_ONCE = 500
_SHEET_COLUMNS, _SHEET_ROWS = 12, 6
_ROUNDS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What came of one draw of labels. ``wrong`` are places in the test part."""

    seed: int
    wrong: tuple[int, ...]
    tested: int
    steps: int
    cpu_seconds: float

    @property
    def error(self) -> Estimate:
        """With the Wilson interval over test pictures."""
        return proportion(len(self.wrong), self.tested)


@dataclass(frozen=True, slots=True, kw_only=True)
class SemiResult:
    labels: int
    trained: int
    draws: tuple[Draw, ...]
    mean: Estimate


def semi_run(
    corpus: Path | None,
    run: Path,
    budget: Budget,
    *,
    labels: int = 100,
    draws: int = 1,
    seed: int = 0,
    device: str = "cpu",
    report: Report = silent,
) -> SemiResult:
    """Fit and test once for each of the seeds ``seed`` .. ``seed + draws - 1``, or go on with what ``run``
    holds. Raises ``LabError`` and ``FitFailed``."""
    spec = SemiSpec()
    train = open_named("mnist", spec.side, split=Split.TRAIN, corpus=corpus)
    test = open_named("mnist", spec.side, split=Split.TEST, corpus=corpus)
    done, family = [], None
    for number in range(seed, seed + draws):
        source = few_labels(train, labels, seed=number)
        family, draw = _one_draw(spec, source, test, run / f"draw-{number}", budget, number, device, report)
        done.append(draw)
    if family is None:
        raise OptionRefused("a run has at least one draw of labels")
    result = SemiResult(
        labels=labels, trained=len(train.images), draws=tuple(done), mean=mean_error(done)
    )  # fmt: skip
    write_whole(run / "semi.json", _dump(result, spec).encode())
    curves = {f"draw {d.seed}": read_points(run / f"draw-{d.seed}" / "error.jsonl") for d in done}
    plot_errors(curves, run / "error.png", title=f"MNIST with {labels} labels")
    write_sheet(_drawn(family), run / "sheet.png", columns=_SHEET_COLUMNS)
    return result


def fit_semi(
    spec: SemiSpec, source: ImageSource, budget: Budget, *, seed: int, run: Path | None = None,
    device: str = "cpu", report: Callable[[Semi, Progress], None] = lambda _family, _progress: None,
) -> tuple[Semi, FitResult]:  # fmt: skip
    """A family with initial weights by ``seed``, fitted. Raises ``LabError`` and ``FitFailed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        family = Semi(spec)
    result = fit(
        family, source, budget, seed=seed, run=run, device=device, report=lambda p: report(family, p)
    )  # fmt: skip
    return family, result


def wrong_of(family: Semi, test: ImageSource) -> NDArray[np.bool_]:
    """Which test pictures the averaged network gives another class than their label."""
    assert test.labels is not None
    chunks = (test.images[at : at + _AT_ONCE] for at in range(0, len(test.images), _AT_ONCE))
    given = [family.classify(as_floats(chunk).to(family.device)).cpu().numpy() for chunk in chunks]
    return np.asarray(np.concatenate(given) != test.labels)


def _one_draw(
    spec: SemiSpec, source: ImageSource, test: ImageSource, run: Path, budget: Budget, seed: int,
    device: str, report: Report,
) -> tuple[Semi, Draw]:  # fmt: skip
    watch = _Watch(test, run / "error.jsonl", f"labels {seed}", report)
    family, result = fit_semi(spec, source, budget, seed=seed, run=run, device=device, report=watch)
    wrong = wrong_of(family, test)
    watch.add(result.steps, result.cpu_seconds, float(wrong.mean()))
    places = tuple(int(i) for i in np.flatnonzero(wrong))
    draw = Draw(
        seed=seed, wrong=places, tested=len(wrong), steps=result.steps, cpu_seconds=result.cpu_seconds
    )  # fmt: skip
    return family, draw


class _Watch:
    """Reports progress and now and then measures the test error; draws no chance and changes no weight."""

    def __init__(self, test: ImageSource, path: Path, name: str, report: Report) -> None:
        self._test, self._name, self._report = test, name, report
        self._curve = Curve(path)

    def __call__(self, family: Semi, progress: Progress) -> None:
        if self._curve.due(progress.part, _POINTS):
            self.add(progress.steps, progress.cpu_seconds, float(wrong_of(family, self._test).mean()))
        error = f" error {100 * self._curve.points[-1]['error']:.2f} %" if self._curve.points else ""
        self._report(f"{self._name}{error}", round(1000 * progress.part), 1000)

    def add(self, steps: int, cpu_seconds: float, error: float) -> None:
        self._curve.add({"steps": float(steps), "cpu_seconds": cpu_seconds, "error": round(error, 6)})


def mean_error(draws: Sequence[Draw], *, rounds: int = _ROUNDS) -> Estimate:
    """Mean over draws of labels. The interval is by resampling draws and test pictures together, because all
    draws meet the same pictures; with one draw it covers the pictures only. Raises ``LabError`` for draws
    that were tested on different numbers of pictures."""
    tested = {d.tested for d in draws}
    if len(tested) != 1:
        raise OptionRefused("a mean needs draws that were tested on the same pictures")
    n = tested.pop()
    wrong = np.zeros((len(draws), n))
    for row, draw in zip(wrong, draws, strict=True):
        row[list(draw.wrong)] = 1
    rng = np.random.default_rng(0)
    means = []
    for _ in range(rounds):
        rows = rng.integers(len(draws), size=len(draws))
        columns = rng.integers(n, size=n)
        means.append(wrong[rows].mean(0)[columns].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(value=float(wrong.mean()), low=float(low), high=float(high), n=len(draws) * n)


def _drawn(family: Semi) -> NDArray[np.uint8]:
    with torch.no_grad():
        rng = torch.Generator().manual_seed(0)
        return as_bytes(family.draw(_SHEET_COLUMNS * _SHEET_ROWS, rng))


def _dump(result: SemiResult, spec: SemiSpec) -> str:
    kept: dict[str, Any] = {
        "schema": SCHEMA,
        "spec": asdict(spec),
        "torch": torch.__version__,
        **asdict(result),
    }
    return json.dumps(kept) + "\n"


def result_text(result: SemiResult) -> str:
    """A row per draw and the mean, as a table."""
    rows = [("draw", "wrong", "of", "error %", "95 % interval", "steps", "CPU s")]
    for d in result.draws:
        e = d.error
        interval = f"{100 * e.low:.2f} to {100 * e.high:.2f}"
        counts = (str(d.seed), str(len(d.wrong)), str(d.tested), f"{100 * e.value:.2f}", interval)
        rows.append((*counts, str(d.steps), f"{d.cpu_seconds:.0f}"))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    m, tested = result.mean, result.draws[0].tested
    over = f"{len(result.draws)} draws and the test digits" if len(result.draws) > 1 else "the test digits"
    lines.append(
        f"{result.labels} labels: mean error {100 * m.value:.2f} %, 95 % interval {100 * m.low:.2f} to "
        f"{100 * m.high:.2f} %, over {over}"
    )
    if (result.trained, tested) != PUBLISHED:
        lines.append(
            f"{result.trained} training and {tested} test digits, a part of the published {PUBLISHED[0]} and "
            f"{PUBLISHED[1]}: published errors are of another test"
        )
    return "\n".join(lines) + "\n"
