"""How docs/cards/symmetry.md is made: the comparison of eyes on real and generated faces of the corpus.

The halves are split by the first hex digit of a file's SHA-256, even for calibration and odd for test. Only
numbers leave here, no picture and nothing fitted.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, CorpusError
from detector.core.metrics import Estimate, auc, bootstrap, cllr, proportion
from detector.forensics.faces import FaceModels
from detector.forensics.symmetry import (
    MAX_LIGHT_COLOUR,
    MAX_LIGHT_DIFFERENCE,
    SUPPORTS_COLOUR,
    FaceSymmetry,
    Unfit,
    examine_faces,
    unexplained,
)
from detector.models.calibration import fit
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, decode

REAL, GENERATED = "train/faces256_ffhq", "fakes_train/stylegan1_faces"
VIEWS = {"as it is": None, "JPEG 75": Encoding(media_type="image/jpeg", quality=75)}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One picture in one view: its widest face, if any, and the CPU time from pixels to comparison."""

    real: bool
    test: bool
    view: str
    face: FaceSymmetry | None
    seconds: float

    @property
    def compared(self) -> FaceSymmetry | None:
        return self.face if self.face is not None and not self.face.unfit else None


MEASURES: dict[str, Callable[[FaceSymmetry], float]] = {
    "colour of the irises, light taken off": lambda f: f.colour,
    "colour of the irises": lambda f: f.raw_colour,
    "lightness of the irises": lambda f: f.lightness,
    "distance of the largest highlights": lambda f: f.highlight_distance or 0.0,
    "number of highlights": lambda f: float(_highlights(f)),
    "mirrored landmarks": lambda f: f.landmark_distance,
}


def _highlights(face: FaceSymmetry) -> int:
    return abs(len(face.left.highlights) - len(face.right.highlights)) if face.left and face.right else 0


def measure_symmetry(
    root: Path,
    models: FaceModels,
    *,
    folders: Sequence[str] = (REAL, GENERATED),
    views: Sequence[str] = tuple(VIEWS),
) -> tuple[Measured, ...]:
    """Every picture of the folders in every view. Raises ``CorpusError`` for a missing set."""
    out: list[Measured] = []
    for folder in folders:
        paths = sorted((root / folder).glob("*.jpg"))
        if not paths:
            raise CorpusError(f"{folder} is not in the corpus folder")
        for path in paths:
            data = path.read_bytes()
            test = int(hashlib.sha256(data).hexdigest()[0], 16) % 2 == 1
            pixels = decode(data, "image/jpeg")
            out.extend(_one(pixels, models, real=folder == REAL, test=test, view=view) for view in views)
    return tuple(out)


def _one(pixels: Pixels, models: FaceModels, *, real: bool, test: bool, view: str) -> Measured:
    encoding = VIEWS[view]
    seen = through(pixels, encoding) if encoding else pixels
    started = time.process_time()
    faces = examine_faces(seen, models)
    seconds = time.process_time() - started
    return Measured(real=real, test=test, view=view, face=faces[0] if faces else None, seconds=seconds)


def two_persons(faces: list[FaceSymmetry], *, rounds: int = 500) -> tuple[Estimate, Estimate]:
    """What the comparison is worth where two eyes do not belong together: the left eye of one real face with
    the right eye of another, similarly lit. AUC against eyes of one face, and the rate at the operating
    point; intervals by resampling faces."""
    n = len(faces)
    same = np.array([f.colour for f in faces])
    mixed = np.array([[_mixed(a, b) if a is not b else np.nan for b in faces] for a in faces])

    def both(index: NDArray[np.int_]) -> tuple[float, float]:
        pairs = mixed[np.ix_(index, index)].ravel()
        pairs = pairs[~np.isnan(pairs)]
        return auc(same[index], pairs), float((pairs >= SUPPORTS_COLOUR).mean())

    rng = np.random.default_rng(0)
    values = np.array([both(rng.integers(n, size=n)) for _ in range(rounds)])
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    whole = both(np.arange(n))
    first, second = (
        Estimate(value=whole[i], low=float(low[i]), high=float(high[i]), n=int((~np.isnan(mixed)).sum()))
        for i in (0, 1)
    )
    return first, second


def _mixed(a: FaceSymmetry, b: FaceSymmetry) -> float:
    if a.left is None or b.right is None:
        return float("nan")
    light = np.subtract(a.left.white, b.right.white)
    if abs(light[0]) > MAX_LIGHT_DIFFERENCE or float(np.hypot(*light[1:])) > MAX_LIGHT_COLOUR:
        return float("nan")
    return unexplained(np.subtract(a.left.iris, b.right.iris)[1:], light[1:])


