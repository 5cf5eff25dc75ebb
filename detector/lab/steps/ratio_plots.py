"""Pictures of likelihood ratios, for eyes: how often they mislead, and what answering more would cost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from detector.core.metrics import Array, coverage_error
from detector.lab.steps.plots import FAKE_STYLE, MIN_CURVE, save_figure, subplots

_LN10 = math.log(10)


def plot_tippett(path: Path, real_llr: Array, fake_llr: Array) -> Path:
    """Of each class the share of pictures whose ratio is at least so large (Tippett plot; Evett and
    Buckleton, "Statistical Analysis of STR Data", 1996). Natural logarithms in, log10 on the axis."""
    figure, axis = subplots(figsize=(7, 4.5), layout="constrained")
    for values, name, colour in ((real_llr, "real", "0.5"), (fake_llr, "generated", FAKE_STYLE["color"])):
        x = np.sort(values / _LN10)
        share = np.linspace(1, 0, len(x) + 1)
        axis.step(
            np.append(x, x[-1:]), share[: len(x) + bool(len(x))], color=colour, label=f"{name} (n={len(x)})"
        )
    axis.axvline(0, color="black", linestyle=":", linewidth=0.9)
    axis.set_xlabel("log10 of the likelihood ratio (right of the dotted line it points to generated)")
    axis.set_ylabel("share with at least this ratio")
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return save_figure(figure, path)


def plot_coverage(path: Path, real_llr: Array, fake_llr: Array, shipped: tuple[float, float] | None) -> Path:
    """What part of the answers is wrong if the strongest ratios answer first, both classes weighing the same;
    ``shipped`` is coverage and error as the detector answers, which wants more than a ratio."""
    figure, axis = subplots(figsize=(7, 4.5), layout="constrained")
    if min(len(real_llr), len(fake_llr)) >= MIN_CURVE:
        axis.step(*coverage_error(real_llr, fake_llr), where="post", label="by the size of the ratio alone")
    else:
        few = min(len(real_llr), len(fake_llr))
        axis.plot([], [], color="white", label=f"no curve of {few} pictures of a class")
    if shipped is not None:
        axis.plot(*shipped, "o", color="black", label="as it answers")
    axis.set_xlim(0, 1.02)
    axis.set_ylim(bottom=-0.01)
    axis.set_xlabel("share of pictures that get an answer (both classes weigh the same)")
    axis.set_ylabel("share of answers that are wrong")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return save_figure(figure, path)
