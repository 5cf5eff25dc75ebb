"""How energy is spread over frequency: the trace that enlarging and loss leave in generated pictures.

The power spectrum of the luminance, Hann-windowed, averaged over rings of equal frequency (azimuthal
average, after Durall et al., "Watch your up-convolution", 2020). Frequencies are in cycles per picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.core.metrics import APART, Array, Estimate, Groups, resampler

_ROUNDING = 1.0 / 12  # variance that rounding to whole grey levels adds to every pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumDistance:
    """``rms_db``: root of the mean squared difference of two profiles. ``high_db``: mean difference of
    generated less real over the upper third of the frequencies: negative for a generator that blurs,
    positive for one that leaves a pattern."""

    rms_db: Estimate
    high_db: Estimate


def ring_powers(images: NDArray[np.uint8]) -> Array:
    """(n, side // 2) mean power per ring, frequency 1 first. Raises ``NotApplicable`` below 8 pixels."""
    side = images.shape[1]
    if side < 8 or images.shape[2] != side:
        raise NotApplicable(f"a spectrum needs square pictures of at least 8 pixels, not {side}")
    window = np.outer(np.hanning(side), np.hanning(side))
    frequency = np.fft.fftfreq(side, 1 / side)
    ring = np.hypot(frequency[:, None], frequency[None, :]).round().astype(int)
    inside = (ring >= 1) & (ring <= side // 2)
    sizes = np.bincount(ring[inside])[1:]
    out = np.empty((len(images), side // 2))
    for n, image in enumerate(images):
        grey = image.astype(np.float64).mean(axis=2)
        power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
        out[n] = np.bincount(ring[inside], power[inside])[1:] / sizes
    return out / float((window**2).sum())


def profile_db(powers: Array) -> Array:
    """The mean profile of many pictures in decibels; rounding noise keeps empty rings finite."""
    out: Array = 10 * np.log10(powers.mean(axis=0) + _ROUNDING)
    return out


def spectrum_distance(
    real: Array, fake: Array, *, seed: int = 0, rounds: int = 200, groups: tuple[Groups, Groups] = APART
) -> SpectrumDistance:
    """From ring powers of two sets of pictures of one side; intervals by resampling photos."""
    if real.shape[1] != fake.shape[1]:
        raise NotApplicable("spectra of pictures of different sizes cannot be compared")
    rng = np.random.default_rng(seed)
    draws = [resampler(x, g) for x, g in zip((real, fake), groups, strict=True)]
    values = np.array([_distances(draws[0](rng), draws[1](rng)) for _ in range(rounds)])
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    n = len(real) + len(fake)
    rms, upper = (
        Estimate(value=float(v), low=float(a), high=float(b), n=n)
        for v, a, b in zip(_distances(real, fake), low, high, strict=True)
    )
    return SpectrumDistance(rms_db=rms, high_db=upper)


def _distances(real: Array, fake: Array) -> tuple[float, float]:
    difference = profile_db(fake) - profile_db(real)
    return float(np.sqrt((difference**2).mean())), float(difference[-(len(difference) // 3) :].mean())
