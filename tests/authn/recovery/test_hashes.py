"""The index finds what comparing all with all finds, keeps up with the table, forgets what was deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from authn.core.errors import Busy
from authn.devices.registry import Registry
from authn.recovery.hashes import FILE, Hashes
from authn.recovery.segment import RADIUS, Segment, Words, distances, write_segment
from authn.store.engine import open_engine, writing
from authn.store.pictures import SignedPicture, SignedPictures
from authn.store.schema import devices

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def words(count: int, seed: int = 0) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, (count, 4), dtype=np.uint64)


def altered(one: Words, bits: int, seed: int = 1) -> Words:
    """With so many bits changed, anywhere."""
    mask = np.zeros(256, np.uint8)
    mask[np.random.default_rng(seed).permutation(256)[:bits]] = 1
    return one ^ np.packbits(mask).view(np.uint64)


@pytest.mark.parametrize("bits", [0, 1, 30, RADIUS])
def test_every_hash_within_the_radius_is_found_wherever_its_bits_differ(tmp_path: Path, bits: int) -> None:
    all_, ids = words(3000), np.arange(5, 3005)
    write_segment(tmp_path / FILE, ids, all_)
    for seed in range(20):
        query = altered(all_[100 + seed : 102 + seed], bits, seed)
        rows, found, apart = Segment(tmp_path / FILE).near(query)
        wanted = [(r, 5 + i, d) for r in (0, 1) for i, d in enumerate(distances(all_, query[r])) if d <= 31]
        assert sorted(zip(rows.tolist(), found.tolist(), apart.tolist(), strict=True)) == wanted
        assert (0, 105 + seed, bits) in wanted


def test_a_hash_just_beyond_the_radius_is_not_found(tmp_path: Path) -> None:
    write_segment(tmp_path / FILE, np.arange(1, 2), words(1))
    assert len(Segment(tmp_path / FILE).near(altered(words(1), RADIUS + 1))[0]) == 0


@pytest.fixture
def pictures(tmp_path: Path) -> SignedPictures:
    return kept_in(open_engine(f"sqlite:///{tmp_path / 'assay.db'}"))


def kept_in(engine: Engine) -> SignedPictures:
    row = {"name": "camera", "spki_sha256": "0" * 64, "enrolled_at": NOW, "assurance_level": 0}
    with writing(engine) as connection:
        connection.execute(devices.insert().values(device_id="camera-1", **row))
    assert Registry(engine).find("camera-1")
    return SignedPictures(engine)


def remember(pictures: SignedPictures, all_: Words, first: int = 0) -> None:
    for i, one in enumerate(all_, first):
        pictures.remember(
            SignedPicture(
                record_sha256=f"{i:064x}",
                subject_sha256=f"{i:064x}",
                manifest_id=f"urn:c2pa:{i}",
                device_id="camera-1",
                pdq=one.tobytes(),
                quality=100,
                signed_at=None,
                taken_at=NOW,
            ),
            None,
        )


def ids(found: tuple[tuple[int, int, int], ...]) -> list[int]:
    return [id_ for _row, id_, _distance in found]


def test_new_rows_are_found_at_once_before_and_after_they_are_in_the_file(
    pictures: SignedPictures, tmp_path: Path
) -> None:
    all_, index = words(12), Hashes(pictures, tmp_path / "r", most_in_memory=100)
    remember(pictures, all_[:6])
    assert ids(index.near(altered(all_[2:3], 9))) == [3]
    other = Hashes(pictures, tmp_path / "r", most_in_memory=100)
    other.write()
    remember(pictures, all_[6:], 6)
    for hashes in (index, other):
        assert ids(hashes.near(altered(all_[2:3], 9))) == [3]
        assert ids(hashes.near(altered(all_[8:9], 9))) == [9]


def test_more_than_fit_in_memory_are_written_in_the_background(
    pictures: SignedPictures, tmp_path: Path
) -> None:
    all_, index = words(12), Hashes(pictures, tmp_path / "r", most_in_memory=4)
    remember(pictures, all_)
    with pytest.raises(Busy, match="is being written"):
        index.near(all_[:1])
    index.close()
    assert ids(index.near(all_[:1])) == [1]


def test_a_deleted_hash_is_found_no_more_and_its_bits_leave_the_file(
    pictures: SignedPictures, tmp_path: Path
) -> None:
    all_, index = words(6), Hashes(pictures, tmp_path / "r")
    remember(pictures, all_[:5])
    index.write()
    remember(pictures, all_[5:], 5)
    assert ids(index.near(all_[[1, 5]])) == [2, 6]
    assert pictures.forget(f"{1:064x}")
    assert pictures.forget(f"{5:064x}")
    assert index.near(all_[[1, 5]]) == ()
    assert all_[1].tobytes() not in (tmp_path / "r" / FILE).read_bytes()
    assert all_[2].tobytes() in (tmp_path / "r" / FILE).read_bytes()


@pytest.mark.parametrize("rubbish", [b"", b"x" * 100, b"assay-hashes-1\0\0" + b"\1" * 40])
def test_a_file_that_is_none_is_written_anew(
    pictures: SignedPictures, tmp_path: Path, rubbish: bytes
) -> None:
    all_, index = words(3), Hashes(pictures, tmp_path / "r")
    remember(pictures, all_)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / FILE).write_bytes(rubbish)
    assert ids(index.near(all_[:1])) == [1]


def test_a_number_is_never_given_twice(engine: Engine) -> None:
    pictures = kept_in(engine)
    remember(pictures, words(2))
    pictures.forget(f"{1:064x}")
    remember(pictures, words(1, seed=9), 7)
    assert [id_ for id_, _ in pictures.hashes(0)] == [1, 3]
