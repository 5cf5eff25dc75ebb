"""One logistic score over the numbers of ``detector.forensics.recapture``, fitted and given its point.

Fitted on the first half of authors and sources (``detector.lab.halves``): their photos of screens and prints
against their photos of scenes and the photos of the corpus, both classes with equal weight. Its point is
chosen on scores of models that never saw the author or the source: each author is left out in turn, the
sources in two folds. At most ``FALSE_ALARMS`` of the authors' scenes, and as few of the corpus's photos, lie
at the point or above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import LabError
from detector.core.logistic import fit_logistic
from detector.forensics.recapture import NAMES
from detector.forensics.recapture_score import FARTHEST, RecaptureModel
from detector.lab.halves import first_half
from detector.lab.recapture.gathering import Line

PENALTY = 30.0
FALSE_ALARMS = 0.01
_SOURCES = "sources "
_TINY = 1e-6

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``numbers`` (n, names), ``screen`` (n,), ``source`` (n,) and ``fold`` (n,) of pictures in order."""

    numbers: Array
    screen: NDArray[np.bool_]
    source: NDArray[np.str_]
    fold: NDArray[np.str_]


def fit_recapture(lines: Sequence[Line]) -> RecaptureModel:
    """Raises ``LabError`` where the first half lacks photos of screens or of scenes."""
    table = table_of([line for line in lines if first_half(line["source"]) and _is_fitted_on(line)])
    if not 0 < table.screen.sum() < len(table.screen):
        raise LabError("the first half of authors and sources has no photos of screens, or none of scenes")
    scores = np.full(len(table.screen), np.nan)
    for fold in np.unique(table.fold):
        inside = table.fold == fold
        rest = ~inside
        if 0 < table.screen[rest].sum() < rest.sum():
            scores[inside] = _fitted(table, rest, 0.0).scores(table.numbers[inside])
    asked = ~table.screen & np.isfinite(scores)
    of_sources = np.char.startswith(table.fold, _SOURCES)
    points = [_point(scores[asked & rows]) for rows in (of_sources, ~of_sources) if (asked & rows).any()]
    if not points:
        raise LabError("no author or source can be left out: there is one only")
    return _fitted(table, np.ones(len(table.screen), bool), max(points))


def _point(scenes: Array) -> float:
    """The next number above the highest score that may not be reached."""
    kept = int(FALSE_ALARMS * len(scenes))
    return float(np.nextafter(np.sort(scenes)[len(scenes) - 1 - kept], np.inf))


def _is_fitted_on(line: Line) -> bool:
    """A photo that could be asked: no art, render or screenshot."""
    return "numbers" in line and line.get("kind", "") in ("", "photo")


def table_of(lines: Sequence[Line]) -> Table:
    """The numbers of ``lines``, which all have some."""
    return Table(
        numbers=np.array([line["numbers"] for line in lines], np.float64).reshape(-1, len(NAMES)),
        screen=np.array([line["what"] == "screen" for line in lines], bool),
        source=np.array([line["source"] for line in lines], np.str_),
        fold=np.array([_fold(line) for line in lines], np.str_),
    )


def _fold(line: Line) -> str:
    if line["of"] == "author":
        return str(line["source"])
    return _SOURCES + ("1" if sha256(line["source"].encode()).hexdigest()[1] in "01234567" else "2")


def _fitted(table: Table, rows: NDArray[np.bool_], point: float) -> RecaptureModel:
    numbers, screen = table.numbers[rows], table.screen[rows]
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + _TINY
    standard = np.clip((numbers - mean) / scale, -FARTHEST, FARTHEST)
    design = np.column_stack([standard, np.ones(len(standard))])
    shares = np.where(screen, 0.5 / screen.sum(), 0.5 / (~screen).sum()) * len(screen)
    penalty = np.append(np.full(len(NAMES), PENALTY), 0.0)
    theta = fit_logistic(design, screen.astype(np.float64), penalty, shares)
    return RecaptureModel(
        mean=mean, scale=scale, weights=theta[:-1], bias=float(theta[-1]), point=point, sha256=""
    )
