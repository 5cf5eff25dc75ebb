"""Two sets of tiles of real photos are of one kind, and every measure of quality says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.bench.null import NOTHING, holding, measure

SPLITS = 6


@pytest.fixture(scope="module")
def found(corpus_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    folder = tmp_path_factory.mktemp("photos")
    for photo in sorted((corpus_dir / "train" / "photos_bsds").iterdir())[:75]:
        (folder / photo.name).symlink_to(photo)
    return measure(folder, SPLITS)


@pytest.mark.parametrize("name", NOTHING)
def test_real_photos_against_real_photos_are_nothing(found: dict[str, list], name: str) -> None:
    by_photo = [pair[0] for pair in found[name]]
    assert holding(by_photo, NOTHING[name]) >= SPLITS - 1
    if NOTHING[name] == 0.5:
        assert abs(np.mean([e.value for e in by_photo]) - 0.5) < 0.12


def test_an_interval_by_tile_is_too_narrow_for_tiles_of_one_photo(found: dict[str, list]) -> None:
    by_photo, by_tile = ([pair[k] for pair in found["KID"]] for k in (0, 1))
    assert np.mean([e.high - e.low for e in by_tile]) < np.mean([e.high - e.low for e in by_photo])
