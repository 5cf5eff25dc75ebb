"""Whether first digits of a JPEG's coefficients tell more than ``double_jpeg``: docs/cards/double_jpeg.md.

    python -m tests.bench.first_digits gather CORPUS OUT.jsonl [PHOTOS]
    python -m tests.bench.first_digits table OUT.jsonl

Photos of the corpus, one of a source, reduced so that nothing is left of their past, are saved once, and
twice on the same squares. Of each: the gain of ``examine_double``; how far the first digits of eight
frequencies lie from the generalised law of Benford that fits them best (Fu et al. 2007), as chi-square by
coefficient; how much of the histograms' power lies in their plainest period (combing); and the shares of the
digits themselves, for a logistic model for each quality of the file (Li et al. 2008), fitted on sources of
one half (``first_half``) and reported on the others.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DetectorError
from detector.core.logistic import fit_logistic
from detector.forensics.double_jpeg import FREQUENCIES, examine_double
from detector.forensics.squares import brightness, coefficients
from detector.lab.halves import first_half
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.jpeg import luminance_table
from tests.bench.history import real, saved

FIRST, LAST = (60, 75, 85, 95), (70, 80, 90)
SIDE, SPAN = 640, 24
RIDGE = 1.0


def digits(values: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of the first digits 1 to 9 of what is not 0."""
    sizes = np.abs(values[values != 0])
    first = sizes // 10 ** np.floor(np.log10(np.maximum(sizes, 1))).astype(int)
    counts = np.bincount(first.astype(int), minlength=10)[1:10] + 0.5
    return np.asarray(counts / counts.sum(), np.float64)


def off_benford(shares: NDArray[np.float64]) -> float:
    """Chi-square by coefficient to the nearest of N log10(1 + 1 / (s + x^q))."""
    x, best = np.arange(1, 10), np.inf
    for q, s in product(np.arange(0.6, 3.01, 0.1), np.arange(-0.6, 1.01, 0.1)):
        law = np.log10(1 + 1 / (s + x**q))
        law /= law.sum()
        best = min(best, float(((shares - law) ** 2 / law).sum()))
    return best


def combing(values: NDArray[np.int64]) -> float:
    """The plainest period of a histogram, by the mean of all."""
    counts = np.bincount(np.clip(values, -SPAN, SPAN) + SPAN, minlength=2 * SPAN + 1)[1:-1].astype(float)
    counts = np.log(counts + 1)
    power = np.abs(np.fft.rfft((counts - counts.mean()) * np.hanning(len(counts)))) ** 2
    tail = power[5:]
    return float(tail.max() / max(tail.mean(), 1e-9))


def told(pixels: Pixels, quality: int) -> dict[str, object] | None:
    stored = saved(pixels, quality)
    table = luminance_table(stored.data)
    assert table is not None
    again = stored.pixels
    found = examine_double(again, table)
    if found is None:
        return None
    squares = coefficients(brightness(again), FREQUENCIES)
    steps = [table[8 * row + column] for row, column in FREQUENCIES]
    values = [np.rint(s / b).astype(np.int64).ravel() for s, b in zip(squares, steps, strict=True)]
    shares = [digits(v) for v in values]
    return {
        "gain": round(found.gain, 4),
        "benford": round(float(np.mean([off_benford(s) for s in shares])), 5),
        "combing": round(float(np.mean([combing(v) for v in values])), 4),
        "shares": [round(float(v), 4) for s in shares for v in s],
    }


def gather(corpus: Path, out: Path, most: int) -> None:
    cv2, done = open_cv2(), 0
    with out.open("w") as lines:
        for source, row in real(corpus, 1, 16_000_000):
            if row.kind not in ("", "photo") or min(row.width, row.height) < SIDE or done == most:
                continue
            try:
                photo = decode((corpus / row.file).read_bytes(), row.media_type)
            except DetectorError:
                continue
            done, scale = done + 1, 0.93 * SIDE / max(row.width, row.height)
            small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for last, first in product(LAST, (None, *FIRST)):
                if first != last:
                    found = told(small if first is None else saved(small, first).pixels, last)
                    if found is not None:
                        about = {"source": source, "first": first, "last": last}
                        lines.write(json.dumps(about | found) + "\n")


def area(once: NDArray[np.float64], twice: NDArray[np.float64]) -> float:
    """Under the curve: how often what was saved twice has the higher value."""
    higher, equal = twice[:, None] > once, twice[:, None] == once
    return float((higher + equal / 2).mean())


def table(path: Path) -> None:
    rows = [json.loads(line) for line in path.open()]
    for last in LAST:
        these = [r for r in rows if r["last"] == last]
        columns = {n: np.array([r[n] for r in these]) for n in ("gain", "benford", "combing")}
        shares = np.log(np.array([r["shares"] for r in these]) + 1e-3)
        teach = np.array([first_half(r["source"]) for r in these])
        twice = np.array([r["first"] is not None for r in these])
        z = (shares - shares[teach].mean(axis=0)) / (shares[teach].std(axis=0) + 1e-6)
        both = np.column_stack([z, np.log(columns["gain"] + 0.01)])
        for name, x in (("digits", z), ("digits and gain", both)):
            x = np.column_stack([x, np.ones(len(x))])
            penalty = np.array([RIDGE] * (x.shape[1] - 1) + [1e-6])
            weights = (
                np.where(twice[teach], 1 / twice[teach].sum(), 1 / (~twice[teach]).sum()) * teach.sum() / 2
            )
            theta = fit_logistic(x[teach], twice[teach].astype(float), penalty, weights)
            columns[name] = x @ theta
        for first in FIRST:
            one = ~teach & ~twice
            two = ~teach & np.array([r["first"] == first for r in these])
            if two.any():
                cells = [f"{area(v[one], v[two]):.2f}" for v in columns.values()]
                print("|", first, "|", last, "|", " | ".join(cells), "|", int(one.sum()), int(two.sum()))
    print(list(columns))


if __name__ == "__main__":
    if sys.argv[1] == "gather":
        gather(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]) if sys.argv[4:] else 100)
    else:
        table(Path(sys.argv[2]))
