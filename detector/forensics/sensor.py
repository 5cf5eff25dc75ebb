"""The fingerprint of a sensor (PRNU): estimated from photos of one camera, and looked for in one photo.

Every pixel of a sensor is a little more or less sensitive than its neighbours, always by the same factor.
The residual of a photo (what a denoiser takes away) holds a trace of it. Fingerprint: maximum likelihood over
several photos, rows and columns brought to zero mean, peaks of the spectrum taken down (Chen, Fridrich,
Goljan, Lukas 2008: Determining image origin and integrity using sensor noise). Comparison: peak to
correlation energy (Goljan, Fridrich, Filler 2009). Denoiser: wavelet coefficients by a local Wiener filter
(Mihcak 1999), here with Daubechies' filter of eight taps, four levels. Nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

NOISE = 3.0  # levels of 255: the standard deviation that the denoiser takes for noise
LEVELS = 4
SIDE = 2048  # pixels: of a larger photo the middle square of this side is used
AROUND = 5  # pixels around a peak that are left out of the energy
DARK, BRIGHT = 12, 248  # levels: darker pixels carry no trace, brighter ones may have lost it
_LOW = np.array(
    [0.23037781330885523, 0.7148465705525415, 0.6308807679295904, -0.02798376941698385,
     -0.18703481171888114, 0.030841381835986965, 0.032883011666982945, -0.010597401784997278],
    np.float32,
)  # fmt: skip
_HIGH = (_LOW[::-1] * np.array([1, -1] * 4, np.float32)).astype(np.float32)


def residual(grey: Plane) -> Plane:
    """What the denoiser takes away, in levels; rows and columns have zero mean. At least 64 pixels a side."""
    height, width = grey.shape
    step = 2**LEVELS
    padded = cv2.copyMakeBorder(grey, 0, -height % step, 0, -width % step, cv2.BORDER_REFLECT_101)
    noise: Plane = _noise(padded.astype(np.float32), LEVELS)[:height, :width]
    return zero_mean(noise)


def zero_mean(plane: Plane) -> Plane:
    """Rows and columns brought to zero mean: what a row or column shares is the model's, not the sensor's."""
    found: Plane = plane - plane.mean(axis=1, keepdims=True)
    found -= found.mean(axis=0, keepdims=True)
    return found


def _noise(plane: Plane, levels: int) -> Plane:
    low, *details = (_down(plane, x, y) for y in (_LOW, _HIGH) for x in (_LOW, _HIGH))
    found = _up(_noise(low, levels - 1), _LOW, _LOW) if levels > 1 else np.zeros_like(plane)
    kernels = ((_HIGH, _LOW), (_LOW, _HIGH), (_HIGH, _HIGH))
    for detail, (x, y) in zip(details, kernels, strict=True):
        found += _up(_wiener(detail), x, y)
    return found


def _down(plane: Plane, x: Plane, y: Plane) -> Plane:
    filtered = cv2.sepFilter2D(plane, cv2.CV_32F, x, y, anchor=(3, 3), borderType=cv2.BORDER_REFLECT_101)
    return np.ascontiguousarray(filtered[::2, ::2])


def _up(plane: Plane, x: Plane, y: Plane) -> Plane:
    spread = np.zeros((plane.shape[0] * 2, plane.shape[1] * 2), np.float32)
    spread[::2, ::2] = plane
    found = cv2.sepFilter2D(
        spread, cv2.CV_32F, x[::-1].copy(), y[::-1].copy(), anchor=(4, 4), borderType=cv2.BORDER_REFLECT_101
    )
    return np.asarray(found, np.float32)


def _wiener(detail: Plane) -> Plane:
    """The part of a coefficient that is noise: by the least of the variances around it in three windows."""
    squared = detail * detail
    signal = np.maximum(_least_around(squared) - NOISE**2, 0)
    found: Plane = detail * (NOISE**2 / (signal + NOISE**2))
    return found


def _least_around(plane: Plane) -> Plane:
    """The least of the means in three windows."""
    means = [
        np.asarray(cv2.blur(plane, (n, n), borderType=cv2.BORDER_REFLECT_101), np.float32) for n in (3, 5, 9)
    ]
    return np.minimum(np.minimum(means[0], means[1]), means[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One photo as it is compared: the middle of its grey plane, the residual there, and what bears on how
    much of a fingerprint can be in it. ``frame`` is (width, height) of the whole picture."""

    frame: tuple[int, int]
    grey: NDArray[np.uint8]
    noise: Plane

    @property
    def usable(self) -> float:
        """The share of pixels that are neither dark nor blown out."""
        return float(np.mean(_usable(self.grey)))

    @property
    def strength(self) -> float:
        """Standard deviation of the residual, in levels."""
        return float(self.noise.std())

    @property
    def light(self) -> float:
        """Mean of the grey plane, 0 to 255."""
        return float(self.grey.mean())

    @property
    def detail(self) -> float:
        """Mean difference of neighbours in a row, in levels: texture hides a fingerprint."""
        plane = self.grey.astype(np.int16)
        return float(np.abs(plane[:, 1:] - plane[:, :-1]).mean())

    @property
    def carrier(self) -> Plane:
        """The light that carries the trace, 0 to 1; nothing where it was lost."""
        return np.asarray(np.where(_usable(self.grey), self.grey, 0) / 255, np.float32)


