"""Logistic regression, once: calibration, the semantic head and the two-sample test ask for it with designs,
shares and penalties of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 100
_LONGEST = 4.0  # a full step from afar overshoots where the likelihood is flat
_ENOUGH = 1e-10


def fit_logistic(design: Array, labels: Array, penalty: Array, shares: Array | None = None) -> Array:
    """The weights of the columns of ``design`` that minimise cross-entropy, each row by its share, plus half
    of ``penalty`` times each squared weight; by Newton's method. ``labels`` are 0 and 1. A column of ones is
    the intercept and wants no penalty; that of the others keeps separable classes finite."""
    w = np.ones(len(labels)) if shares is None else shares
    theta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (w * (p - labels)) + penalty * theta
        curvature = (design * (w * p * (1 - p))[:, None]).T @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        longest = np.abs(step).max()
        # Shortened as a whole: with each number cut by itself the direction is lost, and it may never arrive.
        theta -= step * min(1.0, _LONGEST / (longest + 1e-12))
        if longest < _ENOUGH:
            break
    return theta


def solve_ridge(products: Array, sums: Array, penalty: Array) -> Array:
    """The weights that minimise squared error, from the sums of products of columns and of products with the
    label, plus ``penalty`` times each squared weight."""
    return np.asarray(np.linalg.solve(products + np.diag(penalty), sums), np.float64)
