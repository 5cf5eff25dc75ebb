from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.errors import CalibrationError
from detector.core.metrics import cllr, cllr_min
from detector.models.calibration import MIN_ITEMS, Calibration, fit, logistic


def gaussians(n: int, distance: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (n, 1)), rng.normal(distance, 1, (n, 1))


def test_logistic_calibration_finds_the_true_ratio_of_two_gaussians():
    # log N(x; d, 1) / N(x; 0, 1) = d x - d^2 / 2
    real, fake = gaussians(4000, 2.0)
    slope, intercept = logistic(real.ravel(), [fake.ravel()])
    assert slope == pytest.approx(2.0, abs=0.15)
    assert intercept == pytest.approx(-2.0, abs=0.2)


def test_unequal_class_sizes_bring_no_prior_into_the_ratio():
    real, fake = gaussians(4000, 2.0)
    even = logistic(real.ravel(), [fake.ravel()])
    skewed = logistic(real.ravel(), [fake.ravel()[:400]])
    assert skewed[1] == pytest.approx(even[1], abs=0.4)


def test_a_generator_with_many_pictures_speaks_no_louder_than_one_with_few():
    real, easy = gaussians(400, 4.0)
    _, hard = gaussians(400, 0.5, seed=3)
    once = fit(real, [easy, hard[:40]])
    often = fit(real, [np.concatenate([easy] * 5), hard[:40]])
    assert (often.slope, often.intercept) == pytest.approx((once.slope, once.intercept), abs=1e-6)
    pooled = fit(real, [np.concatenate([*[easy] * 5, hard[:40]])])
    assert pooled.slope > 1.2 * once.slope


def test_calibrated_ratios_cost_little_more_than_their_ranking_allows():
    real, fake = gaussians(500, 1.5)
    calibration = fit(real, [fake])
    fresh_real, fresh_fake = gaussians(500, 1.5, seed=9)
    cost = cllr(calibration.llr(fresh_real.ravel()), calibration.llr(fresh_fake.ravel()))
    assert cost - cllr_min(fresh_real.ravel(), fresh_fake.ravel()) < 0.06


def test_separated_scores_give_a_finite_line():
    slope, intercept = logistic(np.full(30, -4.0), [np.full(30, 4.0)])
    assert math.isfinite(slope)
    assert math.isfinite(intercept)


@given(logit=st.floats(-1e6, 1e6), real=st.integers(20, 400), fake=st.integers(20, 400))
def test_no_ratio_exceeds_the_number_of_items_of_the_smaller_class(logit, real, fake):
    calibration = Calibration(
        slope=1.3, intercept=0.1, covariance=(0.1, 0.0, 0.1), real_items=real, fake_items=fake
    )
    ratio = calibration.ratio(logit)
    bound = math.log10(min(real, fake))
    assert -bound <= ratio.low <= ratio.log10 <= ratio.high <= bound
    assert ratio.calibration_items == real + fake


def test_a_low_score_speaks_against_no_more_than_unknown_kinds_of_generators_allow():
    line = Calibration(slope=1.0, intercept=0.0, covariance=(0.01, 0.0, 0.01), real_items=900, fake_items=900)
    careful = replace(line, unknown=0.2)
    assert line.ratio(-12.0).log10 < -2
    low = careful.ratio(-12.0)
    assert low.log10 == pytest.approx(math.log10(0.2), abs=0.01)
    assert math.log10(0.2) - 1e-9 <= low.low <= low.log10 <= low.high
    assert careful.ratio(5.0).log10 == pytest.approx(line.ratio(5.0).log10 + math.log10(0.8), abs=0.01)
    assert careful.llr(np.array([-12.0]))[0] == pytest.approx(low.log10 * math.log(10))
    assert careful.calibration_id != line.calibration_id


def test_too_few_items_are_refused():
    real, fake = gaussians(MIN_ITEMS - 1, 3.0)
    with pytest.raises(CalibrationError, match="are needed"):
        fit(real, [fake])


def test_a_score_that_ranks_the_wrong_way_gets_no_calibration():
    real, fake = gaussians(60, 2.0)
    with pytest.raises(CalibrationError, match="does not rank"):
        fit(fake, [real])


def test_several_draws_of_one_picture_count_as_one_item():
    rng = np.random.default_rng(0)
    calibration = fit(rng.normal(0, 1, (30, 3)), [rng.normal(2, 1, (25, 3))])
    assert (calibration.real_items, calibration.fake_items) == (30, 25)


def test_the_calibration_id_changes_with_the_line():
    one = Calibration(slope=1.0, intercept=0.0, covariance=(0, 0, 0), real_items=30, fake_items=30)
    two = Calibration(slope=1.1, intercept=0.0, covariance=(0, 0, 0), real_items=30, fake_items=30)
    assert one.calibration_id != two.calibration_id
