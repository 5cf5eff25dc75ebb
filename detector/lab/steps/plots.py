"""Pictures of a run, for eyes: loss, scores, ROC, and false alarms per source."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.core.files import write_whole
from detector.core.metrics import Array, roc
from detector.lab.steps.evaluation import PictureScore, logits
from detector.lab.steps.left_out import LeftOut
from detector.lab.steps.training import EpochResult
from detector.models.card import ModelCard, SetResult
from detector.pixels.decode import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_CURVE = 10
MOST_HISTOGRAMS = 24
MOST_CURVES = 19
MOST_LEVEL_NAMES = 9
MOST_LETTERS = 26
_REAL_STYLE: dict[str, Any] = {"color": "0.75", "histtype": "stepfilled"}
FAKE_STYLE: dict[str, Any] = {"color": "tab:red", "histtype": "step", "linewidth": 1.6}


def plot_run(
    run: Path, log: Sequence[EpochResult], card: ModelCard, scores: Sequence[PictureScore]
) -> tuple[Path, ...]:
    """Write the four plots into ``run``; returns their paths."""
    matched = [s for s in scores if s.view == "matched"]
    point = card.operating_point
    drawn = [
        _loss(run, log),
        plot_scores(
            run / "scores.png", matched, points=(point.supports_logit, point.against_logit),
            what="raw logit of test pictures after codec_match (dotted: operating points)",
        ),
        plot_roc(run / "roc.png", matched),
    ]  # fmt: skip
    if card.evaluation is not None:
        drawn.append(plot_false_alarms(run / "false-alarms.png", card.evaluation.results))
    return tuple(drawn)


def _loss(run: Path, log: Sequence[EpochResult]) -> Path:
    figure, axis = subplots(figsize=(7, 4), layout="constrained")
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
    return save_figure(figure, run / "loss.png")


def plot_scores(
    path: Path, scores: Sequence[PictureScore], *, what: str, points: Sequence[float] = ()
) -> Path:
    """One small plot per generated set, each over the same real pictures, so that every set can be read; of
    very many sets those with the most pictures. ``what`` names the scores, ``points`` get a line."""
    real = logits(scores, fake=False)
    sets, left = _largest_sets(scores, MOST_HISTOGRAMS)
    if len(sets) > 1:
        sets = {"all of them": logits(scores, fake=True), **sets}
    everything = np.concatenate([real, *sets.values(), [0.0]])
    bins = np.linspace(everything.min(), everything.max() + 1e-6, 33).tolist()
    columns = min(4, max(1, len(sets)))
    rows = max(1, -(-len(sets) // columns))
    figure, grid = subplots(
        rows, columns, figsize=(1 + 2.6 * columns, 0.9 + 1.8 * rows), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    # A set of a few pictures is a tower; it is cut off, so that the others can be read.
    highest = float(np.histogram(real, bins)[0].max()) / max(1, len(real))
    for axis, (name, values) in zip(
        grid.flat, list(sets.items()) or [("no generated set", real[:0])], strict=False
    ):
        # Shares, not densities: of a set with two pictures a density would be a tower above all others.
        for scored, style in ((real, _REAL_STYLE), (values, FAKE_STYLE)):
            axis.hist(scored, bins=bins, weights=np.full(len(scored), 1 / max(1, len(scored))), **style)
        for x in points:
            axis.axvline(x, color="black", linestyle=":", linewidth=0.9)
        if len(values) >= MIN_CURVE:
            highest = max(highest, float(np.histogram(values, bins)[0].max()) / len(values))
        axis.set_title(f"{short_name(name)} (n={len(values)})", fontsize=9)
        axis.tick_params(labelsize=8)
    grid[0, 0].set_ylim(0, 1.1 * highest or 1)
    for axis in grid.flat[max(1, len(sets)) :]:
        axis.set_axis_off()
    figure.supxlabel(what + left, fontsize=9)
    figure.supylabel(f"share of the set (grey: real, n={len(real)})", fontsize=9)
    return save_figure(figure, path)


def plot_roc(path: Path, scores: Sequence[PictureScore]) -> Path:
    """A curve per generated set, and one over all of them where there are several."""
    from matplotlib import colormaps

    figure, axis = subplots(figsize=(7, 5), layout="constrained")
    real = logits(scores, fake=False)
    sets, left = _largest_sets(scores, MOST_CURVES)
    colours = colormaps["tab10" if len(sets) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    for n, (name, fake) in enumerate(sets.items()):
        if min(len(real), len(fake)) >= MIN_CURVE:
            axis.plot(
                *roc(real, fake), label=f"{short_name(name)} (n={len(fake)})", color=colours[n % len(colours)]
            )
        else:  # a curve of a few pictures is a staircase that looks like a measurement
            few = min(len(real), len(fake))
            axis.plot([], [], label=f"{short_name(name)}: no curve of {few} pictures", color="white")
    together = logits(scores, fake=True)
    if len(sets) > 1 and min(len(real), len(together)) >= MIN_CURVE:
        every = f"all of them (n={len(together)})"
        axis.plot(*roc(real, together), label=every, color="black", linewidth=2)
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axis.set_xlabel(f"false-positive rate{left}")
    axis.set_ylabel("true-positive rate")
    figure.legend(fontsize=8, loc="outside right upper")
    return save_figure(figure, path)


def _largest_sets(scores: Sequence[PictureScore], most: int) -> tuple[dict[str, Array], str]:
    """The logits of generated sets, in their order; and of more than ``most`` a remark on those left out."""
    sets = {n: logits(scores, fake=True, name=n) for n in dict.fromkeys(s.set_name for s in scores if s.fake)}
    if len(sets) <= most:
        return sets, ""
    kept = sorted(sets, key=lambda n: -len(sets[n]))[:most]
    return {n: v for n, v in sets.items() if n in kept}, f"; the {most} largest of {len(sets)} sets"


def plot_false_alarms(path: Path, results: Sequence[SetResult]) -> Path:
    """How often real pictures are called generated, set by set and view by view."""
    real = [r for r in results if not r.fake]
    views = list(dict.fromkeys(r.view for r in real))
    names = list(dict.fromkeys(r.name for r in real))
    figure, axis = subplots(figsize=(max(9, 0.4 * len(names)), 4.5), layout="constrained")
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
    steep = len(names) > MOST_LEVEL_NAMES
    gap = " " if steep else "\n"
    axis.set_xticks(
        range(len(names)), [f"{short_name(n)}{gap}n={count[n]}" for n in names], fontsize=8,
        rotation=60 if steep else 0, ha="right" if steep else "center",
    )  # fmt: skip
    axis.set_ylabel('real pictures answered "supports" (95 %)')
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3, axis="y")
    axis.legend(fontsize=8)
    return save_figure(figure, path)


def plot_heatmap(pixels: Pixels, heat: NDArray[np.float32], path: Path, *, side: int) -> Path:
    """The picture, and over it the log-odds of every square of ``side`` pixels; flat squares stay clear."""
    height, width = heat.shape[0] * side, heat.shape[1] * side
    figure, axis = subplots(figsize=(9, 9 * height / width + 0.8), layout="constrained")
    axis.imshow(pixels[:height, :width].mean(2), cmap="gray", vmin=0, vmax=255)
    shown = axis.imshow(
        np.ma.masked_invalid(heat), cmap="coolwarm", vmin=-4, vmax=4, alpha=0.45,
        extent=(0, width, height, 0), interpolation="nearest",
    )  # fmt: skip
    axis.set_axis_off()
    figure.colorbar(shown, shrink=0.8, label='log-odds of "generated", uncalibrated, square by square')
    return save_figure(figure, path)


def plot_left_out(run: Path, rows: Sequence[LeftOut]) -> Path:
    """Each family left out: the AUC on it, and on those that were trained on, as a matrix."""
    names = [r.family for r in rows]
    values = np.array([[dict(r.others).get(n, r.auc.value) for n in names] for r in rows])
    side = 1.6 + 0.62 * len(names)
    figure, axis = subplots(figsize=(side + 1, side), layout="constrained")
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
    return save_figure(figure, run / "lofo.png")


def short_name(name: str) -> str:
    """A name that somebody gave a folder, as text of a plot: a dollar would begin a formula."""
    cut = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
    return cut.replace("$", r"\$")


def subplots(*grid: int, **options: Any) -> tuple[Figure, Any]:
    """A figure that needs no display, and its axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(*grid, **options)


def save_figure(figure: Figure, path: Path) -> Path:
    from matplotlib import pyplot as plt

    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    plt.close(figure)
    write_whole(path, out.getvalue())
    return path