def look_at(grey: NDArray[np.uint8]) -> Look:
    """``grey``: height x width of 8 bits, at least 64 pixels a side, in the order in which it is stored."""
    height, width = grey.shape
    part = grey[middle(height), middle(width)]
    return Look(frame=(width, height), grey=part, noise=residual(part.astype(np.float32)))


def middle(length: int, side: int = SIDE) -> slice:
    """The middle of a row or column: at most ``side`` pixels, a multiple of 16."""
    kept = min(side, length) // 16 * 16
    first = (length - kept) // 2
    return slice(first, first + kept)


def _usable(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (grey > DARK) & (grey < BRIGHT)
    return found


class Sum:
    """What the maximum-likelihood estimate is made of; photos can be added and taken out again."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.weighted = np.zeros(shape, np.float32)
        self.light = np.zeros(shape, np.float32)

    def add(self, look: Look, sign: int = 1) -> None:
        carrier = look.carrier
        self.weighted += sign * (look.noise * carrier)
        self.light += sign * (carrier * carrier)

    def estimate(self) -> Plane:
        """Sensitivity of every pixel against its neighbours, in levels at full light."""
        light = np.maximum(self.light, 0) + np.float32(1e-3)
        return without_peaks(zero_mean(np.asarray(self.weighted / light, np.float32)))


def without_peaks(plane: Plane) -> Plane:
    """The plane with what stands out of its spectrum taken down: that is compression and the model's."""
    spectrum = np.fft.rfft2(plane)
    power = (np.abs(spectrum) ** 2 / plane.size).astype(np.float32)
    level = float(plane.var())
    if level <= 0:
        return plane
    kept = level / np.maximum(_least_around(power), level)
    found: Plane = np.fft.irfft2(spectrum * kept, s=plane.shape).astype(np.float32)
    return found


def correlation(noise: Plane, expected: Plane) -> Plane:
    """Circular, at every shift of ``expected``; zero shift stands first. Of one shape."""
    product = np.fft.rfft2(noise) * np.conj(np.fft.rfft2(expected))
    found: Plane = np.fft.irfft2(product, s=noise.shape).astype(np.float32)
    return found


def peak_energy(surface: Plane, at: tuple[int, int] = (0, 0)) -> float:
    """PCE with its sign at one shift: the peak squared over the mean square everywhere else but around it. 0
    where nothing correlates with anything."""
    rows = np.arange(at[0] - AROUND, at[0] + AROUND + 1) % surface.shape[0]
    columns = np.arange(at[1] - AROUND, at[1] + AROUND + 1) % surface.shape[1]
    near = surface[np.ix_(rows, columns)].astype(np.float64)
    total = float(np.vdot(surface, surface)) - float((near**2).sum())
    mean = total / max(surface.size - near.size, 1)
    peak = float(surface[at])
    return 0.0 if mean <= 0 else float(np.sign(peak) * peak**2 / mean)