def symmetry_tables(measured: tuple[Measured, ...]) -> str:
    """The measured part of the card, as Markdown."""
    parts = (_answers(measured), _measures(measured), _persons(measured), _ratio(measured), _unfit(measured))
    return "\n".join(parts)


def _scores(
    measured: tuple[Measured, ...], measure: Callable[[FaceSymmetry], float], *, test: bool, view: str
) -> tuple[Array, Array]:
    found = [m for m in measured if m.test is test and m.view == view and m.compared]
    real, fake = (
        np.array([measure(m.compared) for m in found if m.compared and m.real is real])
        for real in (True, False)
    )
    return real, fake


def _answers(measured: tuple[Measured, ...]) -> str:
    rows = [
        "## Answers at the shipped operating point",
        "",
        "| half | saved | faces | pictures | compared | points to it | of the pictures | of the compared |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for test in (False, True):
        for view in VIEWS:
            for real in (True, False):
                some = [m for m in measured if (m.test, m.view, m.real) == (test, view, real)]
                compared = [m.compared.colour for m in some if m.compared]
                hits = sum(c >= SUPPORTS_COLOUR for c in compared)
                rows.append(
                    f"| {'test' if test else 'calibration'} | {view} | {'real' if real else 'StyleGAN'} "
                    f"| {len(some)} | {len(compared)} | {hits} | {_rate(hits, len(some))} "
                    f"| {_rate(hits, len(compared))} |"
                )
    return "\n".join((*rows, ""))


def _rate(hits: int, n: int) -> str:
    e = proportion(hits, n)
    return f"{e.value:.1%} ({e.low:.1%} to {e.high:.1%})"


def _measures(measured: tuple[Measured, ...]) -> str:
    rows = [
        "## What each measure tells apart",
        "",
        "AUC with bootstrap interval on the compared faces of the test half, as they are; 0.5 is nothing.",
        "",
        "| difference between the eyes | AUC | median of real | median of generated | in the answer |",
        "|---|---|---|---|---|",
    ]
    for i, (name, measure) in enumerate(MEASURES.items()):
        real, fake = _scores(measured, measure, test=True, view="as it is")
        e = bootstrap(auc, real, fake)
        rows.append(
            f"| {name} | {e.value:.2f} ({e.low:.2f} to {e.high:.2f}) | {np.median(real):.2f} "
            f"| {np.median(fake):.2f} | {'yes' if i == 0 else 'no'} |"
        )
    return "\n".join((*rows, ""))


def _persons(measured: tuple[Measured, ...]) -> str:
    faces = [m.compared for m in measured if m.test and m.real and m.view == "as it is" and m.compared]
    area, rate = two_persons(faces)
    return (
        "## Eyes that do not belong together\n\n"
        f"One eye each of two real people of the test half, similarly lit ({area.n} pairs of {len(faces)} "
        f"faces): AUC {area.value:.2f} ({area.low:.2f} to {area.high:.2f}) against the two eyes of one face; "
        f"{rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%}) are beyond the operating point.\n"
    )


def _ratio(measured: tuple[Measured, ...]) -> str:
    head = "## Likelihood ratio\n\n"
    real, fake = _scores(
        measured, MEASURES["colour of the irises, light taken off"], test=False, view="as it is"
    )
    top = max(float(_scores(measured, lambda f: f.colour, test=False, view=view)[0].max()) for view in VIEWS)
    text = f"The largest value on a real face of the calibration half, over both views, is {top:.2f}. "
    try:
        line = fit(real[:, None], [fake[:, None]])
    except CalibrationError as e:
        return f"{head}{text}A calibration on that half fails: {e.detail}. No ratio is given.\n"
    other = _scores(measured, lambda f: f.colour, test=True, view="as it is")
    cost = cllr(line.llr(other[0]), line.llr(other[1]))
    return (
        f"{head}{text}A calibration on that half has slope {line.slope:.3f} with standard error "
        f"{line.covariance[0] ** 0.5:.3f}, and Cllr {cost:.3f} on the test half (1 says nothing). No "
        "ratio is given.\n"
    )


def _unfit(measured: tuple[Measured, ...]) -> str:
    some = [m for m in measured if m.view == "as it is"]
    reasons = Counter(u for m in some if m.face for u in m.face.unfit)
    rows = ["## Why faces were not compared", "", f"Of {len(some)} pictures; several reasons may hold.", ""]
    rows += ["| reason | pictures |", "|---|---|", f"| no face found | {sum(m.face is None for m in some)} |"]
    rows += [f"| {u.value} | {reasons[u]} |" for u in Unfit]
    cost = float(np.median([m.seconds for m in some])) * 1e3
    rows += ["", f"One picture of 256 x 256 pixels with a face takes {cost:.0f} CPU-ms without decoding."]
    return "\n".join((*rows, ""))
