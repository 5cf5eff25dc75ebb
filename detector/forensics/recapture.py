"""Traces of a photo of a screen or a print: numbers of a picture, and one logistic score over them.

A screen seen by a camera is sampled twice: its pixels beat with the sensor's (moire, a grid in the spectrum),
its colours are those of three lamps, its blacks glow, and its picture was sharpened and compressed before.
None of it is sure and most of it is faint, so a few squares of the picture are measured at two sizes (its own
pixels, and reduced to a longer side of ``REDUCED``) and weighed together. The numbers are the peaks and the
bands of the spectra of brightness and colour, noise and how its channels go together, tones, and the shares
of local binary patterns (Ojala, Pietikainen and Maenpaa, 2002).

Weights are fitted by ``detector.lab.recapture``, and none ship; docs/cards/recaptured.md says what some were
worth.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.pixels.decode import Pixels, open_cv2

SIDE = 512
LEAST_SIDE = 320
REDUCED = 1024  # the longer side of the smaller of the two looks
MOST_SQUARES = 3
LEAST_DEVIATION = 4.0  # levels: less is a flat picture
LEAST_COLOUR = 0.5
LEAST_NOISE = -3.5  # of ``own_noise_y``: of 601 photos of screens and prints none is below -2.7
_RINGS = (0.03, 0.12, 0.25, 0.5)  # periods a pixel
_BANDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
_BACKGROUND = 31  # bins: what a peak of the spectrum is compared with
_PEAK = 2.5  # natural logarithm of the amplitude above its surroundings
_TOP = 30
_TINY = 1e-6
_UNIFORM = 10  # rotation-invariant uniform patterns of eight neighbours

Plane = NDArray[np.float32]
Numbers = NDArray[np.float64]

_SQUARE = (
    *(f"{c}_{what}" for c in ("y", "cb", "cr") for what in ("low", "middle", "high", "top", "many")),
    *(f"y_band{i}" for i in range(1, len(_BANDS) - 1)),
    "cb_fine", "cr_fine",
    "noise_y", "noise_cb", "noise_cr", "heavy_y", "across", "down", "aslant",
    "with_red", "with_blue",
    "dark", "middle", "bright", "black", "white", "colourful",
    "mean_cb", "mean_cr", "deviation_cb", "deviation_cr",
    *(f"{what}_{i}" for what in ("near", "far", "blue") for i in range(_UNIFORM)),
)  # fmt: skip
NAMES = tuple(f"{look}_{name}" for look in ("own", "reduced") for name in _SQUARE)


def features(pixels: Pixels) -> Numbers:
    """One number for each of ``NAMES``: means over the squares of each look. Raises ``NotApplicable`` for
    small, flat and colourless pictures, of which nothing is known."""
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise NotApplicable(f"{width} x {height} pixels: traces of a screen need {LEAST_SIDE} on each side")
    own = _look(pixels)
    scale = REDUCED / max(height, width)
    if scale >= 1 or min(height, width) * scale < LEAST_SIDE:
        return np.concatenate([own, own])
    cv2 = open_cv2()
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.concatenate([own, _look(small)])


def noiseless(numbers: Numbers) -> bool:
    """Whether a picture with these ``features`` has next to no noise, as drawings and screenshots: no photo
    of a screen or print is known that has so little."""
    return float(numbers[NAMES.index("own_noise_y")]) < LEAST_NOISE


def measured(pixels: Pixels) -> Numbers:
    """``features`` of a picture to which the weights apply. Raises ``NotApplicable`` also where there is next
    to no noise."""
    found = features(pixels)
    if noiseless(found):
        raise NotApplicable(
            "it has next to no noise, as drawings and screenshots: what a screen leaves was measured in "
            "photos, which have some"
        )
    return found


def squares(pixels: Pixels) -> list[tuple[int, int, int]]:
    """(top, left, side) of at most ``MOST_SQUARES``, side by side along the longer side's middle line."""
    height, width = pixels.shape[:2]
    side = min(height, width, SIDE)
    long = max(height, width)
    count = min(MOST_SQUARES, max(1, long // side))
    between = (np.arange(count) + 0.5) * long / count - side / 2
    starts = [int(np.clip(at, 0, long - side)) for at in between]
    if width >= height:
        return [((height - side) // 2, at, side) for at in starts]
    return [(at, (width - side) // 2, side) for at in starts]


def _look(pixels: Pixels) -> Numbers:
    cv2 = open_cv2()
    found: list[Numbers] = []
    why = ""
    for top, left, side in squares(pixels):
        square = np.ascontiguousarray(pixels[top : top + side, left : left + side])
        planes = cv2.cvtColor(square, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        luma, cr, cb = (np.ascontiguousarray(planes[:, :, i]) for i in range(3))
        if luma.std() < LEAST_DEVIATION:
            why = "it is flat where it was looked at: neither a pattern nor noise can be told from nothing"
        elif max(cb.std(), cr.std()) < LEAST_COLOUR:
            why = "it has no colour, and what a screen does to colour was measured"
        else:
            found.append(_numbers(square, luma, cb, cr))
    if not found:
        raise NotApplicable(why)
    mean: Numbers = np.mean(found, axis=0)
    if not np.isfinite(mean).all():
        raise NotApplicable("its traces of a screen could not be measured")
    return mean


def _numbers(square: Pixels, luma: Plane, cb: Plane, cr: Plane) -> Numbers:
    spectra = [_log_spectrum(plane) for plane in (luma, cb, cr)]
    found: list[float] = []
    for spectrum in spectra:
        found += _peaks(spectrum)
    found += _bands(spectra[0])
    found += [_fine(s) for s in spectra[1:]]
    found += _noise(luma, cb, cr)
    found += _channels(square)
    found += _tone(luma, cb, cr)
    found += [*_patterns(luma, 1), *_patterns(luma, 2), *_patterns(cb, 1)]
    return np.array(found, np.float64)


def _log_spectrum(plane: Plane) -> Plane:
    """Natural logarithm of the amplitude, frequency 0 in the middle; side x side."""
    cv2, side = open_cv2(), plane.shape[0]
    waves = cv2.dft((plane - plane.mean()) * _window(side), flags=cv2.DFT_COMPLEX_OUTPUT)
    sizes = cv2.magnitude(waves[:, :, 0], waves[:, :, 1]) / side
    spectrum: Plane = np.fft.fftshift(cv2.log(sizes + np.float32(1e-3)))
    return spectrum


@cache
def _window(side: int) -> Plane:
    one = np.hanning(side).astype(np.float32)
    return one[:, None] * one


@cache
def _rings(side: int, edges: tuple[float, ...]) -> tuple[NDArray[np.intp], ...]:
    """Flat indices of the bins of each ring."""
    at = np.fft.fftshift(np.fft.fftfreq(side)).astype(np.float32)
    radii = np.hypot(at[:, None], at).reshape(-1)
    return tuple(np.flatnonzero((radii >= low) & (radii < high)) for low, high in pairwise(edges))


@cache
def _counted(side: int) -> NDArray[np.bool_]:
    """Bins that are no trace of frames, of horizons, or of blocks of 8 pixels."""
    at = np.fft.fftshift(np.fft.fftfreq(side))
    near = 3.5 / side
    axis = np.abs(at) < near
    block = np.abs(at * 8 - np.round(at * 8)) < 8 * near
    counted: NDArray[np.bool_] = ~(axis[:, None] | axis | (block[:, None] & block))
    return counted


def _peaks(spectrum: Plane) -> list[float]:
    """How far bins stand above their surroundings: the highest of each ring, the mean of the highest, and
    the share beyond ``_PEAK``, as a logarithm."""
    side = spectrum.shape[0]
    above = spectrum - open_cv2().blur(spectrum, (_BACKGROUND, _BACKGROUND))
    flat = np.where(_counted(side), above, np.float32(-10)).reshape(-1)
    parts = [flat[ring] for ring in _rings(side, _RINGS)]
    inside = np.concatenate(parts)
    top = float(np.partition(inside, -_TOP)[-_TOP:].mean())
    many = float(np.log10((inside > _PEAK).mean() + _TINY))
    return [*(float(part.max()) for part in parts), top, many]


def _bands(spectrum: Plane) -> list[float]:
    """The mean of each band above the first one's."""
    flat = spectrum.reshape(-1)
    means = [float(flat[ring].mean()) for ring in _rings(spectrum.shape[0], _BANDS)]
    return [m - means[0] for m in means[1:]]


def _fine(spectrum: Plane) -> float:
    flat = spectrum.reshape(-1)
    coarse, _, fine = (flat[ring] for ring in _rings(spectrum.shape[0], (0.0, 0.05, 0.2, 0.5)))
    return float(fine.mean() - coarse.mean())


def _noise(luma: Plane, cb: Plane, cr: Plane) -> list[float]:
    """Of the residual after a slight blur: its size by channel, how heavy its tails are, and how alike
    neighbours are."""
    cv2 = open_cv2()
    rest = [p - cv2.GaussianBlur(p, (0, 0), 1.0) for p in (luma, cb, cr)]
    sizes = [float(np.log(np.median(np.abs(r)) + 0.01)) for r in rest]
    fine = rest[0] - rest[0].mean()
    power = float((fine**2).mean()) + _TINY
    heavy = float(np.log((fine**4).mean() / power**2 + _TINY))
    across = float((fine[:, 1:] * fine[:, :-1]).mean() / power)
    down = float((fine[1:] * fine[:-1]).mean() / power)
    aslant = float((fine[1:, 1:] * fine[:-1, :-1]).mean() / power)
    return [*sizes, heavy, across, down, aslant]


def _channels(square: Pixels) -> list[float]:
    """How the fine parts of red and of blue go with those of green: a mosaic's do, a screen's less."""
    cv2 = open_cv2()
    plain = square.astype(np.float32)
    fine = (plain - cv2.GaussianBlur(plain, (0, 0), 1.0)).reshape(-1, 3)
    fine -= fine.mean(axis=0)
    joint = fine.T @ fine / len(fine)
    size = np.sqrt(np.diag(joint)) + _TINY
    return [float(joint[i, 1] / size[i] / size[1]) for i in (0, 2)]


def _tone(luma: Plane, cb: Plane, cr: Plane) -> list[float]:
    dark, half, bright = (float(v) / 255 for v in np.percentile(luma, (1, 50, 99)))
    black, white = float((luma < 4).mean()), float((luma > 251).mean())
    colourful = float(np.hypot(cb - 128, cr - 128).mean()) / 64
    means = [float(p.mean() - 128) / 32 for p in (cb, cr)]
    spread = [float(p.std()) / 32 for p in (cb, cr)]
    return [dark, half, bright, black, white, colourful, *means, *spread]


@cache
def _uniform() -> NDArray[np.uint8]:
    """Of each pattern of eight neighbours: how many are brighter, where they hang together; else the last."""
    table = np.full(256, _UNIFORM - 1, np.uint8)
    for code in range(256):
        bits = [(code >> i) & 1 for i in range(8)]
        if sum(bits[i] != bits[i - 1] for i in range(8)) <= 2:
            table[code] = sum(bits)
    return table


def _patterns(plane: Plane, reach: int) -> list[float]:
    """Square roots of the shares of the patterns of neighbours ``reach`` pixels away."""
    values = np.rint(plane).astype(np.int16)
    height, width = values.shape
    middle = values[reach : height - reach, reach : width - reach]
    around = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    codes = np.zeros(middle.shape, np.uint8)
    for bit, (down, right) in enumerate(around):
        top, left = reach * (1 + down), reach * (1 + right)
        other = values[top : top + middle.shape[0], left : left + middle.shape[1]]
        codes |= (other >= middle).astype(np.uint8) << np.uint8(bit)
    counts = np.bincount(_uniform()[codes].reshape(-1), minlength=_UNIFORM)
    return [float(v) for v in np.sqrt(counts / codes.size)]
