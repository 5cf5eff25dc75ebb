"""The labels of one class go, those of another draw come, and all others stay."""

from __future__ import annotations

import numpy as np

from detector.generators.source import ImageSource, few_labels
from tests.bench.exchanged_labels import exchanged


def test_the_labels_of_one_class_are_those_of_another_draw_and_all_others_stay() -> None:
    images = np.zeros((300, 4, 4, 1), np.uint8)
    source = ImageSource(name="three", images=images, labels=np.arange(300, dtype=np.int64) % 3)
    one, other = (few_labels(source, 30, seed=s).labels for s in (3, 4))
    found = exchanged(source, 30, 3, 2, 4).labels
    assert found is not None
    assert (np.flatnonzero(found == 2) == np.flatnonzero(other == 2)).all()
    for kept in (0, 1):
        assert (np.flatnonzero(found == kept) == np.flatnonzero(one == kept)).all()
    assert (exchanged(source, 30, 3, 2, 3).labels == one).all()
