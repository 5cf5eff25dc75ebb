"""A fingerprint of a sensor with its calibration: built from photos, extended, written and read.

What a fingerprint may be relied on for is measured on its own photos, each held out in turn: how strongly a
photo of this camera shows it, for the light and the residual that the photo has. Photos that carry too little
are refused, each with its reason, and so is a fingerprint that does not know its own photos.
"""

from __future__ import annotations

import io
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from zipfile import BadZipFile, ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.core.files import arrays_bytes
from detector.forensics.sensor import Look, Plane, Sum, correlation, look_at, middle, peak_energy
from detector.pixels.decode import Pixels, decode

FORMAT = "assay.sensor.1"
MIN_PHOTOS, MAX_PHOTOS = 8, 60
MIN_SIDE = 512  # pixels: smaller pictures hold too little of a fingerprint
MIN_USABLE = 0.5
MIN_STRENGTH = 0.25  # levels: less was left by a denoiser, or by a drawing
KNOWS = 25.0  # PCE: half of the photos, each held out, have at least this
LIGHT_STEP = 8  # pixels: the light is written at each so many of them
SHIFTS = 64  # places of every correlation that are read as what no fingerprint gives
STEPS = 6  # of eight bits: steps for one standard deviation
MAX_FILE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One photo against the fingerprint of the others: ``energy`` is the PCE, the rest as ``Look`` has it."""

    energy: float
    strength: float
    usable: float
    light: float
    detail: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorPrint:
    """``plane`` is the middle of the sensor in its own order, ``light`` how much light the estimate rests on
    at each pixel (mean of photos squared); ``frame`` is (width, height) of the photos; ``null_most`` the
    largest PCE at ``null_places`` shifts where no fingerprint can be."""

    plane: Plane
    light: Plane
    frame: tuple[int, int]
    photos: int
    held: tuple[Held, ...]
    null_most: float
    null_places: int


def why_unfit(look: Look) -> str | None:
    """Why a photo cannot teach a fingerprint, or None."""
    if min(look.frame) < MIN_SIDE:
        return f"it has fewer than {MIN_SIDE} pixels a side"
    if look.usable < MIN_USABLE:
        which = "dark" if look.light < 128 else "blown out"
        return f"more than half of it is {which}: such pixels carry no fingerprint"
    if look.strength < MIN_STRENGTH:
        return "hardly any noise is left in it: it was smoothed, drawn or scaled down"
    return None


def look_of(data: bytes, media_type: str) -> Look:
    """A file as a fingerprint is learned from it. Raises as ``decode``, ``NotApplicable`` for a small one."""
    return look_in(decode(data, media_type))


def look_in(pixels: Pixels) -> Look:
    """Decoded pixels in stored order. Raises ``NotApplicable``."""
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise NotApplicable(f"it has fewer than {MIN_SIDE} pixels a side")
    return look_at(np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), np.uint8))


def build(looks: Sequence[Look], before: SensorPrint | None = None) -> SensorPrint:
    """From photos that fit (``why_unfit``) and have one size. ``before``: the fingerprint that they extend.

    Raises ``NotApplicable``: too few, of several sizes, or without a common fingerprint.
    """
    sizes = Counter(look.frame for look in looks)
    known = before.photos if before else 0
    if len(looks) + known < MIN_PHOTOS:
        raise NotApplicable(
            f"a fingerprint needs {MIN_PHOTOS} photos that fit; there are {len(looks) + known}"
        )
    if not looks:
        raise NotApplicable("no photo that fits was added")
    if len(sizes) > 1 or (before is not None and {before.frame} != set(sizes)):
        raise NotApplicable("the photos have several sizes; a fingerprint is of one")
    total = Sum(looks[0].grey.shape)
    if before is not None:
        total.light += before.light * known
        total.weighted += before.plane * total.light
    for look in looks:
        total.add(look)
    held, null = _held_out(looks, total)
    if float(np.median([h.energy for h in held])) < KNOWS:
        raise NotApplicable(
            "the photos share no fingerprint: they come from several cameras, or were smoothed, scaled or "
            "compressed too much"
        )
    photos = len(looks) + known
    return SensorPrint(
        plane=total.estimate(),
        light=np.asarray(total.light / photos, np.float32),
        frame=looks[0].frame,
        photos=photos,
        held=(*(before.held if before else ()), *held),
        null_most=max(float(np.max(null)), before.null_most if before else 0.0),
        null_places=len(null) + (before.null_places if before else 0),
    )


def _held_out(looks: Sequence[Look], total: Sum) -> tuple[tuple[Held, ...], list[float]]:
    held: list[Held] = []
    null: list[float] = []
    draw = np.random.default_rng(0)
    for look in looks:
        total.add(look, -1)
        expected = total.estimate() * look.carrier
        surface = correlation(look.noise, expected)
        held.append(measured(look, peak_energy(surface)))
        rows = draw.integers(64, surface.shape[0] - 64, SHIFTS)
        columns = draw.integers(64, surface.shape[1] - 64, SHIFTS)
        mean = max(float(np.vdot(surface, surface)) / surface.size, 1e-30)
        there = surface[rows, columns]
        null += [float(v) for v in np.sign(there) * there**2 / mean]
        total.add(look)
    return tuple(held), null


def measured(look: Look, energy: float) -> Held:
    return Held(
        energy=energy,
        strength=look.strength,
        usable=look.usable,
        light=look.light,
        detail=look.detail,
    )


def print_bytes(found: SensorPrint) -> bytes:
    """As one file: a NumPy archive without objects."""
    spread = float(found.plane.std()) or 1.0
    steps = np.clip(np.rint(found.plane / spread * STEPS), -127, 127).astype(np.int8)
    head = {
        "format": FORMAT,
        "spread": spread,
        "frame": found.frame,
        "photos": found.photos,
        "held": [asdict(h) for h in found.held],
        "null_most": found.null_most,
        "null_places": found.null_places,
    }
    light = found.light[::LIGHT_STEP, ::LIGHT_STEP].astype(np.float16)
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    return arrays_bytes({"head": text, "plane": steps, "light": light})


def read_print(data: bytes) -> SensorPrint:
    """Raises ``ValueError`` for what ``print_bytes`` never wrote: nothing may follow from a broken one."""
    if len(data) > MAX_FILE_BYTES:
        raise ValueError("too large for a fingerprint")
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            if sum(i.file_size for i in archive.infolist()) > MAX_FILE_BYTES:
                raise ValueError("too large for a fingerprint")
        with np.load(io.BytesIO(data), allow_pickle=False) as parts:
            head = json.loads(bytes(parts["head"]))
            steps, light = parts["plane"], parts["light"]
            if head["format"] != FORMAT or steps.dtype != np.int8 or light.dtype != np.float16:
                raise ValueError("no fingerprint of this format")
            return _sound(_print(head, steps, light))
    except (LookupError, TypeError, OSError, EOFError, RuntimeError, ArithmeticError) as e:
        raise ValueError(f"no fingerprint: {type(e).__name__}") from e
    except (BadZipFile, zlib.error) as e:
        raise ValueError(f"no fingerprint: {type(e).__name__}") from e


def _sound(found: SensorPrint) -> SensorPrint:
    """Raises ``ValueError`` where shapes do not belong together or a number is none."""
    width, height = found.frame
    numbers = [found.null_most, *(n for h in found.held for n in asdict(h).values())]
    is_sound = (
        min(found.frame) >= MIN_SIDE
        and found.plane.shape == look_shape(width, height) == found.light.shape
        and found.photos > 0
        and len(found.held) > 0
        and bool(np.isfinite(numbers).all())
        and bool(np.isfinite(found.plane).all() and np.isfinite(found.light).all())
    )
    if not is_sound:
        raise ValueError("no sound fingerprint")
    return found


def look_shape(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the part that is looked at, of a picture of that size."""
    rows, columns = middle(height), middle(width)
    return rows.stop - rows.start, columns.stop - columns.start


def _print(head: dict[str, object], steps: NDArray[np.int8], light: NDArray[np.float16]) -> SensorPrint:
    width, height = (int(n) for n in head["frame"])  # type: ignore[attr-defined]
    spread = float(head["spread"])  # type: ignore[arg-type]
    if not 0 < spread < 1e6:  # levels
        raise ValueError("no sound fingerprint")
    grown = np.kron(light.astype(np.float32), np.ones((LIGHT_STEP, LIGHT_STEP), np.float32))
    held = tuple(Held(**h) for h in head["held"])  # type: ignore[attr-defined]
    return SensorPrint(
        plane=steps.astype(np.float32) * np.float32(spread / STEPS),
        light=np.asarray(grown[: steps.shape[0], : steps.shape[1]], np.float32),
        frame=(width, height),
        photos=int(head["photos"]),  # type: ignore[call-overload]
        held=held,
        null_most=float(head["null_most"]),  # type: ignore[arg-type]
        null_places=int(head["null_places"]),  # type: ignore[call-overload]
    )
