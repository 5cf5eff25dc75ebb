from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.errors import CorpusError
from detector.data.corpus import check_no_leak, load_index, pictures, read_item
from detector.data.licences import SETS
from detector.data.splits import Split, split_units
from tests.detector.made import encoded, photo_like

COLUMNS = ("path", "licence", "sha256", "source", "format")


def small_corpus(root: Path, rows: list[tuple[str, str, bytes, str]]) -> Path:
    """path, licence, bytes, source"""
    with (root / "INDEX.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(COLUMNS)
        for path, licence, data, source in rows:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            kind = "WEBP" if path.endswith(".webp") else "JPEG"
            writer.writerow([path, licence, hashlib.sha256(data).hexdigest(), source, kind])
    return root


@given(st.sets(st.text(min_size=1), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_unit_falls_into_the_same_split_whatever_stands_beside_it(units, a, b):
    shares = (a, (1 - a) * b, (1 - a) * (1 - b))
    together = split_units(units, shares)
    assert together == {u: split_units([u], shares)[u] for u in units}


def test_no_source_of_the_corpus_lies_in_two_splits(corpus_dir):
    places = defaultdict(set)
    for item in load_index(corpus_dir):
        places[item.unit].add(item.split)
        places[item.sha256].add(item.split)
    assert all(len(splits) == 1 for splits in places.values())


def test_one_camera_model_is_one_unit_across_both_camera_folders(corpus_dir):
    folders = {i.set_name for i in load_index(corpus_dir) if i.unit == "camera:canon powershot s40"}
    assert folders == {"camera_crops", "camera_samples"}


def test_only_sets_with_an_allowed_licence_are_trained_or_calibrated_on(corpus_dir):
    licences = {r.name: r.licence for r in SETS}
    for item in load_index(corpus_dir):
        if item.split is not Split.TEST:
            assert licences[item.set_name], item.path


def test_the_unseen_generators_are_never_trained_on(corpus_dir):
    trained = {i.set_name for i in load_index(corpus_dir) if i.split is Split.TRAIN and i.fake}
    assert trained == {"sd15", "flux1_dev"}


def test_a_licence_that_changed_since_it_was_allowed_is_refused(tmp_path):
    root = small_corpus(tmp_path, [("train/photos_pexels/a.jpg", "all rights reserved", b"x", "s")])
    with pytest.raises(CorpusError, match="not the one that was allowed"):
        load_index(root)


def test_a_file_listed_twice_is_taken_once(tmp_path):
    rows = [(f"train/photos_pexels/{n}.jpg", "Pexels licence (free use)", b"same", "s") for n in "ab"]
    assert len(load_index(small_corpus(tmp_path, rows))) == 1


def test_a_file_that_differs_from_the_index_is_refused(tmp_path):
    row = ("train/photos_pexels/a.jpg", "Pexels licence (free use)", b"x", "s")
    root = small_corpus(tmp_path, [row])
    (item,) = load_index(root)
    (root / item.path).write_bytes(b"y")
    with pytest.raises(CorpusError, match="not the file that the index names"):
        read_item(root, item)


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="missing"):
        load_index(tmp_path)


def test_a_leak_between_splits_is_refused(tmp_path):
    row = ("train/photos_pexels/a.jpg", "Pexels licence (free use)", b"x", "s")
    (item,) = load_index(small_corpus(tmp_path, [row]))
    other = next(s for s in Split if s is not item.split)
    with pytest.raises(CorpusError, match="two splits"):
        check_no_leak([item, replace(item, split=other)])


def test_a_sheet_gives_its_four_pictures(tmp_path):
    quarters = [np.full((16, 16, 3), v, np.uint8) for v in (0, 80, 160, 240)]
    sheet = np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])
    data = encoded(sheet, "WEBP", lossless=True)
    root = small_corpus(tmp_path, [("fakes_train/sd15_art_grid/a.webp", "MIT", data, "s")])
    (item,) = load_index(root)
    assert [int(p.mean()) for p in pictures(root, item)] == [0, 80, 160, 240]


def test_a_photo_gives_itself(tmp_path):
    data = encoded(photo_like(40, 60), quality=95)
    row = ("train/photos_pexels/a.jpg", "Pexels licence (free use)", data, "s")
    root = small_corpus(tmp_path, [row])
    (picture,) = pictures(root, load_index(root)[0])
    assert picture.shape == (40, 60, 3)
