"""Bounds on a share that hold for any number of items, however few: Clopper and Pearson (1934).

Items that come in clusters (pictures of one source) are alike, and so many of them say less than as many
independent ones would. Korn and Graubard ("Confidence intervals for proportions with small expected number of
positive counts estimated from survey data", 1998) divide the number of items by the design effect, the factor
by which clusters widen the variance, and take the same bounds of what is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from detector.core.errors import CalibrationError

_HALVINGS = 60


def at_most(hits: float, n: float, *, sure: float = 0.95) -> float:
    """The share that ``hits`` of ``n`` items do not speak against at that level, one-sided: a larger share
    would show so few hits with a probability below 1 - ``sure``. Numbers need not be whole (after a design
    effect). Raises ``CalibrationError`` for no items."""
    _need(hits, n)
    if hits >= n:
        return 1.0
    return _solved(lambda p: 1 - _beta(p, hits + 1, n - hits), 1 - sure)


def at_least(hits: float, n: float, *, sure: float = 0.95) -> float:
    """As ``at_most``, from below."""
    _need(hits, n)
    return 1 - at_most(n - hits, n, sure=sure)


def design_effect(clusters: Sequence[tuple[float, float]]) -> float:
    """How many times more a share varies because items come in clusters of (hits, items), at least 1; from
    the linearised variance between clusters (Korn and Graubard 1998). 1 where no cluster or every item is
    hit, since then nothing is seen of it."""
    filled = [(h, n) for h, n in clusters if n > 0]
    n, hits = sum(n for _, n in filled), sum(h for h, _ in filled)
    if len(filled) < 2 or hits <= 0 or hits >= n:
        return 1.0
    share = hits / n
    between = sum((h - share * m) ** 2 for h, m in filled) / n**2 * len(filled) / (len(filled) - 1)
    return max(1.0, between / (share * (1 - share) / n))


def _need(hits: float, n: float) -> None:
    if n <= 0 or not 0 <= hits <= n:
        raise CalibrationError("a share of no items does not exist")


def _solved(falling: Callable[[float], float], level: float) -> float:
    """The argument in [0, 1] at which a falling function crosses ``level``."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return high


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1), tiny)
    out = d
    for m in range(1, 400):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _off_zero(1 + term * d, tiny)
            c = _off_zero(1 + term / c, tiny)
            out *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return out


def _off_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
