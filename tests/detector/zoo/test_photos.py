"""Real against real is nothing, also where many pictures were cut from one photo.

Two sets of tiles of different photos are of one kind, and no measure may tell them apart. Where tiles count
as independent, each of them does: the photos are told apart, and the sets with them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import CorpusError, NotApplicable
from detector.core.metrics import auc, bootstrap, halves
from detector.data.splits import Split
from detector.generators.source import ImageSource, chosen_of, joined_groups, unpaired
from detector.lab.steps.left_out import cost
from detector.zoo.judging import features
from detector.zoo.judging.assess import assess
from detector.zoo.judging.features import pixel_extractor
from detector.zoo.judging.quality import kid, memorisation, precision, recall, two_sample_auc
from detector.zoo.judging.spectrum import ring_powers, spectrum_distance
from detector.zoo.sources.data import held_out_of
from detector.zoo.sources.photos import index_photos, tiles_of

PHOTOS, TILES, FEATURES = 16, 20, 24
SPLITS = 12


def tiles(photos: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of tiles that are more like their photo than like each other."""
    rng = np.random.default_rng(seed)
    own = np.repeat(rng.normal(0, 1, (photos, FEATURES)), TILES, axis=0)
    return own + 0.5 * rng.normal(0, 1, own.shape), np.repeat(np.arange(photos), TILES)


def test_two_sets_of_tiles_of_different_photos_cannot_be_told_apart() -> None:
    by_photo, by_tile, covered, covered_by_tile = [], [], 0, 0
    for seed in range(SPLITS):
        (real, a), (fake, b) = tiles(PHOTOS, seed), tiles(PHOTOS, 1000 + seed)
        by_photo.append(two_sample_auc(real, fake, seed=seed, rounds=2, groups=(a, b)).value)
        by_tile.append(two_sample_auc(real, fake, seed=seed, rounds=2).value)
        found = kid(real, fake, groups=(a, b), rounds=200)
        covered += found.low <= 0 <= found.high
        wrong = kid(real, fake, rounds=200)
        covered_by_tile += wrong.low <= 0 <= wrong.high
    assert abs(np.mean(by_photo) - 0.5) < 0.08
    assert np.mean(by_tile) > 0.8, "the photos are learned"
    assert covered >= SPLITS - 2
    assert covered_by_tile == 0


def test_kid_by_photo_is_the_mean_over_pairs_of_different_photos() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0, 1, (7, 3)), rng.normal(0.5, 1, (6, 3))
    a, b = np.array([5, 5, 2, 2, 2, 9, 9]), np.array([0, 1, 0, 1, 2, 2])

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 3 + 1) ** 3)

    def within(x: np.ndarray, of: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if of[i] != of[j]]
        return float(np.mean([kernel(x[i], x[j]) for i, j in pairs]))

    expected = within(real, a) + within(fake, b) - 2 * np.mean([kernel(x, y) for x in real for y in fake])
    assert kid(real, fake, groups=(a, b)).value == pytest.approx(expected)


def test_where_every_picture_is_a_photo_of_its_own_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0, 1, (40, 4)), rng.normal(0.3, 1, (50, 4))
    own = (np.arange(40), np.arange(50))
    assert kid(real, fake, groups=own).value == pytest.approx(kid(real, fake).value)
    assert kid(real, fake, groups=own).low == pytest.approx(kid(real, fake).low)
    for measure in (precision, recall):
        assert measure(real, fake, groups=own).value == measure(real, fake).value


def test_intervals_by_photo_are_as_wide_as_few_photos_allow() -> None:
    (real, a), (fake, b) = tiles(PHOTOS, 0), tiles(PHOTOS, 1)
    scores = real[:, 0], fake[:, 0]
    apart = bootstrap(auc, *scores, rounds=300)
    whole = bootstrap(auc, *scores, rounds=300, groups=(a, b))
    assert whole.value == apart.value
    assert whole.high - whole.low > 2 * (apart.high - apart.low)
    near = memorisation(tiles(PHOTOS, 2)[0], real, fake, groups=(a, b)).nearer
    assert near.low < 0.5 < near.high


def test_neighbours_from_the_same_photo_do_not_shrink_the_manifold() -> None:
    """Three tiles of a photo at 0, others at 10, 20, 30: the second neighbour from elsewhere decides."""
    real = np.array([[0.0], [0.1], [0.2], [10.0], [20.0], [30.0]])
    of = np.array([0, 0, 0, 1, 2, 3])
    fake = np.array([[-15.0], [15.0], [45.0], [60.0]])
    assert precision(real, fake, k=2, groups=(of, None)).value == pytest.approx(3 / 4)
    assert precision(real, fake, k=2).value == pytest.approx(2 / 4)


