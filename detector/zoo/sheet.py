"""Pictures of a fit, for eyes: sheets of samples, losses, spectra, quality against time."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import OptionRefused
from detector.core.files import write_whole
from detector.core.metrics import Array, Estimate
from detector.zoo.export import png_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 2
_PAPER = 255
_INSIDE = 4  # curves whose names find a place between them
_COLOURS = (
    "tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:gray",
    "tab:olive", "tab:cyan", "navy", "gold", "lime", "salmon",
)  # fmt: skip
_WANTED_SIDE = 64  # small pictures are shown larger, by repeating pixels so that nothing is smoothed


def sheet_of(images: NDArray[np.uint8], *, columns: int) -> NDArray[np.uint8]:
    """A grid (height, width, 3) in reading order, with white gaps; the last row may be short."""
    if columns < 1 or not len(images):
        raise OptionRefused("a sheet has at least one column and one picture")
    times = max(1, _WANTED_SIDE // images.shape[1])
    shown = images.repeat(times, axis=1).repeat(times, axis=2)
    if shown.shape[3] == 1:
        shown = shown.repeat(3, axis=3)
    rows, height, width = -(-len(shown) // columns), shown.shape[1] + _GAP, shown.shape[2] + _GAP
    sheet = np.full((rows * height + _GAP, columns * width + _GAP, 3), _PAPER, np.uint8)
    for n, picture in enumerate(shown):
        y, x = _GAP + n // columns * height, _GAP + n % columns * width
        sheet[y : y + height - _GAP, x : x + width - _GAP] = picture
    return sheet


def write_sheet(images: NDArray[np.uint8], path: Path, *, columns: int) -> None:
    """Raises ``FileFailed``."""
    write_whole(path, png_bytes(sheet_of(images, columns=columns)))


def plot_losses(log: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Mean losses per window of steps. Without a finished window there is nothing to draw and no file."""
    if not log:
        return
    figure, axis = _figure(title)
    for name in log[-1]["losses"]:
        rows = [(line["images"], line["losses"][name]) for line in log if name in line["losses"]]
        axis.plot(*zip(*rows, strict=True), label=name, marker="." if len(rows) < 3 else None)
    axis.set_xlabel("real pictures seen")
    axis.set_ylabel("loss, mean of a window")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    _save(figure, path)


def plot_spectra(profiles: Mapping[str, Array], path: Path, *, title: str) -> None:
    """Mean profiles in dB, frequency 1 first; the first one is drawn as the reference."""
    figure, axis = _figure(title)
    axis.set_prop_cycle(color=_COLOURS)
    for n, (name, profile) in enumerate(profiles.items()):
        style = {"color": "black", "linewidth": 2.2} if n == 0 else {"linewidth": 1.4}
        axis.plot(np.arange(1, len(profile) + 1), profile, label=name, **style)
    axis.set_xlabel("frequency, cycles per picture")
    axis.set_ylabel("power, dB")
    axis.grid(alpha=0.3)
    if len(profiles) > _INSIDE:
        figure.legend(fontsize=8, loc="outside right upper")
    else:
        axis.legend(fontsize=8)
    _save(figure, path)


def plot_progress(points: Sequence[Mapping[str, float]], path: Path, *, title: str) -> None:
    """Quality against CPU time, as it was watched during the fit. Without points there is no file."""
    if not points:
        return
    figure, axis = _figure(title)
    seconds = [p["cpu_seconds"] for p in points]
    axis.plot(
        seconds, [p["spectrum_db"] for p in points], "o-", color="tab:blue", label="spectrum distance, dB"
    )
    axis.set_xlabel("CPU seconds")
    axis.set_ylabel("spectrum distance to real pictures, dB")
    axis.set_ylim(bottom=0)
    right = axis.twinx()
    right.plot(seconds, [p["kid_pixels"] for p in points], "s--", color="tab:red", label="KID, pixels")
    right.set_ylabel("KID on 16 x 16 pixels")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    _save(figure, path)


def plot_errors(curves: Mapping[str, Sequence[Mapping[str, float]]], path: Path, *, title: str) -> None:
    """Share of wrongly classified test pictures against CPU time, a curve per run, on a logarithmic axis."""
    if not any(curves.values()):
        return
    figure, axis = _figure(title)
    for name, points in curves.items():
        # Half a digit in 2,000: an error of nothing has no place on this axis.
        errors = [max(100 * p["error"], 0.025) for p in points]
        axis.plot([p["cpu_seconds"] for p in points], errors, "o-", markersize=3, label=name)
    axis.set_yscale("log")
    for part in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        part(lambda y, _: f"{y:g}")
    axis.set_xlabel("CPU seconds")
    axis.set_ylabel("test error, %")
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize=8)
    _save(figure, path)


def plot_gains(
    arms: Mapping[str, tuple[Estimate, Array]], gains: Mapping[str, Estimate], path: Path, *, title: str
) -> None:
    """Accuracy of every arm, its seeds as points, above paired differences with their intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, height_ratios=(len(arms), len(gains)))
    figure.suptitle(title, fontsize=10)
    for n, (mean, seeds) in enumerate(arms.values()):
        above.plot(100 * seeds, [n] * len(seeds), "o", color="tab:blue", alpha=0.35, markersize=4)
        _bar(above, mean, n, "tab:blue")
    above.set_yticks(range(len(arms)), arms, fontsize=8)
    above.set_xlabel("accuracy on the test pictures, %")
    for n, gain in enumerate(gains.values()):
        _bar(below, gain, n, "tab:green" if gain.low > 0 else "tab:red" if gain.high < 0 else "tab:gray")
    below.axvline(0, color="black", linewidth=1)
    below.set_yticks(range(len(gains)), gains, fontsize=8)
    below.set_xlabel("gain in points, paired, 95 %; green: yes, red: worse")
    for axis in (above, below):
        axis.invert_yaxis()
        axis.grid(alpha=0.3, axis="x")
    _save(figure, path)


def _bar(axis: Any, e: Estimate, at: int, colour: str) -> None:
    axis.plot([100 * e.low, 100 * e.high], [at, at], color=colour, linewidth=2)
    axis.plot(100 * e.value, at, "D", color=colour, markersize=5)


def _figure(title: str) -> tuple[Figure, Any]:
    # No pyplot: a figure of its own leaves no global state and needs no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.set_title(title, fontsize=10)
    return figure, axis


def _save(figure: Figure, path: Path) -> None:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    write_whole(path, out.getvalue())
