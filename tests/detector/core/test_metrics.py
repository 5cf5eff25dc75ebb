from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.core.errors import CalibrationError
from detector.core.metrics import (
    auc,
    bootstrap,
    cllr,
    cllr_min,
    halves,
    members_of,
    pool_adjacent_violators,
    proportion,
    resampler,
    roc,
    true_positives,
)

some = arrays(np.float64, st.integers(1, 20), elements=st.integers(-5, 5).map(float))
quick = settings(max_examples=40, deadline=None)
photos = arrays(np.int64, st.integers(2, 40), elements=st.integers(0, 6))


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


@quick
@given(real=some, fake=some)
def test_turning_every_score_round_turns_the_auc_round(real, fake):
    assert auc(-real, -fake) == pytest.approx(1 - auc(real, fake))
    assert auc(fake, real) == pytest.approx(1 - auc(real, fake))


@quick
@given(real=some, fake=some)
def test_an_order_of_scores_is_all_that_an_auc_and_cllr_min_see(real, fake):
    assert auc(np.exp(real), np.exp(fake)) == pytest.approx(auc(real, fake))
    assert cllr_min(np.exp(real), np.exp(fake)) == pytest.approx(cllr_min(real, fake))
    assert -1e-9 <= cllr_min(real, fake) <= 1 + 1e-9


@quick
@given(real=some, fake=some)
def test_the_area_under_a_roc_curve_is_the_auc(real, fake):
    false_positive, true_positive = roc(real, fake)
    assert np.trapezoid(true_positive, false_positive) == pytest.approx(auc(real, fake))
    assert (np.diff(false_positive) >= 0).all()
    assert (np.diff(true_positive) >= 0).all()


@quick
@given(values=some, weights=st.integers(0, 99))
def test_pooling_keeps_the_order_the_mean_and_what_is_ordered_already(values, weights):
    w = np.random.default_rng(weights).integers(1, 5, len(values)).astype(float)
    out = pool_adjacent_violators(values, w)
    assert (np.diff(out) >= 0).all()
    assert np.average(out, weights=w) == pytest.approx(np.average(values, weights=w))
    assert pool_adjacent_violators(np.sort(values), w).tolist() == pytest.approx(np.sort(values).tolist())


@quick
@given(hits=st.integers(0, 50), misses=st.integers(0, 50))
def test_a_rate_lies_in_its_interval_and_the_interval_in_nought_to_one(hits, misses):
    if hits + misses == 0:
        return
    rate = proportion(hits, hits + misses)
    assert 0 <= rate.low <= rate.value <= rate.high + 1e-12 <= 1 + 1e-12
    assert proportion(misses, hits + misses).low == pytest.approx(1 - rate.high)
    tenfold = proportion(10 * hits, 10 * rate.n)
    assert tenfold.high - tenfold.low < rate.high - rate.low


@quick
@given(real=some, fake=some, share=st.floats(0, 1))
def test_no_more_than_the_allowed_share_of_real_scores_passes_the_threshold(real, fake, share):
    found = true_positives(real, fake, false_positives=share)
    threshold = np.quantile(real, 1 - share, method="higher")
    assert (real > threshold).mean() <= share + 1e-9
    assert found == (fake > threshold).mean()


@quick
@given(groups=photos)
def test_the_members_of_groups_are_every_item_once_by_group(groups):
    members = members_of(groups)
    assert sorted(np.concatenate(members).tolist()) == list(range(len(groups)))
    assert [set(groups[m].tolist()) for m in members] == [{g} for g in sorted(set(groups.tolist()))]


@quick
@given(groups=photos, seed=st.integers(0, 99))
def test_no_photo_stands_in_both_halves(groups, seed):
    first, second = halves(len(groups), groups, np.random.default_rng(seed))
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(groups)))
    assert not set(groups[first].tolist()) & set(groups[second].tolist())
    assert len(first) > 0
    assert (len(second) > 0) is (len(set(groups.tolist())) > 1)


def test_halves_of_items_that_stand_for_themselves_are_equally_large():
    first, second = halves(11, None, np.random.default_rng(0))
    assert (len(first), len(second)) == (5, 6)


@quick
@given(groups=photos, seed=st.integers(0, 99))
def test_a_resample_draws_photos_whole(groups, seed):
    drawn = resampler(np.arange(len(groups)).astype(float), groups)(np.random.default_rng(seed)).astype(int)
    times = np.bincount(drawn, minlength=len(groups))
    for members in members_of(groups):
        assert len(set(times[members].tolist())) == 1


def test_copies_of_few_photos_do_not_make_an_interval_narrower():
    rng = np.random.default_rng(4)
    real, fake, groups = rng.normal(0, 1, 12), rng.normal(1, 1, 12), np.repeat(np.arange(12), 30)
    copies = (real.repeat(30), fake.repeat(30))
    alone = bootstrap(auc, *copies, rounds=200)
    whole = bootstrap(auc, *copies, rounds=200, groups=(groups, groups))
    assert alone.value == whole.value
    assert whole.high - whole.low > 2 * (alone.high - alone.low)
