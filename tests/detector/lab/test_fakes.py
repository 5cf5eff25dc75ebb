"""The set that training sees is kept between runs, and made again when what was kept is torn."""

from __future__ import annotations

import numpy as np
import pytest

from detector.lab import fakes
from detector.lab.training_set import TrainingSet


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
def test_what_is_kept_and_cannot_be_read_is_made_again(kept, tmp_path, monkeypatch):
    built = []

    def build(*_all):
        built.append(1)
        return made()

    monkeypatch.setattr(fakes, "_build", build)
    monkeypatch.setattr(fakes, "with_tiles", lambda data, _tiles, _seed: data)
    cache = tmp_path / "training_set.npz"

    def prepared() -> TrainingSet:
        return fakes.prepare(tmp_path, (), seed=0, cache=cache, report=lambda *_all: None)

    first = prepared()
    assert prepared().digest == first.digest
    assert len(built) == 1
    cache.write_bytes(cache.read_bytes()[:-200] if kept is None else kept)
    assert prepared().digest == first.digest
    assert len(built) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["training_set.npz"]
