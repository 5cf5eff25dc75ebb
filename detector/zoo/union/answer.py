"""Answers from arms that were tried with the same seeds on the same test pictures: means, paired differences,
and whether the interval leaves a doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.errors import OptionRefused
from detector.core.metrics import Array, Estimate

# Student's t at 97.5 %, by degrees of freedom from 1.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
_Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``gain``: of accuracy, of one arm over others, paired. Yes only where its interval lies above 0."""

    question: str
    gain: Estimate

    @property
    def yes(self) -> bool:
        return self.gain.low > 0

    @property
    def words(self) -> str:
        if self.yes:
            return "yes"
        return "no, it is worse" if self.gain.high < 0 else "no, none was shown"


def over_seeds(values: Array) -> Estimate:
    """The mean of (seeds, test pictures), 95 %: Student's t over seeds, and what the luck of the test
    pictures adds, which all seeds share. Paired where the values are differences. Raises ``OptionRefused``
    for one seed."""
    seeds, n = values.shape
    if seeds < 2:
        raise OptionRefused("an interval over seeds needs two seeds or more")
    by_seed, by_picture = values.mean(1), values.mean(0)
    error = math.sqrt(by_seed.var(ddof=1) / seeds + by_picture.var() / n)
    mean, half = float(by_seed.mean()), student(seeds - 1) * error
    return Estimate(value=mean, low=mean - half, high=mean + half, n=seeds * n)


def gain_of(arm: Array, over: Sequence[Array]) -> Estimate:
    """Of one arm over the mean of others, all (seeds, test pictures) of the same."""
    return over_seeds(arm - np.mean(over, axis=0))


def student(freedom: int) -> float:
    """The 97.5 % quantile: from a table, and from 10 degrees of freedom on by Fisher and Cornish."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    z, v = _Z, freedom
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2) + third
