"""Pictures of a run, for eyes: loss, scores, ROC, and false alarms per source."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.core.files import write_whole
from detector.core.metrics import roc
from detector.lab.steps.evaluation import PictureScore, logits
from detector.lab.steps.left_out import LeftOut
from detector.lab.steps.training import EpochResult
from detector.models.card import Evaluation, ModelCard
from detector.pixels.decode import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_CURVE = 10
_REAL_STYLE: dict[str, Any] = {"color": "0.75", "histtype": "stepfilled"}
_FAKE_STYLE: dict[str, Any] = {"color": "tab:red", "histtype": "step", "linewidth": 1.6}


def plot_run(
    run: Path, log: Sequence[EpochResult], card: ModelCard, scores: Sequence[PictureScore]
) -> tuple[Path, ...]:
    """Write the four plots into ``run``; returns their paths."""
    matched = [s for s in scores if s.view == "matched"]
    drawn = [_loss(run, log), _histogram(run, card, matched), _roc(run, matched)]
    if card.evaluation is not None:
        drawn.append(_false_alarms(run, card.evaluation))
    return tuple(drawn)


def _loss(run: Path, log: Sequence[EpochResult]) -> Path:
    figure, axis = _subplots(figsize=(7, 4), layout="constrained")
    epochs = [e.epoch for e in log]
    axis.plot(epochs, [e.loss for e in log], label="training loss", color="tab:blue", marker=".")
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss")
    right = axis.twinx()
    right.plot(
        epochs, [e.real_accuracy for e in log], "--", color="tab:green", label="camera crops below zero"
    )
    right.plot(
        epochs, [e.fake_accuracy for e in log], "--", color="tab:red", label="generated crops above zero"
    )
    right.set_ylabel("share of training crops")
    right.set_ylim(0, 1)
    figure.legend(loc="outside lower center", ncols=3)
    return _save(figure, run / "loss.png")


def _histogram(run: Path, card: ModelCard, scores: Sequence[PictureScore]) -> Path:
    """One small plot per generated set, each over the same real pictures, so that every set can be read."""
    real = logits(scores, fake=False)
    sets = {n: logits(scores, fake=True, name=n) for n in dict.fromkeys(s.set_name for s in scores if s.fake)}
    everything = np.concatenate([real, *sets.values(), [0.0]])
    bins = np.linspace(everything.min(), everything.max() + 1e-6, 33).tolist()
    columns = min(4, max(1, len(sets)))
    rows = max(1, -(-len(sets) // columns))
    figure, grid = _subplots(
        rows, columns, figsize=(1 + 2.6 * columns, 0.9 + 1.8 * rows), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    point = card.operating_point
    # A set of a few pictures is a tower; it is cut off, so that the others can be read.
    highest = float(np.histogram(real, bins)[0].max()) / max(1, len(real))
    for axis, (name, values) in zip(
        grid.flat, list(sets.items()) or [("no generated set", real[:0])], strict=False
    ):
        # Shares, not densities: of a set with two pictures a density would be a tower above all others.
        for scored, style in ((real, _REAL_STYLE), (values, _FAKE_STYLE)):
            axis.hist(scored, bins=bins, weights=np.full(len(scored), 1 / max(1, len(scored))), **style)
        for x in (point.supports_logit, point.against_logit):
            axis.axvline(x, color="black", linestyle=":", linewidth=0.9)
        if len(values) >= MIN_CURVE:
            highest = max(highest, float(np.histogram(values, bins)[0].max()) / len(values))
        axis.set_title(f"{name} (n={len(values)})", fontsize=9)
        axis.tick_params(labelsize=8)
    grid[0, 0].set_ylim(0, 1.1 * highest or 1)
    for axis in grid.flat[max(1, len(sets)) :]:
        axis.set_axis_off()
    figure.supxlabel("raw logit of test pictures after codec_match (dotted: operating points)", fontsize=9)
    figure.supylabel(f"share of the set (grey: real, n={len(real)})", fontsize=9)
    return _save(figure, run / "scores.png")


def _roc(run: Path, scores: Sequence[PictureScore]) -> Path:
    from matplotlib import colormaps

    figure, axis = _subplots(figsize=(7, 5), layout="constrained")
    real = logits(scores, fake=False)
    names = list(dict.fromkeys(s.set_name for s in scores if s.fake))
    colours = colormaps["tab10" if len(names) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    for n, name in enumerate(names):
        fake = logits(scores, fake=True, name=name)
        if min(len(real), len(fake)) >= MIN_CURVE:
            axis.plot(*roc(real, fake), label=f"{name} (n={len(fake)})", color=colours[n % len(colours)])
        else:  # a curve of a few pictures is a staircase that looks like a measurement
            few = min(len(real), len(fake))
            axis.plot([], [], label=f"{name}: no curve of {few} pictures", color="white")
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axis.set_xlabel("false-positive rate")
    axis.set_ylabel("true-positive rate")
    figure.legend(fontsize=8, loc="outside right upper")
    return _save(figure, run / "roc.png")


def _false_alarms(run: Path, evaluation: Evaluation) -> Path:
    real = [r for r in evaluation.results if not r.fake]
    views = list(dict.fromkeys(r.view for r in real))
    names = list(dict.fromkeys(r.name for r in real))
    figure, axis = _subplots(figsize=(9, 4.5), layout="constrained")
    for k, view in enumerate(views):
        rows = [next(r for r in real if r.view == view and r.name == n) for n in names]
        x = np.arange(len(names)) + (k - (len(views) - 1) / 2) * 0.8 / len(views)
        values = np.array([r.supports.value for r in rows])
        errors = np.array(
            [[r.supports.value - r.supports.low, r.supports.high - r.supports.value] for r in rows]
        )
        # Points, not bars: a rate of nothing has no bar, and its interval is what matters.
        axis.errorbar(x, values, yerr=np.clip(errors.T, 0, None), fmt="o", capsize=3, label=view)
    count = {r.name: r.n for r in reversed(real)}
    axis.set_xticks(range(len(names)), [f"{n}\nn={count[n]}" for n in names], fontsize=8)
    axis.set_ylabel('real pictures answered "supports" (95 %)')
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3, axis="y")
    axis.legend(fontsize=8)
    return _save(figure, run / "false-alarms.png")


def plot_heatmap(pixels: Pixels, heat: NDArray[np.float32], path: Path, *, side: int) -> Path:
    """The picture, and over it the log-odds of every square of ``side`` pixels; flat squares stay clear."""
    height, width = heat.shape[0] * side, heat.shape[1] * side
    figure, axis = _subplots(figsize=(9, 9 * height / width + 0.8), layout="constrained")
    axis.imshow(pixels[:height, :width].mean(2), cmap="gray", vmin=0, vmax=255)
    shown = axis.imshow(
        np.ma.masked_invalid(heat), cmap="coolwarm", vmin=-4, vmax=4, alpha=0.45,
        extent=(0, width, height, 0), interpolation="nearest",
    )  # fmt: skip
    axis.set_axis_off()
    figure.colorbar(shown, shrink=0.8, label='log-odds of "generated", uncalibrated, square by square')
    return _save(figure, path)


def plot_left_out(run: Path, rows: Sequence[LeftOut]) -> Path:
    """Each family left out: the AUC on it, and on those that were trained on, as a matrix."""
    names = [r.family for r in rows]
    values = np.array([[dict(r.others).get(n, r.auc.value) for n in names] for r in rows])
    side = 1.6 + 0.62 * len(names)
    figure, axis = _subplots(figsize=(side + 1, side), layout="constrained")
    shown = axis.imshow(values, vmin=0.4, vmax=1.0, cmap="viridis")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            colour = "black" if value > 0.75 else "white"
            weight = "bold" if x == y else "normal"
            axis.text(x, y, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8, weight=weight)
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("tested on")
    axis.set_ylabel("never trained on")
    figure.colorbar(shown, label="AUC after codec_match")
    return _save(figure, run / "lofo.png")


def _subplots(*grid: int, **options: Any) -> tuple[Figure, Any]:
    """A figure that needs no display, and its axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(*grid, **options)


def _save(figure: Figure, path: Path) -> Path:
    from matplotlib import pyplot as plt

    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    plt.close(figure)
    write_whole(path, out.getvalue())
    return path
