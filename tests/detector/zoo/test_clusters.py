from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import TooFewPictures
from detector.generators.source import ImageSource
from detector.zoo.sources.clusters import clustered, kmeans


def colours(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of four colours with noise, and which colour each is."""
    rng = np.random.default_rng(seed)
    which = rng.integers(4, size=n)
    base = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220], [230, 230, 60]])[which]
    return (base[:, None, None] + rng.integers(-20, 21, (n, 16, 16, 3))).astype(np.uint8), which


def test_groups_are_the_kinds_that_are_there() -> None:
    images, which = colours(80)
    found = clustered(ImageSource(name="made", images=images, digest="d"), 4, seed=0)
    assert found.labels is not None
    assert found.class_names == ("group 0", "group 1", "group 2", "group 3")
    pairs = set(zip(which.tolist(), found.labels.tolist(), strict=True))
    assert len(pairs) == 4, "each colour is one group, and each group one colour"


def test_the_same_seed_gives_the_same_groups_and_the_digest_names_them() -> None:
    source = ImageSource(name="made", images=colours(40)[0], digest="d")
    first, again, other = (clustered(source, 4, seed=s) for s in (0, 0, 1))
    assert first.labels is not None
    assert other.labels is not None
    assert first.digest == again.digest != source.digest
    assert (first.digest == other.digest) == bool((first.labels == other.labels).all())


def test_named_classes_stay() -> None:
    source = ImageSource(name="made", images=colours(8)[0], labels=np.zeros(8, np.int64))
    assert clustered(source, 4, seed=0) is source


def test_every_group_keeps_a_point_even_where_points_repeat() -> None:
    points = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0]]), 10, axis=0)
    labels = kmeans(points, 5, np.random.default_rng(0))
    assert set(labels) == set(range(5))


def test_no_point_lies_nearer_to_the_centre_of_another_group() -> None:
    points = np.random.default_rng(0).normal(size=(300, 3))
    labels = kmeans(points, 6, np.random.default_rng(1))
    centres = np.stack([points[labels == g].mean(0) for g in range(6)])
    away = np.linalg.norm(points[:, None] - centres[None], axis=2)
    assert (away.argmin(1) == labels).all()


def test_fewer_pictures_than_groups_are_refused() -> None:
    with pytest.raises(TooFewPictures, match="need as many"):
        clustered(ImageSource(name="made", images=colours(3)[0]), 4, seed=0)
