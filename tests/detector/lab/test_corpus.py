"""The set that training sees is kept between runs, and made again when what was kept is torn."""

from __future__ import annotations

import numpy as np
import pytest

from detector.lab.corpus.material import kept_set
from detector.lab.steps.training_set import TrainingSet


def made() -> TrainingSet:
    region = np.zeros((1, 8, 8, 3), np.uint8)
    one = np.zeros(1, np.int64)
    return TrainingSet(
        real=region, source=one, single=np.ones(1, bool), fake=region, family=one, twin=one, families=("a",),
        sources=("b",), share=(1.0,), digest="",
    )  # fmt: skip


@pytest.mark.parametrize(
    "kept", [b"", b"PK\x03\x04 torn", b"\x93NUMPY", None], ids=["empty", "torn", "no archive", "cut"]
)
def test_what_is_kept_and_cannot_be_read_is_made_again(kept, tmp_path):
    built = []

    def build() -> TrainingSet:
        built.append(1)
        return made()

    cache = tmp_path / "training_set.npz"
    first = kept_set(cache, "key", build)
    assert kept_set(cache, "key", build).digest == first.digest == "key"
    assert len(built) == 1
    cache.write_bytes(cache.read_bytes()[:-200] if kept is None else kept)
    assert kept_set(cache, "key", build).digest == first.digest
    assert len(built) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["training_set.npz"]


def test_a_set_that_was_built_from_something_else_is_built_again(tmp_path):
    cache = tmp_path / "training_set.npz"
    assert kept_set(cache, "one", made).digest == "one"
    assert kept_set(cache, "two", made).digest == "two"
