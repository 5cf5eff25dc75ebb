"""Every measure against a value worked out by hand or in another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from detector.core.errors import NotApplicable
from detector.core.metrics import auc
from detector.zoo.judging.quality import (
    class_coverage,
    frechet_distance,
    kid,
    memorisation,
    nearest,
    precision,
    recall,
    two_sample_auc,
)


def normal(n: int, d: int, seed: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (n, d))


def test_kid_of_two_points_a_side_is_what_a_hand_computes() -> None:
    real, fake = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    # kernel (xy + 1)^3: within real (0*1+1)^3 = 1, within fake (2*3+1)^3 = 343,
    # across (0+1)^3 twice, (2+1)^3 = 27 and (3+1)^3 = 64
    assert kid(real, fake).value == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)


def test_kid_agrees_with_the_sum_over_pairs() -> None:
    real, fake = normal(7, 3, 0), normal(9, 3, 1, 0.5)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((sum(x * y) / 3 + 1) ** 3)

    expected = (
        np.mean([kernel(a, b) for a, b in itertools.permutations(real, 2)])
        + np.mean([kernel(a, b) for a, b in itertools.permutations(fake, 2)])
        - 2 * np.mean([kernel(a, b) for a in real for b in fake])
    )
    assert kid(real, fake).value == pytest.approx(expected)


def test_kid_is_zero_on_average_for_pictures_of_one_kind() -> None:
    values = [kid(normal(30, 4, s), normal(30, 4, 1000 + s), rounds=1).value for s in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0, "an unbiased estimate of zero is sometimes negative"


def test_the_interval_of_kid_covers_the_distance_of_two_known_normals() -> None:
    """In one dimension E k(x, y) = 1 + 3 E[xy] + 3 E[(xy)^2] + E[(xy)^3] is known for N(0, 1) and N(1, 1)."""

    def expected(a: tuple[float, ...], b: tuple[float, ...]) -> float:
        return 1 + 3 * a[0] * b[0] + 3 * a[1] * b[1] + a[2] * b[2]

    zero, one = (0.0, 1.0, 0.0), (1.0, 2.0, 4.0)  # first three moments
    truth = expected(zero, zero) + expected(one, one) - 2 * expected(zero, one)
    found = [kid(normal(200, 1, s), normal(200, 1, 500 + s, 1.0), rounds=200) for s in range(60)]
    assert np.mean([k.value for k in found]) == pytest.approx(truth, rel=0.1)
    assert np.mean([k.low <= truth <= k.high for k in found]) >= 0.85


def test_the_frechet_distance_of_one_feature_has_a_closed_form() -> None:
    real, fake = normal(400, 1, 0), 3 * normal(500, 1, 1) + 2
    by_hand = (real.mean() - fake.mean()) ** 2 + (real.std(ddof=1) - fake.std(ddof=1)) ** 2
    assert frechet_distance(real, fake, accept_bias=True).value == pytest.approx(by_hand)


def test_the_frechet_distance_agrees_with_the_eigenvalues_of_the_product() -> None:
    real, fake = normal(300, 5, 0) @ normal(5, 5, 2), normal(300, 5, 1) @ normal(5, 5, 3) + 1
    a, b = np.cov(real.T), np.cov(fake.T)
    roots = np.sqrt(np.linalg.eigvals(a @ b).real)
    expected = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * roots.sum()
    assert frechet_distance(real, fake, accept_bias=True).value == pytest.approx(expected)


def test_the_frechet_distance_refuses_few_pictures_unless_asked_and_then_says_so() -> None:
    few, enough = normal(9_999, 1, 0), normal(10_000, 1, 1)
    with pytest.raises(NotApplicable, match="biased"):
        frechet_distance(enough, few)
    assert frechet_distance(enough, few, accept_bias=True).biased
    assert not frechet_distance(enough, enough).biased


def test_precision_and_recall_of_points_on_a_line() -> None:
    real = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])
    # third neighbours are 3, 2, 2, 3 and 9 away: the manifold is [-3, 6] and [1, 19], that is [-3, 19]
    fake = np.array([[-3.5], [-2.5], [6.0], [18.5], [19.5]])
    assert precision(real, fake).value == pytest.approx(3 / 5)
    # of the fakes they are 22, 21, 12.5, 22 and 23 away: everything real is covered
    assert recall(real, fake).value == 1.0
    assert precision(real, fake, k=1).value == pytest.approx(1 / 5), "k = 1 leaves 6.0 inside [3, 17] only"


def test_precision_sees_what_lies_outside_and_recall_what_is_missing() -> None:
    real = np.concatenate([normal(100, 2, 0), normal(100, 2, 1, 50.0)])
    half = normal(200, 2, 2)
    assert precision(real, half).value > 0.9
    assert 0.4 < recall(real, half).value < 0.6
    assert precision(real, half + 500).value == 0.0


@pytest.mark.parametrize(
    ("shift", "low", "high"), [(0.0, 0.4, 0.6), (1.0, 0.9, 1.0)], ids=["same", "shifted"]
)
def test_a_classifier_tells_two_sets_apart_only_where_they_differ(
    shift: float, low: float, high: float
) -> None:
    found = two_sample_auc(normal(300, 6, 0), normal(300, 6, 1, shift), seed=0)
    assert low <= found.value <= high
    assert found.low <= found.value <= found.high
    assert found.n == 300, "the held-out halves"


def test_the_classifier_test_agrees_with_the_best_possible_classifier() -> None:
    """N(0, 1) against N(1, 1): the AUC of the optimal score is Phi(1 / sqrt 2) = 0.760."""
    found = two_sample_auc(normal(2000, 1, 3), normal(2000, 1, 4, 1.0))
    assert found.low <= 0.760 <= found.high


def test_nearest_agrees_with_looking_at_every_distance() -> None:
    points, among = normal(5, 3, 0), normal(20, 3, 1)
    distances, places = nearest(points, among, 2)
    every = np.linalg.norm(points[:, None] - among[None], axis=2)
    assert distances == pytest.approx(np.sort(every, axis=1)[:, :2])
    assert (places == np.argsort(every, axis=1)[:, :2]).all()


def test_copies_are_found_and_named_and_chance_likeness_is_not() -> None:
    train, held_out, fake = normal(300, 16, 0), normal(100, 16, 1), normal(100, 16, 2)
    clean = memorisation(train, held_out, fake)
    assert clean.near_copies == ()
    assert clean.nearer.low < 0.5 < clean.nearer.high
    fake[3], fake[8] = train[40] + 0.01, train[7] + 0.1
    found = memorisation(train, held_out, fake)
    assert [(c.sample, c.train) for c in found.near_copies] == [(3, 40), (8, 7)]
    assert found.held_out_near_copies == 0


def test_a_generator_that_copies_everything_lies_nearer_to_training_than_held_out_pictures() -> None:
    train, held_out = normal(300, 16, 0), normal(100, 16, 1)
    copied = train[:100] + normal(100, 16, 2) * 0.05
    found = memorisation(train, held_out, copied)
    assert found.nearer.value > 0.99
    assert len(found.near_copies) == 100
    to_train = [np.linalg.norm(train - x, axis=1).min() for x in held_out]
    to_copy = [np.linalg.norm(train - x, axis=1).min() for x in copied]
    assert found.nearer.value == pytest.approx(auc(-np.array(to_train), -np.array(to_copy)))


def test_a_collapsed_generator_covers_one_class_of_three() -> None:
    real = np.concatenate([normal(50, 2, s, 20.0 * s) for s in range(3)])
    labels = np.repeat(np.arange(3), 50)
    assert class_coverage(real, labels, normal(60, 2, 9, 20.0)).value == pytest.approx(1 / 3)
    assert class_coverage(real, labels, real[::2]).value == 1.0


@pytest.mark.parametrize(
    ("real", "fake"),
    [(normal(1, 2, 0), normal(5, 2, 1)), (normal(5, 2, 0), normal(5, 3, 1))],
    ids=["too few", "other features"],
)
def test_sets_that_cannot_be_compared_are_refused(real: np.ndarray, fake: np.ndarray) -> None:
    for measure in (kid, precision, recall, two_sample_auc):
        with pytest.raises(NotApplicable):
            measure(real, fake)
