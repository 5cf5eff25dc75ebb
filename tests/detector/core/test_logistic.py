"""The one logistic regression."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.logistic import fit_logistic
from detector.models.calibration import fit, logistic


def gradient(theta, design, labels, penalty, shares):
    return design.T @ (shares * (1 / (1 + np.exp(-design @ theta)) - labels)) + penalty * theta


def test_it_ends_where_the_gradient_is_zero():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(200), rng.normal(size=(200, 3))])
    labels, shares = (rng.random(200) < 0.4).astype(float), rng.random(200)
    penalty = np.array([0.0, 2.0, 2.0, 2.0])
    for each in (None, shares):
        theta = fit_logistic(design, labels, penalty, each)
        left = gradient(theta, design, labels, penalty, np.ones(200) if each is None else each)
        assert left == pytest.approx(np.zeros(4), abs=1e-9)


@pytest.mark.parametrize("centre", [-200.0, -30.0, -8.0, 0.0, 8.0, 30.0])
@pytest.mark.parametrize("scale", [0.1, 0.4, 1.0, 5.0])
def test_calibration_arrives_wherever_the_scores_lie(centre, scale):
    """A detector's scores need not lie around zero: moving all of them moves the intercept alone."""
    rng = np.random.default_rng(3)
    real, fake = scale * rng.normal(0, 1, 80), scale * rng.normal(1.5, 1, 60)
    slope, intercept = logistic(real, [fake])
    moved, behind = logistic(real + centre, [fake + centre])
    assert moved == pytest.approx(slope, rel=1e-6)
    assert behind == pytest.approx(intercept - slope * centre, rel=1e-6, abs=1e-6)


def test_scores_far_from_zero_that_rank_well_can_be_calibrated():
    rng = np.random.default_rng(4)
    real, fake = rng.normal(4, 0.4, (60, 1)), rng.normal(5.2, 0.4, (60, 1))
    found = fit(real, [fake], rounds=50)
    assert found.slope == pytest.approx(logistic(real.ravel() - 4, [fake.ravel() - 4])[0], rel=1e-6)
    low, high = found.covariance[0], found.covariance[2]
    assert 0 < low < found.slope**2, "no round of the bootstrap went astray"
    assert 0 < high < found.intercept**2


def test_separable_classes_stay_finite():
    design = np.column_stack([np.repeat([-1.0, 1.0], 20), np.ones(40)])
    theta = fit_logistic(design, np.repeat([0.0, 1.0], 20), np.array([1e-3, 0.0]), np.full(40, 1 / 40))
    assert np.isfinite(theta).all()
    assert theta[0] > 3
