"""From a raw score to a likelihood ratio, and how strong a ratio so few items can carry.

Logistic calibration on a held-out split (Platt): log LR = slope * logit + intercept, fitted with both
classes weighted alike so that no prior enters. The ratio is capped by the smaller class of the calibration
set: n items cannot show a ratio above about n (the idea of Vergeer's ELUB bound, in its simplest form).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.errors import CalibrationError
from detector.score import Ratio

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

    @property
    def calibration_id(self) -> str:
        text = f"{self.slope!r} {self.intercept!r} {self.real_items} {self.fake_items}"
        return "platt-" + hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def cap_log10(self) -> float:
        return math.log10(min(self.real_items, self.fake_items))

    def ratio(self, logit: float) -> Ratio:
        """The likelihood ratio of a raw logit with its 95 % interval, all within the cap."""
        middle = self.slope * logit + self.intercept
        ss, si, ii = self.covariance
        half = 1.959964 * math.sqrt(max(0.0, ss * logit * logit + 2 * si * logit + ii))
        cap = self.cap_log10
        low, value, high = (min(cap, max(-cap, x / _LN10)) for x in (middle - half, middle, middle + half))
        return Ratio(
            log10=value,
            low=low,
            high=high,
            calibration_id=self.calibration_id,
            calibration_items=self.real_items + self.fake_items,
        )

    def llr(self, logits: Array) -> Array:
        """Capped natural log-likelihood ratios, for measuring."""
        cap = self.cap_log10 * _LN10
        return np.clip(self.slope * logits + self.intercept, -cap, cap)


def fit(real: Array, fake: Array, *, seed: int = 0, rounds: int = 300) -> Calibration:
    """Fit on scores of shape (pictures, draws). Raises ``CalibrationError`` for fewer than ``MIN_ITEMS``
    pictures of a class, and when the score does not rank fakes above reals at all."""
    real, fake = np.atleast_2d(real), np.atleast_2d(fake)
    if min(len(real), len(fake)) < MIN_ITEMS:
        raise CalibrationError(
            f"{len(real)} real and {len(fake)} fake pictures; {MIN_ITEMS} of each are needed"
        )
    slope, intercept = logistic(real.ravel(), fake.ravel())
    if slope <= 0:
        raise CalibrationError("the score does not rank generated pictures above camera pictures")
    rng = np.random.default_rng(seed)
    lines = np.array(
        [
            logistic(real[rng.integers(len(real), size=len(real))].ravel(),
                     fake[rng.integers(len(fake), size=len(fake))].ravel())
            for _ in range(rounds)
        ]
    )  # fmt: skip
    c = np.cov(lines.T)
    return Calibration(
        slope=slope,
        intercept=intercept,
        covariance=(float(c[0, 0]), float(c[0, 1]), float(c[1, 1])),
        real_items=len(real),
        fake_items=len(fake),
    )


def logistic(real: Array, fake: Array, *, ridge: float = 1e-3) -> tuple[float, float]:
    """Slope and intercept of a class-balanced logistic regression by Newton steps; the small ridge keeps
    perfectly separated scores finite."""
    x = np.concatenate([real, fake])
    y = np.concatenate([np.zeros(len(real)), np.ones(len(fake))])
    w = np.where(y == 1, 0.5 / len(fake), 0.5 / len(real))
    design = np.stack([x, np.ones_like(x)], 1)
    theta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (w * (p - y)) + ridge * theta * np.array([1.0, 0.0])
        curvature = (design * (w * p * (1 - p))[:, None]).T @ design + ridge * np.diag([1.0, 1e-6])
        step = np.linalg.solve(curvature, gradient)
        theta -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])
