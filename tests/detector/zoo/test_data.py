"""Which pictures a question means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import CorpusError, TooFewPictures
from detector.core.progress import silent
from detector.data.splits import Split
from detector.zoo.sources.data import HELD_OUT, Data, given_pictures, held_out_source, train_source
from detector.zoo.sources.photos import PhotoIndex, index_photos
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    for n in range(10):
        (folder / f"{n}.png").write_bytes(encoded(scene(48, 48, n), "PNG"))
    return Data(name=str(folder))


@pytest.fixture(scope="module")
def index(photos: Data) -> PhotoIndex:
    return index_photos(Path(photos.name))


def given(data: Data, count: int, splits: tuple[Split, ...], seed: int = 0) -> tuple[list[bytes], str]:
    found = given_pictures(data, 8, count, splits=splits, seed=seed, report=silent)
    return [p.tobytes() for p in found.images], found.name


def test_pictures_that_are_asked_about_are_chosen_by_the_seed_and_keep_their_order(photos: Data) -> None:
    every, name = given(photos, 10**6, tuple(Split))
    first, again, other = (given(photos, 20, tuple(Split), seed=s)[0] for s in (0, 0, 1))
    assert first == again != other
    assert name == "photos"
    places = [every.index(p) for p in first]
    assert places == sorted(places)


def test_held_out_pictures_are_those_that_no_fit_sees(photos: Data, index: PhotoIndex) -> None:
    train = train_source(photos, index, 8, classes=0, seed=0, report=silent)
    held = held_out_source(photos, index, 8, seed=0, report=silent)
    assert held.name == given(photos, 1, HELD_OUT)[1] == "photos/held out"
    assert not {p.tobytes() for p in train.images} & {p.tobytes() for p in held.images}
    assert given(photos, 10**6, HELD_OUT)[0] == [p.tobytes() for p in held.images]
    assert held.mirrors
    assert held.groups is not None
    assert len(set(held.groups)) == len(index.of(Split.CALIBRATION)) + len(index.of(Split.TEST))


def test_groups_of_like_pictures_are_classes_where_a_family_learns_them(
    photos: Data, index: PhotoIndex
) -> None:
    source = train_source(photos, index, 8, classes=3, seed=0, report=silent)
    assert source.labels is not None
    assert set(source.labels) == {0, 1, 2}
    again = train_source(
        photos, index, 8, classes=3, seed=0, report=silent, tiles=replace(source, labels=None)
    )
    assert (again.labels == source.labels).all()


def test_of_two_sources_each_is_a_class_in_both_parts(photos: Data, index: PhotoIndex) -> None:
    both = replace(photos, other=photos.name)
    for source in (
        train_source(both, index, 8, classes=0, seed=0, report=silent),
        held_out_source(both, index, 8, seed=0, report=silent),
    ):
        assert source.labels is not None
        assert np.bincount(source.labels).tolist() == [len(source.images) // 2] * 2


def test_photos_of_which_none_was_held_out_are_one_sentence(photos: Data, index: PhotoIndex) -> None:
    train_only = replace(index, photos=index.of(Split.TRAIN))
    with pytest.raises(TooFewPictures, match="no photo was held out: the test part"):
        held_out_source(photos, train_only, 8, seed=0, report=silent)


def test_an_array_is_taken_as_it_is_or_not_at_all(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    assert given(Data(name=str(tmp_path / "a.npz")), 9, HELD_OUT)[0] == [p.tobytes() for p in images]
    np.savez(tmp_path / "b.npz", pictures=images)
    (tmp_path / "c.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:99])
    for name in ("b.npz", "c.npz", "d.npz"):
        with pytest.raises(CorpusError, match=f"{name} holds no readable array images"):
            given(Data(name=str(tmp_path / name)), 9, HELD_OUT)
