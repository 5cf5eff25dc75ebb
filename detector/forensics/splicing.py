"""Which places of a picture have another past than most of it: windows compared with the picture's median.

The features of the trace network (its backbone, as it ships) are computed for windows of ``WINDOW`` pixels.
What a window has beside the median of all windows of the same picture is projected on the few directions in
which pasted, reconstructed and enlarged regions were found to stand out, as against the directions in which
windows of untouched photos differ by what they show (a linear discriminant; ``assay lab splicing``). The
length of the projection, in spreads of the picture's own windows, is how far a window differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.models.card import open_card
from detector.models.registry import model_files
from detector.models.weights import network_at
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import MIN_TEXTURE, texture_of

WINDOW = 96
STEP = 48
LEAST_SIDE = 3 * WINDOW
MOST_WINDOWS = 400
FARTHEST = 8.0  # deviations
BACKBONE = "traces-2"
WEIGHTS = "splicing.safetensors"
_LEAST_SPREAD = 0.25  # of the median spread of all directions
_TINY = 1e-6
LEAST_WINDOWS = 25  # with texture: the median of fewer says little of the picture

Array = NDArray[np.float32]
Grid = NDArray[np.float64]  # rows x columns of windows; NaN where one is smooth


class Backbone(Protocol):
    def features(self, crops: NDArray[np.uint8]) -> Array:
        """(n, d) of crops (n, h, w, 3)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """``features`` (n, d) of the windows with texture, ``at`` (n, 2) their row and column in a grid of
    ``shape``, ``step`` pixels from one to the next."""

    features: Array
    at: NDArray[np.intp]
    shape: tuple[int, int]
    step: float

    def laid_out(self, values: NDArray[np.float64]) -> Grid:
        """Values (n,) in their places."""
        grid: Grid = np.full(self.shape, np.nan)
        grid[self.at[:, 0], self.at[:, 1]] = values
        return grid


@dataclass(frozen=True, slots=True, kw_only=True)
class SplicingHead:
    """``mean`` and ``scale`` (d,) standardise features, ``directions`` (d, k) project them. ``backbone``: the
    SHA-256 of the weights that the features must come from."""

    mean: Array
    scale: Array
    directions: Array
    backbone: str

    def standard(self, features: Array) -> Array:
        """(n, d) of one picture: in deviations, from its own median."""
        found: Array = np.clip((features - self.mean) / self.scale, -FARTHEST, FARTHEST)
        return np.asarray(found - np.median(found, axis=0), np.float32)

    def distances(self, features: Array) -> NDArray[np.float64]:
        """(n,) of the windows of one picture: how far each lies from their median, in their spreads."""
        projected = self.standard(features) @ self.directions
        projected = projected - np.median(projected, axis=0)
        spread = 1.4826 * np.median(np.abs(projected), axis=0)
        spread = spread + _LEAST_SPREAD * np.median(spread) + _TINY
        return np.asarray(np.sqrt(np.mean((projected / spread) ** 2, axis=1)), np.float64)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What a file keeps."""
        kept: dict[str, NDArray[np.generic]] = {
            name: np.ascontiguousarray(getattr(self, name), np.float32)
            for name in ("mean", "scale", "directions")
        }
        return kept | {"backbone": np.frombuffer(bytes.fromhex(self.backbone), np.uint8)}


def differing(pixels: Pixels) -> Grid:
    """How far each window lies from the picture's median, by the weights that ship. Raises
    ``NotApplicable`` as ``windows_of``, and ``ModelUnavailable`` where the trace network or the head cannot
    be used."""
    head, network = shipped_head()
    windows = windows_of(pixels, network)
    return windows.laid_out(head.distances(windows.features))


@cache
def shipped_head() -> tuple[SplicingHead, Backbone]:
    """Raises ``ModelUnavailable``."""
    card, (_, weights) = open_card(BACKBONE), model_files(BACKBONE)
    try:
        head = splicing_head((files("detector.forensics") / WEIGHTS).read_bytes())
    except OSError as e:
        raise ModelUnavailable("the head that compares windows cannot be read") from e
    if head.backbone != card.weights_sha256:
        raise ModelUnavailable(f"its head was fitted on other weights than those of {BACKBONE}")
    return head, network_at(card, weights)


def splicing_head(data: bytes) -> SplicingHead:
    """Of the bytes of a file. Raises ``ModelUnavailable``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(data)
        mean, scale, directions = (tensors[name] for name in ("mean", "scale", "directions"))
        backbone = tensors["backbone"].tobytes().hex()
    except (SafetensorError, KeyError, ValueError) as e:
        raise ModelUnavailable("the head that compares windows cannot be read") from e
    if directions.ndim != 2 or not mean.shape == scale.shape == directions.shape[:1]:
        raise ModelUnavailable("the head that compares windows does not fit together")
    return SplicingHead(mean=mean, scale=scale, directions=directions, backbone=backbone)


def windows_of(pixels: Pixels, network: Backbone) -> Windows:
    """Raises ``NotApplicable`` for small pictures and for those with few windows that have texture."""
    height, width = pixels.shape[:2]
    step = step_of(height, width)
    ys, xs = ([int(n * step) for n in range(int((side - WINDOW) // step) + 1)] for side in (height, width))
    crops, at = [], []
    for row, y in enumerate(ys):
        for column, x in enumerate(xs):
            crop = pixels[y : y + WINDOW, x : x + WINDOW]
            if texture_of(crop) >= MIN_TEXTURE:
                crops.append(crop)
                at.append((row, column))
    if len(crops) < LEAST_WINDOWS:
        raise NotApplicable(
            f"{len(crops)} windows of {WINDOW} pixels have texture; to tell one from the rest takes "
            f"{LEAST_WINDOWS}"
        )
    features = np.concatenate([network.features(c[None]) for c in crops])
    return Windows(features=features, at=np.array(at), shape=(len(ys), len(xs)), step=step)


def step_of(height: int, width: int) -> float:
    """Pixels from a window to the next: ``STEP``, or as many as leave ``MOST_WINDOWS``. Raises
    ``NotApplicable`` for a small picture."""
    if min(height, width) < LEAST_SIDE:
        raise NotApplicable(f"{width} x {height} pixels: places are compared from {LEAST_SIDE} a side on")
    step = float(STEP)
    while ((height - WINDOW) // step + 1) * ((width - WINDOW) // step + 1) > MOST_WINDOWS:
        step *= 1.05
    return step


def strongest(grid: Grid) -> float:
    """The highest mean over two by two windows, of which three have texture."""
    known = np.isfinite(grid).astype(np.float64)
    filled = np.nan_to_num(grid)
    count = known[:-1, :-1] + known[1:, :-1] + known[:-1, 1:] + known[1:, 1:]
    total = filled[:-1, :-1] + filled[1:, :-1] + filled[:-1, 1:] + filled[1:, 1:]
    mean = np.where(count >= 3, total / np.maximum(count, 1), -np.inf)
    return float(mean.max()) if mean.size else float("-inf")