def test_halves_never_part_a_photo_and_are_nearly_equal() -> None:
    groups = np.random.default_rng(0).integers(0, 9, 200)
    first, second = halves(200, groups, np.random.default_rng(1))
    assert sorted([*first, *second]) == list(range(200))
    assert not set(groups[first]) & set(groups[second])
    assert 60 < len(first) < 140
    alone, nothing = halves(3, np.array([4, 4, 4]), np.random.default_rng(0))
    assert (len(alone), len(nothing)) == (3, 0)


def test_too_few_photos_are_refused_and_few_tiles_are_not_the_reason() -> None:
    real, _ = tiles(3, 0)
    groups = np.repeat(np.arange(3), TILES)
    with pytest.raises(NotApplicable, match="3 photos"):
        two_sample_auc(real, real, groups=(groups, groups))


def test_the_cost_of_ratios_is_measured_on_photos_that_did_not_calibrate_them() -> None:
    """Every photo has a level of its own; neighbouring tiles in both halves would know it."""
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(-1, 2, 12), 10)
    photos = np.repeat(np.arange(12), 10)
    real, fake = level + rng.normal(0, 0.1, 120), rng.normal(1, 1, 120)
    found = cost(real, photos, [fake], fake, 0)
    assert found is not None
    assert found != cost(real, None, [fake], fake, 0)
    assert cost(real, np.zeros(120, np.int64), [fake], fake, 0) is None, "one photo has no two halves"


def test_the_photo_goes_with_its_tiles_wherever_they_go() -> None:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    a = ImageSource(name="a", images=images, groups=np.array([0, 0, 1, 1]))
    b = ImageSource(name="b", images=images, groups=np.array([0, 1, 1, 1]))
    assert joined_groups((a, b)).tolist() == [0, 0, 1, 1, 2, 3, 3, 3]
    assert unpaired(a, b).groups.tolist() == [0, 0, 1, 1, 2, 3, 3, 3]
    assert chosen_of(a, np.array([3, 0])).groups.tolist() == [1, 0]
    plain = ImageSource(name="c", images=images)
    assert joined_groups((plain, plain)) is None
    assert joined_groups((plain, a)).tolist() == [0, 1, 2, 3, 4, 4, 5, 5]
    with pytest.raises(CorpusError, match="photos"):
        ImageSource(name="d", images=images, groups=np.array([0]))


@pytest.fixture(scope="module")
def photos(corpus_dir: Path) -> tuple[ImageSource, ImageSource]:
    index = index_photos(corpus_dir / "train" / "photos_pexels")
    train, *rest = (tiles_of(index, 32, seed=0, split=s) for s in Split)
    return train, held_out_of(index, rest)


def test_tiles_of_real_photos_are_told_apart_by_no_measure(photos: tuple[ImageSource, ImageSource]) -> None:
    """Tiles of training photos stand in the generator's place."""
    train, held = photos
    assert held.groups is not None
    found, by_tile, covered = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        parts = [chosen_of(s, rng.permutation(len(s.images))[:300]) for s in (train, held)]
        seen = [pixel_extractor().of(p.images, lambda _d, _t: None) for p in parts]
        groups = (parts[1].groups, parts[0].groups)
        found.append(two_sample_auc(seen[1], seen[0], seed=seed, rounds=100, groups=groups))
        by_tile.append(two_sample_auc(seen[1], seen[0], seed=seed, rounds=2).value)
        distance = kid(seen[1], seen[0], groups=groups, rounds=200)
        powers = [ring_powers(p.images) for p in parts]
        spectrum = spectrum_distance(powers[1], powers[0], groups=groups).high_db
        covered.append((distance.low <= 0 <= distance.high, spectrum.low <= 0 <= spectrum.high))
    assert sum(e.low <= 0.5 <= e.high for e in found) >= 5
    assert abs(np.mean([e.value for e in found]) - 0.5) < 0.08
    assert np.mean(by_tile) > np.mean([e.value for e in found])
    assert np.mean(covered, axis=0).min() > 0.6


def test_the_table_of_quality_is_null_for_real_tiles(
    photos: tuple[ImageSource, ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "PACKAGE", "no_such_package_at_all")  # the cheap features are enough
    train, held = photos
    assert train.groups is not None
    first, second = halves(len(train.images), train.groups, np.random.default_rng(3))
    some = chosen_of(train, np.random.default_rng(4).permutation(first)[:300])
    quality = assess(
        some.images, chosen_of(train, second), held, seed=0, report=lambda *_: None, photos=some.groups
    )
    rows = {m.name: m for m in quality.measures if m.space == "pixels-16"}
    for name, nothing in (("KID", 0.0), ("two-sample AUC", 0.5)):
        low, high = rows[name].low, rows[name].high
        assert low is not None
        assert high is not None
        assert low <= nothing <= high, (name, rows[name])
