"""From a raw score to a likelihood ratio, and how strong a ratio so few items can carry.

Logistic calibration on a held-out split (Platt): log LR = slope * logit + intercept, fitted with both
classes weighted alike so that no prior enters, and within the generated ones every generator, so that the one
with the most pictures does not speak for all. The ratio is capped by the smaller class of the calibration
set: n items cannot show a ratio above about n (the idea of Vergeer's ELUB bound, in its simplest form).

A low score speaks against "generated" no more strongly than generators of an unknown kind allow. Of k kinds
that were measured, each left out in turn, none may look like a camera's pictures, and still the next one can:
1 / (k + 2) is Laplace's rule of succession. Such a kind scores as photos do, so the ratio is
(1 - unknown) x that of the line + unknown.

A line may be *given* more: what kind of picture it is, and how small and compressed its file
(``detector.models.given``). Then slope and intercept are those of a photo in the condition of reference.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CalibrationError
from detector.core.logistic import fit_logistic
from detector.models.condition import Condition
from detector.models.given import Given
from detector.models.kinds import Kind
from detector.models.score import Ratio

MIN_ITEMS = 20  # per class
_LN10 = math.log(10)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fitted line with the covariance of its bootstrap; ``real_items`` and ``fake_items`` count pictures,
    not crops or re-encodings of one picture."""

    slope: float
    intercept: float
    covariance: tuple[float, float, float]  # slope-slope, slope-intercept, intercept-intercept
    real_items: int
    fake_items: int
    unknown: float = 0.0  # probability that a generated picture is of a kind that scores as photos do
    given: Given | None = None

    @property
    def calibration_id(self) -> str:
        if self.given is not None:
            text = f"{self.given!r} {self.real_items} {self.fake_items} {self.unknown!r}"
            return "given-" + hashlib.sha256(text.encode()).hexdigest()[:12]
        text = f"{self.slope!r} {self.intercept!r} {self.real_items} {self.fake_items}"
        if self.unknown:
            text += f" {self.unknown!r}"
        return "platt-" + hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def cap_log10(self) -> float:
        return math.log10(min(self.real_items, self.fake_items))

    def ratio(self, logit: float, kind: Kind | None = None, condition: Condition | None = None) -> Ratio:
        """The likelihood ratio of a raw logit with its 95 % interval, all within the cap. A line without
        ``given`` is the same for every kind and condition; another needs the condition."""
        middle, half = self.line(logit, kind, condition)
        real, fake = self.counted(kind)
        cap = math.log10(max(1, min(real, fake)))
        mixed = self._mixed(np.array([middle - half, middle, middle + half])) / _LN10
        low, value, high = np.clip(mixed, -cap, cap)
        return Ratio(
            log10=float(value), low=float(low), high=float(high), calibration_id=self.calibration_id,
            calibration_items=real + fake,
        )  # fmt: skip

    def line(
        self, logit: float, kind: Kind | None = None, condition: Condition | None = None
    ) -> tuple[float, float]:
        """Natural log ratio before mix and cap, and half of its 95 % interval."""
        if self.given is None:
            middle = self.slope * logit + self.intercept
            ss, si, ii = self.covariance
            variance = ss * logit * logit + 2 * si * logit + ii
        else:
            if condition is None:
                raise CalibrationError("this calibration is given a condition, and none was named")
            row = self.given.row(logit, kind, condition)
            middle = float(row @ np.array(self.given.weights))
            spread = np.array(self.given.covariance)
            variance = float(row @ spread @ row) if spread.size else 0.0
        return middle, 1.959964 * math.sqrt(max(0.0, variance))

    def counted(self, kind: Kind | None) -> tuple[int, int]:
        """Real and generated pictures behind the ratios of a kind."""
        return (self.real_items, self.fake_items) if self.given is None else self.given.counted(kind)

    def llr(self, logits: Array) -> Array:
        """Capped natural log-likelihood ratios, for measuring."""
        cap = self.cap_log10 * _LN10
        return np.clip(self._mixed(self.slope * logits + self.intercept), -cap, cap)

    def _mixed(self, llr: Array) -> Array:
        """With the kinds of generators that score as photos do."""
        if not self.unknown:
            return llr
        out: Array = np.logaddexp(math.log1p(-self.unknown) + llr, math.log(self.unknown))
        return out


def fit(real: Array, fakes: Sequence[Array], *, seed: int = 0, rounds: int = 300) -> Calibration:
    """Fit on scores of shape (pictures, draws), the generated ones an array per generator. Raises
    ``CalibrationError`` for fewer than ``MIN_ITEMS`` pictures of a class, and when the score does not rank
    fakes above reals at all."""
    items = sum(map(len, fakes))
    if min(len(real), items) < MIN_ITEMS:
        raise CalibrationError(f"{len(real)} real and {items} fake pictures; {MIN_ITEMS} of each are needed")
    slope, intercept = logistic(real.ravel(), [f.ravel() for f in fakes])
    if slope <= 0:
        raise CalibrationError("the score does not rank generated pictures above camera pictures")
    rng = np.random.default_rng(seed)

    def again(scores: Array) -> Array:
        return scores[rng.integers(len(scores), size=len(scores))].ravel()

    lines = np.array([logistic(again(real), [again(f) for f in fakes]) for _ in range(rounds)])
    c = np.cov(lines.T)
    return Calibration(
        slope=slope, intercept=intercept, covariance=(float(c[0, 0]), float(c[0, 1]), float(c[1, 1])),
        real_items=len(real), fake_items=items,
    )  # fmt: skip


def logistic(real: Array, fakes: Sequence[Array], *, ridge: float = 1e-3) -> tuple[float, float]:
    """Slope and intercept of a logistic regression, both classes and within the second every
    array weighing the same; the small ridge keeps perfectly separated scores finite."""
    x = np.concatenate([real, *fakes])
    y = np.concatenate([np.zeros(len(real)), *(np.ones(len(f)) for f in fakes)])
    shares = [0.5, *(0.5 / len(fakes) for _ in fakes)]
    w = np.concatenate([np.full(len(s), p / len(s)) for s, p in zip([real, *fakes], shares, strict=True)])
    middle = w @ x  # from there the way is short, wherever the scores lie
    design = np.stack([x - middle, np.ones_like(x)], 1)
    slope, intercept = fit_logistic(design, y, np.array([ridge, 0.0]), w)
    return float(slope), float(intercept - slope * middle)
