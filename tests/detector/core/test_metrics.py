from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.core.errors import CalibrationError
from detector.core.metrics import auc, bootstrap, cllr, cllr_min, pool_adjacent_violators, proportion, roc

some = arrays(np.float64, st.integers(1, 20), elements=st.integers(-5, 5).map(float))


@given(real=some, fake=some)
def test_auc_is_the_share_of_pairs_that_are_ranked_right_with_ties_counted_half(real, fake):
    pairs = [(f > r) + 0.5 * (f == r) for r in real for f in fake]
    assert auc(real, fake) == pytest.approx(np.mean(pairs))


def test_an_inverted_score_keeps_an_auc_below_one_half():
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0.0


def test_cllr_of_saying_nothing_is_one():
    assert cllr(np.zeros(7), np.zeros(5)) == pytest.approx(1.0)


def test_cllr_of_a_ratio_of_three_in_the_right_direction_is_known():
    llr = math.log(3)
    assert cllr(np.array([-llr]), np.array([llr])) == pytest.approx(math.log2(4 / 3))


def test_confident_wrong_ratios_cost_more_than_saying_nothing():
    assert cllr(np.array([5.0]), np.array([-5.0])) > 5


def test_cllr_min_of_separated_scores_is_zero_and_of_equal_scores_one():
    assert cllr_min(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == pytest.approx(0.0)
    assert cllr_min(np.zeros(4), np.zeros(6)) == pytest.approx(1.0)


@given(real=some, fake=some)
def test_no_calibration_of_the_same_ranking_costs_less_than_cllr_min(real, fake):
    assert cllr_min(real, fake) <= cllr(real, fake) + 1e-9


def test_pooling_averages_only_what_violates_the_order():
    out = pool_adjacent_violators(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert out.tolist() == [1.0, 2.5, 2.5, 4.0]


def test_pooling_respects_weights():
    out = pool_adjacent_violators(np.array([4.0, 1.0]), np.array([1.0, 2.0]))
    assert out.tolist() == [2.0, 2.0]


def test_the_wilson_interval_of_no_hits_in_ten_is_the_published_one():
    rate = proportion(0, 10)
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(0.2775, abs=1e-3)


def test_a_rate_of_nothing_does_not_exist():
    with pytest.raises(CalibrationError):
        proportion(0, 0)


def test_measures_refuse_an_empty_class():
    for measure in (auc, cllr, cllr_min):
        with pytest.raises(CalibrationError):
            measure(np.array([]), np.array([1.0]))


def test_the_bootstrap_interval_holds_the_value_and_repeats_with_its_seed():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(0, 1, 60), rng.normal(1, 1, 60)
    first = bootstrap(auc, real, fake, seed=3, rounds=200)
    assert first.low < first.value < first.high
    assert first == bootstrap(auc, real, fake, seed=3, rounds=200)
    assert first.n == 120


def test_a_roc_curve_runs_from_nothing_to_everything():
    false_positive, true_positive = roc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    assert (false_positive[0], true_positive[0]) == (0.0, 0.0)
    assert (false_positive[-1], true_positive[-1]) == (1.0, 1.0)
    area = float(np.trapezoid(true_positive, false_positive))
    assert area == pytest.approx(auc(np.array([0.0, 1.0]), np.array([1.0, 2.0])))
