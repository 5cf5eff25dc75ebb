"""Whether something about a file that is no picture tells its label: the codec, its tables, the size.

A detector that is fitted on files as they are stored can learn such a field in place of pixels. Each field is
given the label's log-odds by its value, counted on other folds, and the AUC of that score is what a
classifier of this field alone reaches: once with folds of single pictures (what this corpus gives away), once
with folds of whole sources (what would hold for files from elsewhere).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.metrics import auc

FOLDS = 5
_BINS = 24
_PRIOR = 1.0  # pictures of each class that every value is given, so that a rare one says little

Codes = NDArray[np.intp]  # the number of a value, one a picture


class Filed(Protocol):
    """What is known of a file without its pixels; a row of a manifest is one. Sides in pixels, ``size`` in
    bytes, ``luminance_sum`` of the quantisation table of a JPEG."""

    @property
    def sha256(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def fake(self) -> bool: ...
    @property
    def format(self) -> str: ...
    @property
    def luminance_sum(self) -> int | None: ...
    @property
    def size(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


_Value = Callable[[Filed], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How well one field alone tells the label: AUC, 0.5 for not at all."""

    field: str
    by_picture: float
    by_source: float


def telling_fields(
    rows: Sequence[Filed], more: Mapping[str, Sequence[str]] | None = None
) -> tuple[Telling, ...]:
    """For every field, and for all of them together as the last; ``more`` names further fields with a word
    for every row. Raises ``CalibrationError`` for rows of one class."""
    fake = np.array([r.fake for r in rows])
    picture = np.array([_fold(r.sha256) for r in rows])
    source = np.array([_fold(r.source) for r in rows])
    told = []
    sums = [np.zeros(len(rows)), np.zeros(len(rows))]
    for name, codes in {**_fields(rows), **{n: _of_words(w) for n, w in (more or {}).items()}}.items():
        scores = [_cross_fitted(codes, fake, folds) for folds in (picture, source)]
        told.append(_telling(name, scores, fake))
        sums = [a + b for a, b in zip(sums, scores, strict=True)]
    return (*told, _telling("all of these", sums, fake))


def _telling(name: str, scores: list[NDArray[np.float64]], fake: NDArray[np.bool_]) -> Telling:
    by_picture, by_source = (auc(s[~fake], s[fake]) for s in scores)
    return Telling(field=name, by_picture=by_picture, by_source=by_source)


def _fields(rows: Sequence[Filed]) -> dict[str, Codes]:
    tables = [str(r.luminance_sum) for r in rows]
    return {
        "format": _of_words([r.format for r in rows]),
        "luminance table": _of_words(tables),
        "bytes": _of_numbers(rows, lambda r: r.size),
        "shorter side": _of_numbers(rows, lambda r: min(r.width, r.height)),
        "pixels": _of_numbers(rows, lambda r: r.width * r.height),
        "aspect ratio": _of_numbers(rows, lambda r: r.width / r.height),
        "bytes per pixel": _of_numbers(rows, lambda r: r.size / (r.width * r.height)),
    }


def _of_words(words: Sequence[str]) -> Codes:
    codes: Codes = np.unique(np.array(words), return_inverse=True)[1].astype(np.intp)
    return codes


def _of_numbers(rows: Sequence[Filed], value: _Value) -> Codes:
    """Bins of about as many pictures each; one value is never parted."""
    values = np.array([value(r) for r in rows], np.float64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))
    return np.searchsorted(edges, values, side="right").astype(np.intp)


def _cross_fitted(codes: Codes, fake: NDArray[np.bool_], folds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Log-odds of each picture's value, less those of all pictures: what the other folds count."""
    scores = np.zeros(len(codes))
    for fold in range(FOLDS):
        mine = folds == fold
        fakes, reals = (
            np.bincount(codes[~mine & of], minlength=codes.max() + 1) + _PRIOR for of in (fake, ~fake)
        )
        odds = np.log(fakes / fakes.sum()) - np.log(reals / reals.sum())
        scores[mine] = odds[codes[mine]]
    return scores


def _fold(text: str) -> int:
    return hashlib.sha256(f"field\0{text}".encode()).digest()[0] % FOLDS
