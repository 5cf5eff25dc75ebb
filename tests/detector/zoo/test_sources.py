from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import CorpusError, FileFailed, LabError, TooFewPictures
from detector.data.splits import Split
from detector.zoo.sources.data import open_source
from detector.zoo.sources.named import open_named
from detector.zoo.sources.photos import draw_tiles, index_photos, read_photo, tiles_of
from tests.detector.made import encoded, noise_digits, photo_like


def scene(height: int, width: int, seed: int) -> np.ndarray:
    """Unlike ``photo_like``, no two seeds share their layout."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), float)
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for n in range(16):
        (photos / f"{n:02d}.jpg").write_bytes(encoded(scene(96, 128, n), "JPEG", quality=90))
    return photos


def cifar_like(folder: Path, per_split: int = 1000) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 32, 32, 3), dtype=np.uint8)
    mosaic = pixels.reshape(25, 40, 32, 32, 3).swapaxes(1, 2).reshape(800, 1280, 3)
    folder.mkdir(parents=True)
    rows = []
    for split in ("train", "test"):
        Image.fromarray(mosaic).save(folder / f"{split}_00.webp", lossless=True, exact=True)
        rows += [(split, 0, n, n % 2, ("cat", "dog")[n % 2], "") for n in range(per_split)]
    with (folder / "labels.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("split", "file", "index", "label", "class", "origin_path"), *rows])
    return pixels


def test_the_pictures_of_a_mosaic_come_out_in_the_order_of_their_labels(tmp_path: Path) -> None:
    pixels = cifar_like(tmp_path / "cifar10")
    found = open_named("cifar10", 32, split=Split.TRAIN, corpus=tmp_path)
    assert (found.images == pixels).all()
    assert found.class_names == ("cat", "dog")
    assert found.labels is not None
    assert (found.labels == np.arange(1000) % 2).all()


def test_a_smaller_side_is_made_by_area_averaging(tmp_path: Path) -> None:
    pixels = cifar_like(tmp_path / "train" / "cifar10")
    found = open_named("cifar10", 8, split=Split.TEST, corpus=tmp_path).images
    assert found == pytest.approx(pixels.reshape(1000, 8, 4, 8, 4, 3).mean((2, 4)), abs=0.51)


@pytest.mark.parametrize("side", [28, 32, 14])
def test_digits_come_from_their_file_framed_or_shrunk(tmp_path: Path, side: int) -> None:
    digits = noise_digits(tmp_path, 6)
    found = open_named("mnist", side, split=Split.TRAIN, corpus=tmp_path)
    assert found.images.shape == (6, side, side, 1)
    if side >= 28:
        frame = (side - 28) // 2
        assert (found.images[:, frame : frame + 28, frame : frame + 28, 0] == digits).all()


def test_named_sets_say_what_is_missing(tmp_path: Path) -> None:
    def refused(name: str, side: int = 32, split: Split = Split.TRAIN, corpus: Path | None = tmp_path) -> str:
        with pytest.raises(LabError) as e:
            open_named(name, side, split=split, corpus=corpus)
        return e.value.detail

    assert "--corpus" in refused("cifar10", corpus=None)
    assert "no folder mnist" in refused("mnist")
    assert "training and a test part" in refused("cifar10", split=Split.CALIBRATION)
    cifar_like(tmp_path / "cifar10")
    assert "enlarge" in refused("cifar10", side=64)
    (tmp_path / "cifar10" / "test_00.webp").write_bytes(b"RIFF")
    assert "cannot be decoded" in refused("cifar10", split=Split.TEST)
    (tmp_path / "cifar10" / "labels.csv").write_text("a,b\n1,2\n")
    assert "lacks columns" in refused("cifar10")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "x.npz").write_bytes(b"nothing")
    assert "no readable" in refused("mnist")


def test_a_label_beyond_the_mosaic_is_refused(tmp_path: Path) -> None:
    cifar_like(tmp_path / "cifar10", per_split=1001)
    with pytest.raises(CorpusError, match="do not hold"):
        open_named("cifar10", 32, split=Split.TRAIN, corpus=tmp_path)


def test_any_folder_gives_tiles_that_know_their_photo(folder: Path) -> None:
    index = index_photos(folder)
    found = tiles_of(index, 16, seed=0, split=Split.TRAIN)
    assert found.images.shape[1:] == (16, 16, 3)
    assert found.groups is not None
    assert set(found.groups) == set(range(len(index.of(Split.TRAIN))))


def test_the_same_seed_cuts_the_same_tiles_and_another_seed_others(folder: Path) -> None:
    first, again, other = (open_source(folder, 16, seed=s, split=Split.TRAIN) for s in (0, 0, 1))
    assert first.digest == again.digest
    assert first.digest != other.digest


def test_no_photo_lies_in_two_splits(folder: Path) -> None:
    index = index_photos(folder)
    parts = [{p.sha256 for p in index.of(s)} for s in Split]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 16


def test_a_photo_and_its_smaller_re_encoding_fall_into_one_split(folder: Path) -> None:
    for n in range(16):
        again = Image.fromarray(scene(96, 128, n)).resize((96, 72), Image.Resampling.LANCZOS)
        again.save(folder / f"{n:02d}-small.webp", quality=70)
    index = index_photos(folder)
    assert len(index.photos) == 32
    place = {p.path: (p.unit, p.split) for p in index.photos}
    assert all(place[f"{n:02d}.jpg"] == place[f"{n:02d}-small.webp"] for n in range(16))
    assert len({unit for unit, _ in place.values()}) == 16, "different scenes stay apart"
    assert len({split for _, split in place.values()}) == 3


def test_another_photo_moves_no_photo_to_another_split(folder: Path) -> None:
    before = {p.sha256: p.split for p in index_photos(folder).photos}
    (folder / "aa.png").write_bytes(encoded(scene(96, 128, 99), "PNG"))
    after = {p.sha256: p.split for p in index_photos(folder).photos}
    assert all(after[k] == v for k, v in before.items())


def test_what_cannot_be_read_is_listed_with_its_reason(folder: Path) -> None:
    whole = (folder / "00.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no picture")
    (folder / "twice.jpg").write_bytes(whole)
    (folder / "note.txt").write_text("not looked at")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    index = index_photos(folder)
    reasons = {s.path: s.reason for s in index.skipped}
    assert set(reasons) == {"cut.jpg", "text.png", "twice.jpg"}
    assert "ends before" in reasons["cut.jpg"]
    assert "neither" in reasons["text.png"]
    assert "00.jpg" in reasons["twice.jpg"]
    assert len(index.photos) == 16


def test_a_folder_without_photos_is_one_sentence(tmp_path: Path) -> None:
    for path, says in ((tmp_path, "no JPEG, PNG or WebP"), (tmp_path / "gone", "is no folder")):
        with pytest.raises(LabError, match=says):
            open_source(path, 16, seed=0, split=Split.TRAIN)


def test_photos_that_are_flat_or_small_leave_nothing_and_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "flat.png").write_bytes(encoded(np.full((96, 96, 3), 90, np.uint8), "PNG"))
    (tmp_path / "small.png").write_bytes(encoded(photo_like(24, 24), "PNG"))
    for split in Split:
        with pytest.raises(TooFewPictures, match="no tile of 16"):
            open_source(tmp_path, 16, seed=0, split=split)


def test_a_photo_that_changed_after_indexing_is_refused(folder: Path) -> None:
    index = index_photos(folder)
    photo = index.of(Split.TRAIN)[0]
    (folder / photo.path).write_bytes(encoded(scene(96, 128, 77), "JPEG"))
    with pytest.raises(CorpusError, match="changed"):
        tiles_of(index, 16, seed=0, split=Split.TRAIN)


def test_tiles_carry_no_trace_of_the_block_grid() -> None:
    """The energy of grid-line steps over other steps: far above 1 in the JPEG, 1 in the tiles."""
    rough = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(rough).resize((512, 512), Image.Resampling.BICUBIC))
    jpeg = encoded(np.repeat(grey[:, :, None], 3, axis=2), "JPEG", quality=20, subsampling=0)
    with Image.open(io.BytesIO(jpeg)) as image:
        photo = np.asarray(image.convert("RGB"))
    steps = np.abs(np.diff(photo[:, :, 1].astype(int), axis=1)).mean(0)
    assert steps[7::8].mean() / np.delete(steps, np.s_[7::8]).mean() > 1.5
    tiles = np.stack(list(draw_tiles(photo, 32, 400, np.random.default_rng(0))))
    inside = np.abs(np.diff(tiles[..., 1].astype(int), axis=2)).mean((0, 1))
    for period in (2, 4, 8):
        means = np.array([inside[k::period].mean() for k in range(period)])
        assert means.max() / means.mean() < 1.05


def test_the_named_sets_of_the_corpus_open(corpus_dir: Path) -> None:
    found = open_source("cifar10", 8, seed=0, split=Split.TEST, corpus=corpus_dir)
    assert found.images.shape == (2000, 8, 8, 3)
    assert found.labels is not None
    assert np.bincount(found.labels).tolist() == [200] * 10
    digits = open_source("mnist", 28, seed=0, split=Split.TEST, corpus=corpus_dir)
    assert digits.images.shape == (2000, 28, 28, 1)


def test_a_subfolder_that_may_not_be_read_is_listed_and_not_passed_over(tmp_path, monkeypatch):
    real = os.scandir

    def closed(path):
        if str(path).endswith("private"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    (tmp_path / "private").mkdir()
    (tmp_path / "a.png").write_bytes(encoded(scene(64, 64, 1), "PNG"))
    monkeypatch.setattr(os, "scandir", closed)
    index = index_photos(tmp_path)
    assert [(s.path, s.reason) for s in index.skipped] == [("private", "cannot be read: Permission denied")]
    with pytest.raises(FileFailed, match="private cannot be read: Permission denied"):
        index_photos(tmp_path / "private")


HEAD = "split,file,index,label,class\n"


@pytest.mark.parametrize(
    ("table", "kind", "said"),
    [
        (None, FileFailed, "cannot be read"),
        ("", CorpusError, "lacks columns"),
        (HEAD + "train,0,first,0,cat\n", CorpusError, "a row that is no picture"),
        (HEAD + "train,0\n", CorpusError, "a row that is no picture"),
        (HEAD + "test,0,0,0,cat\n", CorpusError, "names pictures that the mosaics do not hold"),
        (HEAD + "train,0,0,0,cat\n", FileFailed, "train_00.webp cannot be read"),
        (HEAD + "train,1,0,0,cat\n", CorpusError, "train_01.webp is not a mosaic of 25 x 40"),
        (HEAD + "train,2,0,0,cat\n", CorpusError, "train_02.webp cannot be decoded"),
    ],
    ids=["none", "empty", "no number", "short", "other split", "no mosaic", "small mosaic", "no picture"],
)
def test_a_table_of_labels_that_says_something_else_is_one_sentence(
    tmp_path: Path, table: str | None, kind: type[LabError], said: str
) -> None:
    folder = tmp_path / "cifar10"
    folder.mkdir()
    if table is not None:
        (folder / "labels.csv").write_text(table)
    (folder / "train_01.webp").write_bytes(encoded(photo_like(8, 8), "WEBP"))
    (folder / "train_02.webp").write_bytes(b"RIFF")
    with pytest.raises(kind, match=said):
        open_named("cifar10", 32, split=Split.TRAIN, corpus=tmp_path)


@pytest.mark.parametrize(
    ("digits", "labels"),
    [(np.zeros((2, 8, 8), np.uint8), [0, 1]), (np.zeros((2, 28, 28)), [0, 1]),
     (np.zeros((2, 28, 28), np.uint8), [0])],
    ids=["side", "floats", "labels"],
)  # fmt: skip
def test_digits_of_another_kind_are_one_sentence(
    tmp_path: Path, digits: np.ndarray, labels: list[int]
) -> None:
    (tmp_path / "mnist").mkdir()
    with pytest.raises(FileFailed, match=r"mnist holds no \.npz file"):
        open_named("mnist", 28, split=Split.TRAIN, corpus=tmp_path)
    np.savez(tmp_path / "mnist" / "a.npz", x_train=digits, y_train=np.array(labels))
    with pytest.raises(CorpusError, match="28 x 28 pictures with a label each"):
        open_named("mnist", 28, split=Split.TRAIN, corpus=tmp_path)


def test_photos_of_which_none_can_be_read_are_one_sentence_with_the_first_reason(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png"):
        (tmp_path / name).write_bytes(b"text")
    with pytest.raises(TooFewPictures, match=r"none of the 2 files .* \(a\.png: neither JPEG"):
        index_photos(tmp_path)


def test_an_index_has_one_digest_which_follows_its_photos_and_their_places(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.png").write_bytes(encoded(scene(32, 32, n), "PNG"))
    index = index_photos(tmp_path)
    assert index.digest() == index_photos(tmp_path).digest()
    assert replace(index, photos=index.photos[::-1]).digest() == index.digest()
    assert replace(index, photos=index.photos[1:]).digest() != index.digest()
    (tmp_path / index.photos[0].path).unlink()
    with pytest.raises(FileFailed, match=r"0\.png cannot be read"):
        read_photo(tmp_path, index.photos[0])


def test_a_window_is_at_least_twice_as_wide_as_its_tile() -> None:
    rng = np.random.default_rng(0)
    assert list(draw_tiles(scene(31, 64, 0), 16, 4, rng)) == []
    assert len(list(draw_tiles(scene(32, 64, 0), 16, 4, rng))) == 4
    assert list(draw_tiles(np.full((64, 64, 3), 9, np.uint8), 16, 4, rng)) == []
