"""Whether a photo shows the fingerprint of a sensor: as it is, turned, scaled or cropped, within bounds.

A photo of the size that the fingerprint was learned at is compared pixel by pixel; one of another size is
searched: quarter turns, the scale that its size suggests, and shifts of a crop at full size. What a search
has not found says nothing. What is not there where it has to be says something only of a photo within the
range of those that the fingerprint was calibrated on, and of a device whose photos all show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np

from detector.forensics.sensor import Look, Plane, correlation, peak_energy, zero_mean
from detector.forensics.sensor_print import SensorPrint, why_unfit

FITS, FITS_NEAR, FITS_ANYWHERE = 25.0, 35.0, 60.0  # PCE in place, best of a window, best of all shifts
PERHAPS = 20.0  # PCE of the best of a window: too much for a fingerprint that is missing
MISSING = 10.0  # PCE in place: as little as photos of other sensors have
MIN_HELD = 8  # photos that were held out: fewer calibrate nothing
SMOOTHED, FINER, DARKER = 0.8, 1.25, 0.7  # of the range of the photos that calibrated
WINDOW = 8  # pixels: how far a scaled picture may lie from where its size suggests
MIN_SCALE, MAX_SCALE = 0.3, 1.5


class Fit(StrEnum):
    FITS = "fits"
    MISSING = "missing"
    BETWEEN = "between"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """``energy`` is the PCE of the place where it was found or has to be, None where there is no such place;
    ``bound`` that of ``least_shown``; ``turn`` in quarter turns and ``scale`` against the fingerprint;
    ``why``: of an ``UNFIT`` photo."""

    fit: Fit
    energy: float | None
    bound: float
    turn: int = 0
    scale: float = 1.0
    why: str = ""


def match(look: Look, known: SensorPrint) -> Match:
    """A photo, as ``look_at`` sees it, against a fingerprint."""
    why = why_unfit(look)
    if why is not None:
        return Match(fit=Fit.UNFIT, energy=None, bound=least_shown(known), why=why)
    if look.frame == known.frame:
        found = _in_place(look, known)
        if found.fit is Fit.FITS:
            return found
    else:
        found = Match(fit=Fit.UNFIT, energy=None, bound=least_shown(known), why=_other_size(look, known))
    for tried in _searched(look, known):
        if tried.fit is Fit.FITS:
            return tried
        if found.fit is Fit.MISSING and tried.energy is not None and tried.energy >= PERHAPS:
            found = replace(found, fit=Fit.BETWEEN)
    return found


def _other_size(look: Look, known: SensorPrint) -> str:
    asked, taught = ("{} x {}".format(*frame) for frame in (look.frame, known.frame))
    return (
        f"it has {asked} pixels, the fingerprint is of {taught}, and no turn, scale or crop of it was found"
    )


def _in_place(look: Look, known: SensorPrint) -> Match:
    energy = peak_energy(correlation(look.noise, known.plane * look.carrier))
    bound = least_shown(known)
    if energy >= FITS:
        return Match(fit=Fit.FITS, energy=energy, bound=bound)
    if energy >= MISSING:
        return Match(fit=Fit.BETWEEN, energy=energy, bound=bound)
    why = _why_nothing_follows(look, known, bound)
    return Match(fit=Fit.UNFIT if why else Fit.MISSING, energy=energy, bound=bound, why=why)


def least_shown(known: SensorPrint) -> float:
    """The PCE that 99 % of the device's photos have at least, 95 % sure, if its logarithm is normal among
    them (one-sided tolerance bound, Natrella 1963); 0 where too few were held out."""
    n = len(known.held)
    if n < MIN_HELD:
        return 0.0
    logs = np.log([max(h.energy, 0.1) for h in known.held])
    of, sure = 2.326, 1.645
    a, b = 1 - sure**2 / (2 * (n - 1)), of**2 - sure**2 / n
    factor = (of + (of**2 - a * b) ** 0.5) / a
    return float(np.exp(logs.mean() - factor * logs.std(ddof=1)))


def _why_nothing_follows(look: Look, known: SensorPrint, bound: float) -> str:
    """Why a fingerprint that is not found may be there all the same; "" where nothing says so."""
    if bound < MISSING:
        return "the device's own photos show its fingerprint too faintly, or too few of them were held out"
    if look.detail > FINER * max(h.detail for h in known.held):
        return "it has more detail than any photo that the fingerprint was learned from, which hides it"
    if look.usable < min(h.usable for h in known.held) - 0.02:
        return "more of it is dark or blown out than of any photo that the fingerprint was learned from"
    if look.light < DARKER * min(h.light for h in known.held):
        return "it is darker than the photos that the fingerprint was learned from"
    if look.strength < SMOOTHED * min(h.strength for h in known.held):
        return "it was smoothed or compressed more than the photos that the fingerprint was learned from"
    return ""


def _searched(look: Look, known: SensorPrint) -> Iterator[Match]:
    """The best place of each turn and scale that the size allows; ends at the first that fits."""
    for turn in _turns(look, known):
        plane = np.ascontiguousarray(np.rot90(known.plane, turn))
        frame = known.frame if turn % 2 == 0 else known.frame[::-1]
        scale = look.frame[0] / frame[0]
        alike = abs(look.frame[1] / frame[1] - scale) < 0.01 * scale
        if alike and not MIN_SCALE <= scale <= MAX_SCALE:
            continue
        energy = _scaled(look, plane, scale) if alike else _cropped(look, plane)
        fits = energy >= (FITS_NEAR if alike else FITS_ANYWHERE)
        yield Match(
            fit=Fit.FITS if fits else Fit.BETWEEN,
            energy=energy,
            bound=least_shown(known),
            turn=turn,
            scale=scale if alike else 1.0,
        )
        if fits:
            return


def _turns(look: Look, known: SensorPrint) -> tuple[int, ...]:
    """As it is first; a crop may stand where its picture lay."""
    if look.frame == known.frame:  # as it is it was compared in place
        return (1, 2, 3) if look.frame[0] == look.frame[1] else (2,)
    lying = (look.frame[0] >= look.frame[1]) == (known.frame[0] >= known.frame[1])
    return (0, 2) if lying else (0, 1, 3)


def _scaled(look: Look, plane: Plane, scale: float) -> float:
    """The same part of both pictures; the peak within a small window."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(plane, None, fx=scale, fy=scale, interpolation=how), np.float32)
    height = min(resized.shape[0], look.grey.shape[0])
    width = min(resized.shape[1], look.grey.shape[1])
    ours, theirs = _centre(look.noise, height, width), _centre(resized, height, width)
    light = _centre(look.carrier, height, width)
    surface = correlation(ours, zero_mean(theirs) * light)
    near = np.roll(surface, (WINDOW, WINDOW), (0, 1))[: 2 * WINDOW + 1, : 2 * WINDOW + 1]
    y, x = np.unravel_index(int(np.argmax(near)), near.shape)
    return peak_energy(surface, (int(y) - WINDOW, int(x) - WINDOW))


def _centre(plane: Plane, height: int, width: int) -> Plane:
    y, x = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    return np.ascontiguousarray(plane[y : y + height, x : x + width])


def _cropped(look: Look, plane: Plane) -> float:
    """Every shift at full size; the fingerprint is that of the middle of the sensor."""
    height = max(look.noise.shape[0], plane.shape[0])
    width = max(look.noise.shape[1], plane.shape[1])
    surface = correlation(_padded(look.noise * look.carrier, height, width), _padded(plane, height, width))
    y, x = np.unravel_index(int(np.argmax(surface)), surface.shape)
    return peak_energy(surface, (int(y), int(x)))


def _padded(plane: Plane, height: int, width: int) -> Plane:
    found = np.zeros((height, width), np.float32)
    found[: plane.shape[0], : plane.shape[1]] = plane
    return found
